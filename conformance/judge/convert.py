"""One port's values written in another's names, shapes and layouts, by the alignment alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from conformance.files import put
from conformance.graph.align import Alignment, align, findings
from conformance.graph.alike import alike
from conformance.graph.model import Graph
from conformance.numbers.own_weights import Side, address
from conformance.numbers.stored import whole
from conformance.numbers.weights import stored
from conformance.values import text

#: What decides where a kernel's values belong, beside its shape.
PLACING = ("table", "groups")


class CannotConvert(Exception):
    """The two do not hold the same things; the message is one line that names the layers."""


def convert(a: Side, b: Side) -> dict[str, np.ndarray]:
    """A's values as B would store them, by B's handles, in float32 where that loses nothing.

    Heads that only training sees are carried as well.  An entry that no layer reads, such as
    what a connection table hides, is written as 0.  Raises :class:`CannotConvert`.
    """
    arrays = _carried(a, a.graph, b, b.graph)
    unfilled = sorted(b.own.arrays.keys() - arrays.keys())
    if unfilled:
        arrays = _carried(a, a.training, b, b.training) | arrays
        unfilled = sorted(b.own.arrays.keys() - arrays.keys())
    if unfilled:
        raise CannotConvert(f"nothing in A fills B's {_listed(unfilled)}")
    return {handle: _shortest(values) for handle, values in sorted(arrays.items())}


def _carried(a: Side, one: Graph, b: Side, other: Graph) -> dict[str, np.ndarray]:
    """The arrays that B's graph reads, from the slots of A's."""
    one, other = alike(one, other)
    alignment = align(one, other)
    _refuse(a, one, b, other, alignment)
    arrays: dict[str, np.ndarray] = {}
    for i, j in alignment.pairs.items():
        for slot, pieces in other.nodes[j].parameters.items():
            values = whole(one.nodes[i], slot, a.own)
            for piece in pieces:
                part = values if piece.region is None else values[np.ix_(*piece.region)]
                array = np.array(stored(part, piece), order="C")
                before = arrays.setdefault(piece.handle, array)
                if not np.array_equal(before, array, equal_nan=True):
                    raise CannotConvert(
                        f"B stores {piece.handle} once for several layers, and A has other values"
                        f" at {address(one.nodes[i])}"
                    )
    return arrays


def _refuse(a: Side, one: Graph, b: Side, other: Graph, alignment: Alignment) -> None:
    """Every node has its counterpart, with the same slots of the same shapes."""
    for side, graph, free in (("B", one, alignment.missing), ("A", other, alignment.extra)):
        if free:
            nodes = [f"{graph.nodes[i].kind} {address(graph.nodes[i])}" for i in free]
            raise CannotConvert(f"{side} has no counterpart of {_listed(nodes)}")
    for i, j in alignment.pairs.items():
        left, right = one.nodes[i], other.nodes[j]
        here, there = address(left), address(right)
        for slot in sorted(left.parameters.keys() | right.parameters.keys()):
            shapes = [n.slots[slot] if slot in n.parameters else None for n in (left, right)]
            if shapes[0] != shapes[1]:
                sizes = [text(shape) or "absent" for shape in shapes]
                raise CannotConvert(
                    f"{slot} of {here} is {sizes[0]} in A and {sizes[1]} in B ({there})"
                )
        for word in PLACING:
            if left.attributes.get(word) != right.attributes.get(word):
                raise CannotConvert(f"{here} and B's {there} differ in their {word}")


def differences(a: Side, b: Side) -> list[str]:
    """What B does otherwise with the same values, a sentence a finding."""
    one, other = alike(a.graph, b.graph)
    found = findings(one, other, align(one, other))
    return [
        f"{a.at(f.expected_node)}: {f.attribute} is {f.expected} in A and {f.found} in B"
        for f in found
    ]


def write(arrays: dict[str, np.ndarray], target: Path) -> None:
    """Write a safetensors file, in one move.  Raises :class:`~conformance.errors.Refused`."""
    from safetensors.numpy import save

    put(save(arrays), target)


def _shortest(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return single if np.array_equal(single, values, equal_nan=True) else values


def _listed(names: list[str]) -> str:
    """The first few, and how many more."""
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
