"""``conformance check``: our implementations against the documents and against the oracle."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from conformance import errors as codes
from conformance import reference
from conformance.cli import arguments, baseline
from conformance.cli.facts import found
from conformance.cli.output import Output, code
from conformance.data import read, written
from conformance.errors import Refused
from conformance.files import folder
from conformance.judge import phrases, render
from conformance.judge.document import COLOURS
from conformance.judge.finding import overall
from conformance.judge.record.examine import EVERY
from conformance.judge.record.network import not_run
from conformance.judge.record.repeat import sentences
from conformance.judge.results import Check, Checks, Framework, Network
from conformance.numbers.precision import EXACT, ON, PRECISIONS
from conformance.ports import implementations as frameworks
from conformance.ports.sandbox import NO_GPU, Ended, Limits, on_gpu, work
from conformance.reference import Model
from conformance.trace.port import PLAIN, Execution
from conformance.trace.registry import UnknownFramework

#: How many sentences a network gets on the terminal; the result has them all.
SENTENCES = 10

#: How long a process may take to clear away what it has begun to write, in seconds.
PATIENCE = 10

Json = dict[str, Any]


HELP = """\
Each network is traced without weights and every claim about it judged; then it is run on
canonical weights and every node compared.  Without ARCH every network is checked, without
--framework in every framework that is installed, one process each; many networks that are traced
only, in one process a processor.  Names ignore case and punctuation.

example:
  conformance check
  conformance check resnet50 vgg16 --framework torch
  conformance check lenet5 --thorough --repeat 200
  conformance check lenet5 --no-numbers --json -
  conformance check googlenet --precision float32 --precision bfloat16 --compiled
  conformance check resnet50 --exact
  conformance check --device gpu --evidence evidence
  conformance check --framework keras --evidence evidence
  conformance check --thorough --evidence evidence --resume
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("architectures", metavar="ARCH", nargs="*", help="default: every network")
    command.add_argument(
        "--framework", metavar="F", action="append",
        help="check in this framework (repeatable; default: every one that is installed)",
    )  # fmt: skip
    command.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="where to run (default: cpu)"
    )
    command.add_argument(
        "--precision", metavar="P", action="append",
        help="compare in this precision as well: float32, tf32, float16 or bfloat16 (repeatable;"
        " float64 decides and is always there; default: none on the CPU, float32, tf32 and bfloat16"
        " on a GPU)",
    )  # fmt: skip
    command.add_argument(
        "--compiled", action="store_true",
        help="compare what torch.compile, jax.jit or tf.function makes of it as well",
    )  # fmt: skip
    command.add_argument(
        "--exact", action="store_true",
        help="run on whole numbers as well, in float32 and each --precision: not a bit may differ",
    )  # fmt: skip
    command.add_argument(
        "--no-numbers", action="store_true", help="trace and judge, but run nothing"
    )
    command.add_argument(
        "--seed", metavar="N", type=arguments.seed, default=0, help="of the weights (default: 0)"
    )
    command.add_argument(
        "--thorough", action="store_true", help="run a training step and gradients as well"
    )
    command.add_argument(
        "--repeat", metavar="N", type=arguments.times, default=1,
        help="run the numbers N times, with seeds from --seed up, and show the spread",
    )  # fmt: skip
    command.add_argument(
        "--arrays", metavar="ROW", action="append",
        help="keep every number of this row of the paper's table beside the evidence, as"
        " safetensors ('all' for every row; repeatable)",
    )  # fmt: skip
    command.add_argument(
        "--evidence", type=Path, metavar="DIR", help="leave what was found in DIR, for 'report'"
    )
    command.add_argument(
        "--resume", action="store_true",
        help="go on from the evidence in DIR: what conforms by a run of the same code, versions and"
        " seed is kept, and not run again",
    )  # fmt: skip
    arguments.form(command)
    arguments.baseline(command)
    arguments.schema(command, "check")


