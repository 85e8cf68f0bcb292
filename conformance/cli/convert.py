"""``conformance convert``: one port's values in another's names and layouts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.cli import arguments
from conformance.cli.output import Output
from conformance.cli.pair import apart, sides
from conformance.errors import CONFORMS, DEVIATES, Refused
from conformance.files import refuse_early
from conformance.judge.convert import CannotConvert, convert, differences, write

#: How many sentences of warning are shown.
SENTENCES = 5

Json = dict[str, Any]


HELP = """\
Layers are matched by structure, never by name.  Nothing is written when the two structures
do not correspond, or when B stores an array that nothing in A fills.

example:
  conformance convert theirs.py:pretrained mine.py:model --arch resnet50 --out mine.safetensors
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    arguments.ports(command)
    command.add_argument("--out", metavar="FILE", type=Path, required=True, help="to be written")


def run(options: Namespace) -> int:
    """Write the file, or say why not."""
    output = Output(options.json)
    refuse_early(options.out)
    # By its full name: another process writes it, which has another standard output, and a port
    # may work in another folder.
    target = options.out.resolve()
    if options.out.exists() and not target.exists():
        raise Refused(f"cannot write {options.out}: it is a pipe without a name")
    found = apart("cli.convert", options, output, out=str(target), patience=10)
    found["out"] = str(options.out)
    numbers, warnings = found.pop("numbers"), found["differences"]
    count = len(found["arrays"])
    output.line(f"written to {options.out}: {count} arrays, {numbers:,} numbers, B's names")
    for warning in warnings[:SENTENCES]:
        output.line(f"note that B does otherwise: {warning}")
    if (more := len(warnings) - SENTENCES) > 0:
        output.line(f"and {more} more: conformance compare has them all")
    output.result(found)
    return CONFORMS


def work(job: Json, say: Callable[..., None]) -> Json:
    """The job of the process that holds the two: the file, and what is in it."""
    a, b = sides(job, say)
    say("converting")
    try:
        arrays = convert(a, b)
    except CannotConvert as refused:
        raise Refused(f"cannot convert: {refused}", DEVIATES) from None
    warnings = differences(a, b)
    write(arrays, Path(job["out"]))
    return {
        "schema": 1,
        "a": a.name,
        "b": b.name,
        "out": job["out"],
        "arrays": {handle: list(values.shape) for handle, values in arrays.items()},
        "numbers": sum(values.size for values in arrays.values()),
        "differences": warnings,
    }
