"""The order in which a port's layers read what they store: a remark where it is unusual.

A kernel that is turned before it is used, and a map that is flattened in another order than the
framework's own, make no other network; a checkpoint from elsewhere does not fit them as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

import numpy as np

from conformance.graph.model import Graph, Node, Parameter
from conformance.judge.finding import Part, Remark
from conformance.judge.port.subject import Subject
from conformance.numbers.weights import stepped

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
    """How far apart in the stored array neighbours along the first axes of a slot are.

    None are where the slot is no view of what is stored.
    """
    steps = [*parameter.steps, ("reshape", slot)]
    # Of two reshapes in a row the last one is all that there is.
    read = [a for a, b in pairwise(steps) if (a[0], b[0]) != ("reshape", "reshape")] + steps[-1:]
    view = np.empty(parameter.shape, np.int8)  # nothing is ever written there
    try:
        for step, argument in read:
            view = stepped(view, step, argument)
    except ValueError:
        return {}
    sides = zip(axes.items(), view.strides, strict=False)
    return {letter: stride for (letter, size), stride in sides if size > 1}