def run(options: Namespace) -> int:
    """Check every chosen network in every chosen framework, one process a framework."""
    output = Output(options.json)
    earlier = baseline.read(options.baseline, Check)
    rows = earlier.results if earlier else ()
    known = {(row.framework, row.architecture): row for row in rows}
    given = ("thorough", "precision", "compiled", "exact")
    ran = any(getattr(options, name) for name in given) or options.repeat > 1
    if options.no_numbers and ran:
        raise Refused(
            "--thorough, --repeat, --precision, --compiled and --exact: leave out --no-numbers"
        )
    if options.thorough and options.device == "gpu":
        raise Refused("training and gradients are run on the CPU: leave out --thorough or the GPU")
    names = options.architectures or list(reference.models())
    models = list({model.name: model for model in map(found, names)}.values())
    _kept_rows(options, models)
    if options.resume and not options.evidence:
        raise Refused("--resume goes on from evidence: add --evidence DIR")
    options.executions = _executions(options)
    chosen = _frameworks(options.framework or [])
    options.whole = _whole(options)
    if options.evidence:
        folder(options.evidence)
    alone = len(chosen) == 1
    parts = [_apart(name, models, options, output, alone) for name in chosen]
    result = parts[0]
    if not alone:
        if options.device == "gpu" and not options.framework:
            # Whichever sees no GPU has said so; asked for by name, it would have to.
            parts = [part for part in parts if part.frameworks] or parts
        ran_in = {name: about for part in parts for name, about in part.frameworks.items()}
        result = _result([row for part in parts for row in part.results], options, ran_in)
        count = len(ran_in)
        _last_line(f"{count} framework{'' if count == 1 else 's'}", result, output)
    left = (
        baseline.set_aside(row, known.get((row.framework, row.architecture)))
        for row in result.results
    )
    result = replace(result, results=tuple(left))
    output.result(written(result))
    if options.format == "markdown":
        output.document(render.check(result), options.format)
    return max(map(code, result.results), key=codes.SEVERITY.index)


def _executions(options: Namespace) -> list[Execution]:
    """The ways to execute a network besides the one that decides.  Raises :class:`Refused`."""
    usual = ON[options.device] if options.device == "gpu" else ()
    asked = list(dict.fromkeys(name.lower() for name in options.precision or usual))
    if unknown := [name for name in asked if name not in PRECISIONS]:
        raise Refused(f"no precision {unknown[0]!r}; known are {', '.join(PRECISIONS)}")
    if "tf32" in asked and options.device == "cpu":
        raise Refused("tf32 is a precision of GPUs: leave it out, or add --device gpu")
    found = [Execution(name, options.device) for name in asked if name != PLAIN.precision]
    if options.compiled:
        found.append(Execution(PLAIN.precision, options.device, compiled=True))
    return [] if options.no_numbers else found


def _whole(options: Namespace) -> list[Execution]:
    """The ways to execute a network on whole numbers: float32, and the precisions asked for."""
    names = dict.fromkeys(("float32", *(each.precision for each in options.executions)))
    found = [Execution(name, options.device) for name in names if name in EXACT]
    return found if options.exact else []


def _kept_rows(options: Namespace, models: list[Model]) -> None:
    """Whether the rows to be kept whole exist and have a place.  Raises :class:`Refused`."""
    if not options.arrays:
        return
    if not options.evidence or options.no_numbers:
        raise Refused("--arrays keeps results beside the evidence: add --evidence DIR, run numbers")
    rows = {row.name for model in models for row in model.rows} | {EVERY}
    if unknown := [name for name in options.arrays if name not in rows]:
        near = get_close_matches(unknown[0], rows, n=1)
        guess = f": did you mean {near[0]}?" if near else ""
        raise Refused(f"none of these networks has a row {unknown[0]!r}{guess}")


def _frameworks(asked: list[str]) -> list[str]:
    """The frameworks asked for, or all that are installed.  Raises :class:`Refused`."""
    try:
        chosen = list(dict.fromkeys(map(frameworks.find, asked)))
    except UnknownFramework as unknown:
        raise Refused(str(unknown)) from None
    for name in chosen:
        if reason := frameworks.missing(name):
            raise Refused(reason, codes.INCONCLUSIVE)
    installed = [name for name in frameworks.frameworks() if not frameworks.missing(name)]
    if not (chosen or installed):
        extras = " or ".join(f"'convnet-conformance[{name}]'" for name in frameworks.frameworks())
        raise Refused(f"no framework is installed: pip install {extras}", codes.INCONCLUSIVE)
    return chosen or installed


