"""A graph for images of another size, with other channels or without some of its layers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import prod

from conformance.graph.model import Graph, Node, Parameter

Shape = tuple[int, ...]


class CannotResize(Exception):
    """A layer has no meaning on what reaches it; the message names the layer's row and why."""


def resized(graph: Graph, size: Shape, exactly: bool = False, kept: Collection[int] = ()) -> Graph:
    """The same layers on an image of ``size``.  Raises :class:`CannotResize`.

    ``exactly`` with the padding that they have; else a window that is padded more on one side is
    one that covers the whole map, and is padded to.  Nodes that are ``kept`` stay as they are where
    they have no meaning.
    """

    def made(index: int, node: Node, nodes: list[Node]) -> Node | int:
        before = [nodes[i].shape for i in node.inputs]
        if node.kind == "flatten" and len(before[0]) == 3 and before[0][:2] == (1, 1):
            return node.inputs[0]  # nothing is flattened in a map of one pixel
        try:
            sized = replace(node, shape=size) if index in graph.inputs else _sized(node, before)
        except CannotResize:
            if index not in kept:
                raise
            sized = node
        if exactly and "padding" in sized.attributes and "kernel" in sized.attributes:
            return _exact(sized, node, before[0])
        return _shortest(sized, before[0]) if sized.kind in ("max_pool", "avg_pool") else sized

    return graph.rebuilt(made)


def without(graph: Graph, left_out: Collection[int]) -> Graph:
    """The same network less some nodes.  Raises :class:`ValueError` at one that joins others."""

    def made(index: int, node: Node, nodes: list[Node]) -> Node | int:
        if index not in left_out:
            return node
        (source,) = node.inputs
        return source

    return graph.rebuilt(made)


def _exact(anew: Node, node: Node, before: Shape) -> Node:
    """A window with its own padding."""
    sides = (node.windows(axis, before[axis]) for axis in (0, 1))
    return replace(anew, shape=(*sides, anew.shape[-1]), attributes=node.attributes)


def _shortest(pool: Node, before: Shape) -> Node:
    """A pool by its shortest name, as traces have it: with one window, no stride is seen."""
    kernel, padding = pool.attributes["kernel"], pool.attributes["padding"]
    if kernel != before[:2] or padding != ((0, 0), (0, 0)):
        return pool
    if pool.kind == "avg_pool":
        return replace(pool, kind="global_avg_pool", attributes={})
    return replace(pool, attributes=pool.attributes | {"stride": kernel})


def _sized(node: Node, before: Sequence[Shape]) -> Node:
    """A node that reads results of other shapes."""
    first = before[0]
    match node.kind:
        case "conv":
            return _window(_fed(node, first[-1], "kernel"), first, node.shape[-1])
        case "max_pool" | "avg_pool" | "subsample":
            return _window(_fed(node, first[-1]), first, first[-1])
        case "global_avg_pool":
            return replace(node, shape=(1, 1, first[-1])[-len(node.shape) :])
        case "flatten":
            return replace(node, shape=(prod(first),))
        case "dense":  # its kernel follows the map that is flattened in front of it
            return _slots(node, node.slots | {"kernel": (first[-1], node.slots["kernel"][1])})
        case "rbf":
            fed = node.slots["centres"][-1]
            if first[-1] != fed:
                raise CannotResize(f"{node.where} reads {fed:,} numbers, here are {first[-1]:,}")
            return node
        case "concat" | "add":
            sides = {shape[:-1] if node.kind == "concat" else shape for shape in before}
            if len(sides) > 1:
                raise CannotResize(f"the branches of {node.where} have different sizes")
            maps = sum(shape[-1] for shape in before) if node.kind == "concat" else first[-1]
            return replace(node, shape=(*first[:-1], maps))
        case "adaptive_avg_pool":
            return replace(node, shape=(*node.attributes["size"], first[-1]))
        case "upsample":
            height, width = node.attributes["factor"]
            return replace(node, shape=(first[0] * height, first[1] * width, first[2]))
        case "pad":
            borders = (*node.attributes["padding"], node.attributes["channels"])
            shape = (side + sum(border) for side, border in zip(first, borders, strict=True))
            return replace(node, shape=tuple(shape))
    return _fed(replace(node, shape=first), first[-1])


def _fed(node: Node, channels: int, kernel: str = "") -> Node:
    """A node whose slots fit so many channels; only a first layer can meet others."""
    if kernel and node.attributes.get("groups", 1) == 1 and not node.attributes.get("table"):
        height, width, _, out = node.slots[kernel]
        return _slots(node, node.slots | {kernel: (height, width, channels, out)})
    fed = node.slots[kernel][2] * node.attributes.get("groups", 1) if kernel else node.shape[-1]
    if node.slots and fed != channels:
        raise CannotResize(f"{node.where} reads {fed:,} channels, here are {channels:,}")
    return node


def _slots(node: Node, slots: dict[str, Shape]) -> Node:
    parameters = {
        slot: tuple(Parameter(piece.handle, slots[slot]) for piece in pieces)
        for slot, pieces in node.parameters.items()
    }
    return replace(node, slots=slots, parameters=parameters)


def _window(node: Node, before: Shape, channels: int) -> Node:
    """A window moved over a map.  One that is padded more on one side covers the whole of it."""
    sides, padding = [], []
    for axis in (0, 1):
        side, border = _side(node, axis, before[axis])
        if side < 1:
            raise CannotResize(f"the window of {node.where} is larger than its map")
        sides.append(side)
        padding.append(border)
    attributes = node.attributes | {"padding": tuple(padding)}
    return replace(node, shape=(*sides, channels), attributes=attributes)


def _side(node: Node, axis: int, before: int) -> tuple[int, tuple[int, int]]:
    """How many windows there are, and how far they stand over the two edges."""
    kernel, stride = node.reach(axis), node.attributes["stride"][axis]
    low, high = node.attributes["padding"][axis]
    if low == high:
        return node.windows(axis, before), (low, high)
    if node.kind == "conv":  # as TensorFlow's SAME: as many as strides fit, less above than below
        side = -(-before // stride)
        over = max((side - 1) * stride + kernel - before, 0)
        return side, (over // 2, over - over // 2)
    side = -(-(before + low - kernel) // stride) + 1  # as Caffe's pools: rounded up
    return side, (low, max((side - 1) * stride + kernel - before - low, 0))
