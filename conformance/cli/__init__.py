"""The command line: options, help that teaches, and exit codes.  Commands are imported when run.

The help of a command is the docstring of its function below.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from conformance.errors import FAULT, INTERRUPTED, PIPE_CLOSED, USAGE, Refused
from conformance.reference import DamagedReference
from conformance.signals import Stopped, stopping

CODES = """\
exit codes:
  0  conforms
  1  deviates: a printed number or a computed value is not borne out
  2  wrong usage: an unknown name, a file that cannot be read or written
  3  inconclusive, or too little ran
  4  our own fault: run again with --debug, and report what you see
"""


def _list(options: argparse.Namespace) -> int:
    """List the architectures that the reference describes and the frameworks found here.

    No framework is imported.

    example:
      conformance list
      conformance list --json -
    """
    from conformance.cli import listing

    return listing.run(options)


def _facts(options: argparse.Namespace) -> int:
    """Show what the documents print about one architecture, and what arithmetic says of it.

    Layers with the numbers printed beside them, totals by convention, every claim with its
    status where arithmetic decides it, and disputes with their reason.  No framework is needed.

    example:
      conformance facts resnet50
      conformance facts vgg16 --json facts.json
    """
    from conformance.cli import facts

    return facts.run(options)


def _claims(options: argparse.Namespace) -> int:
    """List the printed numbers, with what arithmetic says of each.

    Where a claim stands, what is printed, what the table's own rows or the claim's formula come
    to, and the status that follows; for what does not hold, what does and why.  'needs a model'
    is decided by 'conformance check'.  Statuses: confirmed, rounded, ambiguous, contradicted,
    cited, needs a model.

    example:
      conformance claims --status contradicted
      conformance claims --section vgg-net --status rounded --status ambiguous
      conformance claims --arch googlenet --json -
    """
    from conformance.cli import claims

    return claims.run(options)


def _check(options: argparse.Namespace) -> int:
    """Check our implementations against the documents and, in float64, against an oracle.

    Each network is traced without weights and every claim about it judged; then it is run on
    canonical weights and every node compared.  Without ARCH every network is checked, without
    --framework in every framework that is installed, one process each.  Names ignore case and
    punctuation.

    example:
      conformance check
      conformance check resnet50 vgg16 --framework torch
      conformance check lenet5 --thorough --repeat 200
      conformance check lenet5 --no-numbers --json -
      conformance check googlenet --precision float32 --precision bfloat16 --compiled
      conformance check --device gpu --evidence evidence
      conformance check --framework keras --evidence evidence
    """
    from conformance.cli import check

    return check.run(options)


def _gate(options: argparse.Namespace) -> int:
    """Judge somebody's port: is it the published network, a known variant, or where not?

    PORT is package.module:factory or path/to/file.py:factory; the factory takes nothing and
    returns a torch.nn.Module, a Keras model, a Flax NNX or Linen module, or for any other JAX
    library a pair (apply, variables) with apply(variables, images).  Nothing is configured: no
    names are mapped, no tolerance is chosen.  The port runs in a process of its own.

    example:
      conformance gate my_models:resnet50 --arch resnet50
      conformance gate models/googlenet.py:build --arch googlenet --format markdown
      conformance gate my_models:net --arch vgg16 --baseline known.json --json -
    """
    from conformance.cli import gate

    return gate.run(options)


def _identify(options: argparse.Namespace) -> int:
    """Which architecture, and which known variant of it, is a port closest to?

    The candidates are ranked by the differences that no variant explains, fewest first.

    example:
      conformance identify my_models:net
      conformance identify net.py:build --top 10 --json -
    """
    from conformance.cli import identify

    return identify.run(options)


def _report(options: argparse.Namespace) -> int:
    """Turn the evidence of earlier checks, of any frameworks and machines, into a report.

    'conformance check --evidence DIR' leaves evidence, and so does the suite.
    The verdicts are shown; with --out the pages are written into DIR, and with --html a site
    that needs no network, each in one move.

    example:
      conformance report evidence --out report --html site
      conformance report laptop/evidence gpu/evidence --json results.json
      conformance report --diff old/results.json evidence
    """
    from conformance.cli import report

    return report.run(options)


def _compare(options: argparse.Namespace) -> int:
    """Compare two ports that have their own weights, layer by layer, and say where they part.

    A port is package.module:factory or path/to/file.py:factory; called without arguments, it
    returns a model with its weights loaded.  Layers are matched by structure, never by name.
    Weights are compared slot by slot; then both models run in float64 on one image.

    example:
      conformance compare mine.py:ported torchvision.models:resnet18 --input 224x224x3
      conformance compare old.py:model new.py:model --arch resnet50 --json -
    """
    from conformance.cli import compare

    return compare.run(options)


def _convert(options: argparse.Namespace) -> int:
    """Write port A's values in port B's names, shapes and layouts, as a safetensors file.

    Layers are matched by structure, never by name.  Nothing is written when the two structures
    do not correspond, or when B stores an array that nothing in A fills.

    example:
      conformance convert theirs.py:pretrained mine.py:model --arch resnet50 --out mine.safetensors
    """
    from conformance.cli import convert

    return convert.run(options)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        try:
            version = metadata.version("convnet-conformance")
        except metadata.PackageNotFoundError:
            version = "(not installed, run from its sources)"
        print(f"conformance {version}")
        parser.exit()


class _Schema(argparse.Action):
    """Print a JSON Schema, a file in the tree, and leave."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        path = Path(__file__).parents[1] / f"{self.const}.schema.json"
        sys.stdout.write(path.read_text(encoding="utf-8"))
        parser.exit()


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _times(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _size(text: str) -> list[int]:
    sides = text.lower().split("x")
    if len(sides) != 3 or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is not height x width x channels: 224x224x3")
    return [int(side) for side in sides]


def _seconds(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, such as 600")
    return float(text)


def _bytes(text: str) -> int:
    number, unit = text[:-1], text[-1:].upper()
    powers = {"M": 20, "G": 30}
    if unit not in powers or not number.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 800M or 16G")
    return int(float(number) * 2 ** powers[unit])


def _port(command: Parser) -> None:
    """What every command about a port takes."""
    command.add_argument("port", metavar="PORT", help="package.module:factory or file.py:factory")
    command.add_argument(
        "--framework", metavar="F", help="whose model it is (default: worked out from the port)"
    )
    command.add_argument(
        "--input", metavar="HxWxC", type=_size, help="size of the image (default: the paper's)"
    )
    command.add_argument(
        "--seed", metavar="N", type=_seed, default=0, help="of the weights (default: 0)"
    )
    command.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=600.0,
        help="how long the port may take; 0 for no limit (default: 600)",
    )  # fmt: skip
    command.add_argument(
        "--memory", metavar="SIZE", type=_bytes, help="how much memory it may take, such as 16G"
    )


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="conformance",
        description="Is it the published network?\n"
        "Convolutional networks, checked against the documents that define them.",
        epilog=f"'conformance COMMAND --help' explains a command and has examples.\n\n{CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", nargs=0, action=_Version, help="print the version and exit")
    debug = "show tracebacks, and what frameworks print"
    top.add_argument("--debug", action="store_true", help=debug)
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, function: Callable[[argparse.Namespace], int]) -> Parser:
        first, _, rest = (function.__doc__ or name).partition("\n")
        found = commands.add_parser(
            name,
            help=first,
            description="\n".join([first, *(line[4:] for line in rest.splitlines())]).rstrip(),
            epilog=CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.set_defaults(function=function)
        found.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=debug)
        found.add_argument(
            "--json",
            metavar="FILE",
            help="write the result for programs as well; '-' for standard output, and then"
            " everything else goes to standard error",
        )
        return found

    command("list", _list)
    facts = command("facts", _facts)
    facts.add_argument("architecture", metavar="ARCH", help="a name or alias from the list")
    claims = command("claims", _claims)
    claims.add_argument(
        "--status",
        metavar="S",
        action="append",
        help="of this status only (repeatable; default: all)",
    )
    claims.add_argument("--section", metavar="X", help="of this section of a document only")
    claims.add_argument("--arch", metavar="ARCH", help="about this network only")
    check = command("check", _check)
    check.add_argument("architectures", metavar="ARCH", nargs="*", help="default: every network")
    check.add_argument(
        "--framework", metavar="F", action="append",
        help="check in this framework (repeatable; default: every one that is installed)",
    )  # fmt: skip
    check.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="where to run (default: cpu)"
    )
    check.add_argument(
        "--precision", metavar="P", action="append",
        help="compare in this precision as well: float32, tf32, float16 or bfloat16 (repeatable;"
        " float64 decides and is always there; default: none on the CPU, float32, tf32 and bfloat16"
        " on a GPU)",
    )  # fmt: skip
    check.add_argument(
        "--compiled", action="store_true",
        help="compare what torch.compile, jax.jit or tf.function makes of it as well",
    )  # fmt: skip
    check.add_argument(
        "--exact", action="store_true",
        help="run on whole numbers as well, in float32 and each --precision: not a bit may differ",
    )  # fmt: skip
    check.add_argument("--no-numbers", action="store_true", help="trace and judge, but run nothing")
    check.add_argument(
        "--seed", metavar="N", type=_seed, default=0, help="of the weights (default: 0)"
    )
    check.add_argument(
        "--thorough", action="store_true", help="run a training step and gradients as well"
    )
    check.add_argument(
        "--repeat", metavar="N", type=_times, default=1,
        help="run the numbers N times, with seeds from --seed up, and show the spread",
    )  # fmt: skip
    check.add_argument(
        "--arrays", metavar="ROW", action="append",
        help="keep every number of this row of the paper's table beside the evidence, as"
        " safetensors ('all' for every row; repeatable)",
    )  # fmt: skip
    check.add_argument(
        "--evidence", type=Path, metavar="DIR", help="leave what was found in DIR, for 'report'"
    )
    gate = command("gate", _gate)
    _port(gate)
    gate.add_argument("--arch", metavar="ARCH", required=True, help="a name or alias from the list")
    gate.add_argument("--no-numbers", action="store_true", help="structure only: run nothing")
    gate.add_argument(
        "--trained", action="store_true", help="it loads a checkpoint: do not judge initial values"
    )
    gate.add_argument(
        "--format", choices=("text", "markdown"), default="text",
        help="markdown is made for a job summary",
    )  # fmt: skip
    gate.add_argument("--html", metavar="FILE", help="write a page with both graphs")
    gate.add_argument("--badge", metavar="FILE", help="write a badge endpoint, JSON")
    gate.add_argument(
        "--baseline", metavar="RESULT", help="an earlier --json FILE: fail only on what is new"
    )
    identify = command("identify", _identify)
    _port(identify)
    identify.add_argument(
        "--top", metavar="N", type=int, default=5, help="how many candidates (default: 5)"
    )
    report = command("report", _report)
    report.add_argument("evidence", metavar="EVIDENCE", nargs="*", type=Path, help="folders")
    report.add_argument("--out", type=Path, metavar="DIR", help="write Markdown into this folder")
    report.add_argument(
        "--html", type=Path, metavar="DIR", help="write a static site, for people to look at"
    )
    report.add_argument(
        "--diff", nargs=2, type=Path, metavar=("OLD", "NEW"),
        help="say what changed between two results.json or folders of evidence; 1 on a regression",
    )  # fmt: skip
    compare = command("compare", _compare)
    convert = command("convert", _convert)
    for each in (compare, convert):
        each.add_argument("a", metavar="A", help="a port")
        each.add_argument("b", metavar="B", help="the other port")
        size = each.add_mutually_exclusive_group()
        size.add_argument(
            "--input", metavar="HxWxC", type=_size, help="the image's size, such as 224x224x3"
        )
        size.add_argument("--arch", metavar="ARCH", help="take the size from this architecture")
    convert.add_argument("--out", metavar="FILE", type=Path, required=True, help="to be written")
    for each, path in (
        (check, "judge/check"),
        (gate, "judge/gate"),
        (report, "reports/results"),
        (compare, "judge/compare"),
    ):
        each.add_argument(
            "--schema", nargs=0, action=_Schema, const=path,
            help="print the JSON Schema of the result and exit",
        )  # fmt: skip
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as done:
        return int(done.code or 0)
    try:
        with stopping():
            code: int = options.function(options)
            sys.stdout.flush()
        return code
    except Refused as refused:
        return _told(str(refused), refused.code)
    except Stopped as stopped:
        return _told(f"{stopped}; nothing is half-written", stopped.code)
    except KeyboardInterrupt:
        return _told("interrupted; nothing is half-written", INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return PIPE_CLOSED
    except DamagedReference as damaged:
        return _told(str(damaged), FAULT)
    except Exception as fault:
        if options.debug:
            traceback.print_exc()
        said = " ".join(str(fault).split())
        return _told(f"{type(fault).__name__}: {said} (run again with --debug)", FAULT)


def _told(message: str, code: int) -> int:
    if message:
        print(f"conformance: {message}", file=sys.stderr)
    return code
