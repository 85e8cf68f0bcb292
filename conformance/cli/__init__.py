"""The command line: help that teaches, and exit codes.

A command is a module with ``HELP``, ``options(parser)`` and ``run(options)``, imported when chosen.
"""

from __future__ import annotations

import argparse
import resource
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from conformance.cli import streams
from conformance.errors import (
    FAULT,
    INCONCLUSIVE,
    INTERRUPTED,
    PIPE_CLOSED,
    USAGE,
    Refused,
    scarce,
)
from conformance.printable import line
from conformance.reference import DamagedReference
from conformance.signals import Stopped, stopping

CODES = """\
exit codes:
  0  conforms
  1  deviates: a number or a value does not match
  2  wrong usage: a wrong name or port, a file that cannot be read or written, a result that is lost
  3  inconclusive, or too little ran
  4  our own fault: run again with --debug, and report what you see
"""


#: Every command, and what it does in one line.
COMMANDS = {
    "list": "List the architectures of the reference and the frameworks found here.",
    "facts": "Show what the documents print about one architecture, beside what arithmetic gives.",
    "claims": "List the printed numbers, with what arithmetic says of each.",
    "check": "Check our implementations against the documents and, in float64, against an oracle.",
    "gate": "Judge somebody's port: is it the published network, a known variant, or where not?",
    "identify": "Which architecture, and which known variant of it, is a port closest to?",
    "report": "Turn the evidence of earlier checks, of any frameworks and machines, into a report.",
    "compare": "Compare two ports with their own weights: layer by layer, where do they differ?",
    "convert": "Write port A's values in port B's names, shapes and layouts (safetensors).",
}
#: The file of a command that is not called like it.
FILES = {"list": "listing"}


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


def parser(chosen: str = "") -> Parser:
    """The whole command line; with the options of the ``chosen`` command only, if there is one."""
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
    for name, said in COMMANDS.items():
        found = commands.add_parser(
            name,
            help=said,
            epilog=CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=debug)
        found.add_argument(
            "--json",
            metavar="FILE",
            help="write the result for programs as well; '-' for standard output, and then"
            " everything else goes to standard error",
        )
        if chosen in ("", name):
            module = import_module(f"{__name__}.{FILES.get(name, name)}")
            found.description = f"{said}\n\n{module.HELP}".rstrip()
            module.options(found)
            found.set_defaults(function=module.run)
    return top


def _chosen(arguments: Sequence[str]) -> str:
    """The command that is meant, so that no other is imported; help lists them all unread."""
    words = [word for word in arguments if not word.startswith("-")]
    return words[0] if words and words[0] in COMMANDS else "none"


#: Commands that compute nothing, and no command: their words are what was asked for.  With any
#: other they stand beside a verdict or a file.
WORDS = ("list", "facts", "claims", "none")
#: Bytes of addresses that a command needs beside NumPy.
MARGIN = 96 << 20

#: Options by which a command tells something about itself, and nothing else.
TELLING = {"-h", "--help", "--schema", "--version"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = out, err = streams.usable()
    given = list(sys.argv[1:] if arguments is None else arguments)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = words
    try:
        code = _run(given)
        out.flush()
        err.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    finally:
        sys.stdout, sys.stderr = before
    if err.lost:
        streams.give_up(2)
    if out.gone:  # the reader of our output has seen enough
        streams.give_up(1)
        return PIPE_CLOSED
    if out.lost:
        streams.give_up(1)
        _told(f"cannot write to standard output: {out.lost}", code)
        beside = _chosen(given) not in WORDS and not TELLING.intersection(given)
        return code if code or beside else USAGE
    return code


def _room_for_numpy() -> None:
    """Raises :class:`Refused` where a limit on addresses leaves too few for NumPy.

    Its OpenBLAS would end the process with 1, the code of a network that deviates.
    """
    import subprocess

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    trial = f"from resource import *; setrlimit(RLIMIT_AS, ({limit - MARGIN}, {limit}));"
    loads = subprocess.run(
        [sys.executable, "-P", "-c", f"{trial} import numpy, safetensors.numpy"],
        capture_output=True,
    )
    if loads.returncode:
        said = f"addresses are limited to {limit >> 20:,} MB, too few for NumPy: see ulimit -v"
        raise Refused(said, INCONCLUSIVE)


def _run(given: list[str]) -> int:
    options = argparse.Namespace(debug="--debug" in given)
    try:
        if _chosen(given) not in WORDS:
            _room_for_numpy()
        try:
            options = parser(_chosen(given)).parse_args(given)
        except SystemExit as done:
            return int(done.code or 0)
        with stopping():
            code: int = options.function(options)
        return code
    except Refused as refused:
        return _told(str(refused), refused.code)
    except Stopped as stopped:
        return _told(f"{stopped}; nothing is half-written", stopped.code)
    except KeyboardInterrupt:
        return _told("interrupted; nothing is half-written", INTERRUPTED)
    except SystemExit:  # of rich, where the reader of a page has seen enough
        return PIPE_CLOSED
    except BrokenPipeError:
        raise
    except DamagedReference as damaged:
        return _told(str(damaged), FAULT)
    except Exception as fault:
        if options.debug:
            traceback.print_exc()
        if gone := scarce(fault):
            return _told(gone, INCONCLUSIVE)
        said = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
        return _told(f"{' '.join(said.split())} (run again with --debug)", FAULT)


def _told(message: str, code: int) -> int:
    """Say a refusal in one line, if there is anybody to hear it; the code says it anyway."""
    if message:
        try:
            print(f"conformance: {line(message)}", file=sys.stderr, flush=True)
        except (OSError, ValueError):
            streams.give_up(2)
    return code
