"""A port's stored arrays read as the slots of its graph, and slots written as stored arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from conformance.chunks import packed
from conformance.graph.model import Graph, Node, Parameter
from conformance.kinds.conv import connected


def read(array: np.ndarray, parameter: Parameter) -> np.ndarray:
    """Walk a parameter's layout steps: the part of a slot that a stored array holds."""
    return _walked(array, parameter.steps)


def _walked(array: np.ndarray, steps: Sequence[tuple[str, Any]]) -> np.ndarray:
    for step, argument in steps:
        if step == "transpose":
            array = array.transpose(argument)
        elif step == "reverse":
            array = np.flip(array, argument)
        else:
            array = _reshaped(array, argument)
    return array


def view(node: Node, slot: str, own: Callable[[str], np.ndarray]) -> np.ndarray:
    """The numbers of a slot in their neutral order, perhaps in other axes: where they lie, if one
    array holds them all."""
    pieces = node.parameters[slot]
    if len(pieces) > 1 or pieces[0].region is not None:
        return whole(node, slot, own)
    return in_place(own(pieces[0].handle), pieces[0])


def in_place(array: np.ndarray, parameter: Parameter) -> np.ndarray:
    """The numbers of :func:`read` in their order, where they lie, perhaps in other axes."""
    steps = [*parameter.steps]
    while steps and steps[-1][0] == "reshape":  # which leaves them in their order
        del steps[-1]
    return _walked(array, steps)


def _reshaped(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A view, or a copy made tile by tile where the numbers have to move."""
    try:
        return array.reshape(shape, copy=False)
    except ValueError:
        return packed(array).reshape(shape)


class Slots:
    """The slots of a graph in neutral layout, from the arrays that a port stores.

    What no piece of a slot covers, and what a connection table leaves out, is 0.
    """

    def __init__(self, graph: Graph, own: Callable[[str], np.ndarray]):
        self.graph, self.own = graph, own

    def __call__(self, index: int, slot: str) -> np.ndarray:
        """One slot, in float64."""
        node = self.graph.nodes[index]
        values = whole(node, slot, self.own)
        if slot == "kernel" and (table := node.attributes.get("table")):
            values = np.where(connected(values.shape, table), values, 0.0)
        return values


def whole(node: Node, slot: str, own: Callable[[str], np.ndarray]) -> np.ndarray:
    """One slot in neutral layout, with whatever stands where a connection table hides it."""
    shape, pieces = node.slots[slot], node.parameters[slot]
    if len(pieces) == 1 and pieces[0].region is None:
        return _reshaped(read(own(pieces[0].handle), pieces[0]), shape)
    values = np.zeros(shape)
    for piece in pieces:
        place: Any = ... if piece.region is None else np.ix_(*piece.region)
        part = values[place]
        values[place] = read(own(piece.handle), piece).reshape(part.shape)
    return values