def _apart(
    name: str, models: list[Model], options: Namespace, output: Output, alone: bool = True
) -> Check:
    """Check in one framework, in a process of its own: none has to hold more than one of them."""
    rows: list[Network] = []
    about: Json = {}
    width = max(len(each.name) for each in models)

    def part(said: Json) -> None:
        if "row" in said:
            rows.append(read(said["row"], Network))
            progress.hide()
            if options.format == "text":
                _lines(rows[-1], said["summary"], width, output)
        else:
            about.update(said)

    def left(reason: str) -> None:
        rows.extend(not_run(name, each, reason).row() for each in models[len(rows) :])
        output.line(reason, style="yellow")

    job = _job(name, models, options)
    variables = NO_GPU if options.device == "cpu" else on_gpu()
    try:
        with output.progress() as progress:
            work(
                job, Limits(None), progress, part=part, variables=variables,
                who=f"the run of {name}",
            )  # fmt: skip
    except Ended as ended:
        if ended.exit is not None and ended.exit >= 0:
            raise Refused(str(ended), codes.FAULT) from None
        left(str(ended))
    except Refused as refused:
        if alone or refused.code != codes.INCONCLUSIVE:
            raise
        left(str(refused))
    except KeyboardInterrupt as stopped:
        if not (options.evidence and rows):
            raise
        how, code = str(stopped) or "interrupted", getattr(stopped, "code", codes.INTERRUPTED)
        kept = f"{len(rows)} of {len(models)} networks is in {options.evidence}"
        raise Refused(f"{how}; evidence of {kept}", code) from None
    ran = {name: read(about["framework"], Framework)} if about else {}
    result = _result(rows, options, ran)
    if about:
        using = f" with {about['backend']}" if about["backend"] else ""
        versions = about["framework"]["versions"].items()
        packages = ", ".join(f"{package} {version}" for package, version in versions)
        _last_line(f"{name}{using} on {options.device} ({packages})", result, output)
    return result


def _job(name: str, models: list[Model], options: Namespace) -> Json:
    """What the process has to know."""
    return {
        "task": "judge.checking",
        "framework": name,
        "architectures": [model.name for model in models],
        "device": options.device,
        "executions": [asdict(each) for each in options.executions],
        "whole": [asdict(each) for each in options.whole],
        "numbers": not options.no_numbers,
        "thorough": options.thorough,
        "seed": options.seed,
        "repeat": options.repeat,
        "arrays": options.arrays or [],
        "resume": options.resume,
        "evidence": str(options.evidence.resolve()) if options.evidence else None,
        "debug": options.debug,
        "patience": PATIENCE,
    }


def _result(rows: list[Network], options: Namespace, ran: dict[str, Framework]) -> Check:
    """The result; it deviates if any network does, and conforms only if all do."""
    return Check(
        schema=1,
        verdict=overall(row.verdict for row in rows),
        seed=options.seed,
        numbers=not options.no_numbers,
        checks=Checks(sum(row.checks.planned for row in rows), sum(row.checks.run for row in rows)),
        results=tuple(rows),
        frameworks=ran,
    )


def _lines(row: Network, summary: str, width: int, output: Output) -> None:
    """One line for a network, and one below it for each thing that is wrong or open."""
    from rich.text import Text

    verdict = row.verdict
    room = max(map(len, frameworks.frameworks()))
    said = f"{row.architecture:{width}}  {row.framework:{room}}  "
    line = Text.assemble(said, (f"{verdict:12}", COLOURS.get(verdict, "yellow")))
    output.console.print(line, Text(summary), soft_wrap=True)
    for sentence in sentences(row.repeat) if row.repeat else ():
        output.line(f"    {sentence}")
    reasons = render.sentences(row)
    for sentence in reasons[:SENTENCES]:
        output.line(f"    {sentence}")
    if (more := len(reasons) - SENTENCES) > 0:
        output.line(f"    and {more} more: --json FILE has them all")


def _last_line(who: str, result: Check, output: Output) -> None:
    counts = Counter(row.verdict for row in result.results)
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
    output.line(f"{who}: {verdicts}; {phrases.ran(result)}")
