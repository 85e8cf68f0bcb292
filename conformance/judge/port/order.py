"""The order in which a port's layers read what they store: a remark where it is unusual.

A kernel that is turned before it is used, and a map that is flattened in another order than the
framework's own, make no other network; a checkpoint from elsewhere does not fit them as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from conformance.graph.model import Graph, Node, Parameter
from conformance.judge.finding import Part, Remark
from conformance.judge.port.subject import Subject

NAMES = {"H": "height", "W": "width", "C": "channels"}
FITS = "the network is the same, a checkpoint in the usual order does not fit as it is"


def check(subject: Subject) -> Part:
    """A remark for each layer that reads its kernel in an unusual order."""
    side = subject.side()
    usual = [letter for letter in subject.tape[0].attributes["axes"] if letter in NAMES]
    remarks: list[Remark] = []
    for expected, found in sorted(side.pairs.items()):
        node = side.found.nodes[found]
        for want, have in unusual(side.found, node, usual):
            name, where = side.names[expected], str(node.where)
            said = f"its kernel is read {have}, usually {want}: {FITS}"
            remarks.append(Remark(name, "order", want, have, where, said))
    return Part(remarks=remarks)


def unusual(graph: Graph, node: Node, usual: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is usual and what is found, of a kernel that is stored as one array.

    ``usual`` are the axes of a flattened map, the slowest first, as letters: ``CHW`` in PyTorch.
    """
    pieces = node.parameters.get("kernel", ())
    if len(pieces) != 1 or pieces[0].region is not None:
        return
    if node.kind == "conv":
        shape = dict(zip("HW", node.slots["kernel"], strict=False))
        yield from _compared(_steps(pieces[0], node.slots["kernel"], shape), "HW")
    before = graph.nodes[node.inputs[0]]
    if node.kind == "dense" and before.kind == "flatten":
        shape = dict(zip("HWC", graph.nodes[before.inputs[0]].shape, strict=False))
        if prod(shape.values()) == node.slots["kernel"][0]:
            slot = (*shape.values(), node.slots["kernel"][1])
            yield from _compared(_steps(pieces[0], slot, shape), usual)


def _compared(steps: dict[str, int], usual: Sequence[str]) -> Iterator[tuple[str, str]]:
    turned = [NAMES[letter] for letter, step in steps.items() if step < 0]
    if turned:
        yield "from the start", f"{' and '.join(turned)} from the end"
    found = sorted(steps, key=lambda letter: -abs(steps[letter]))
    expected = [letter for letter in usual if letter in steps]
    if found != expected:
        yield _in_words(expected), _in_words(found)


def _in_words(letters: list[str]) -> str:
    return " before ".join(NAMES[letter] for letter in letters)


def _steps(parameter: Parameter, slot: tuple[int, ...], axes: dict[str, int]) -> dict[str, int]:
    """How far apart in the stored array neighbours along the first axes of a slot are."""
    origin = _stored_at(parameter, 0)
    return {
        letter: _stored_at(parameter, prod(slot[number + 1 :])) - origin
        for number, (letter, size) in enumerate(axes.items())
        if size > 1
    }


def _stored_at(parameter: Parameter, flat: int) -> int:
    """Where in the stored array an entry of the slot is: its layout steps, walked back."""
    shapes = [parameter.shape]
    for step, argument in parameter.steps:
        last = shapes[-1]
        moved = tuple(last[i] for i in argument) if step == "transpose" else last
        shapes.append(argument if step == "reshape" else moved)
    for (step, argument), shape, after in zip(
        reversed(parameter.steps), shapes[-2::-1], shapes[:0:-1], strict=True
    ):
        place = [int(i) for i in np.unravel_index(flat, after)]
        if step == "transpose":
            back = dict(zip(argument, place, strict=True))
            place = [back[i] for i in range(len(shape))]
        elif step == "reverse":
            turned = zip(place, shape, strict=True)
            place = [n - 1 - i if a in argument else i for a, (i, n) in enumerate(turned)]
        else:
            continue  # a reshape keeps the order
        flat = int(np.ravel_multi_index(place, shape))
    return flat
