"""``conformance convert``: one port's values in another's names and layouts."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from conformance.cli import arguments
from conformance.cli.output import Output
from conformance.cli.pair import pair
from conformance.errors import CONFORMS, DEVIATES, Refused
from conformance.judge.convert import CannotConvert, convert, differences, write

#: How many sentences of warning are shown.
SENTENCES = 5


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
    target = options.out.resolve()
    if target.is_dir() or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise Refused(f"cannot write {options.out}: it has to be a file in a folder of yours")
    with pair(options) as (a, b, _):
        try:
            arrays = convert(a, b)
        except CannotConvert as refused:
            raise Refused(f"cannot convert: {refused}", DEVIATES) from None
        warnings = differences(a, b)
    try:
        write(arrays, target)
    except OSError as error:
        raise Refused(f"cannot write {options.out}: {error.strerror}") from None
    numbers = sum(values.size for values in arrays.values())
    output.line(f"written to {options.out}: {len(arrays)} arrays, {numbers:,} numbers, B's names")
    for warning in warnings[:SENTENCES]:
        output.line(f"note that B does otherwise: {warning}")
    if (more := len(warnings) - SENTENCES) > 0:
        output.line(f"and {more} more: conformance compare has them all")
    output.result(
        {
            "schema": 1,
            "a": a.name,
            "b": b.name,
            "out": str(options.out),
            "arrays": {handle: list(values.shape) for handle, values in arrays.items()},
            "differences": warnings,
        }
    )
    return CONFORMS
