"""The smallest image on which a network is the same one: every attribute and every slot.

A network that is convolutional all the way to a mean of its last map has the same layers on any
image.  On a small one it computes the same things at fewer places, and its statistics of a batch
and its gradients are sums over less.
"""

from __future__ import annotations

from conformance.graph.model import Graph, Node

#: A map with fewer pixels a side has no corner, edge and inside that are different pixels.
LEAST = 3


def smallest(graph: Graph) -> tuple[int, int, int] | None:
    """The height, width and channels of the smallest image that changes nothing but sizes.

    Every stride leaves the remainder that it leaves now, and every window fits into its map where
    it does now.  None where no smaller image will do, as where a dense layer reads a whole map.
    """
    height, width, channels = graph.nodes[graph.inputs[0]].shape
    sides = [_smallest(graph, axis, side) for axis, side in enumerate((height, width))]
    return None if sides == [height, width] else (sides[0], sides[1], channels)


def _smallest(graph: Graph, axis: int, most: int) -> int:
    return next((side for side in range(LEAST, most) if sides(graph, axis, side)), most)


def sides(graph: Graph, axis: int, side: int) -> list[int]:
    """How long each node's result is where the image has another side; empty where a node would
    not be itself."""
    found: list[int] = []
    for node in graph:
        now = {found[i] for i in node.inputs} or {side}
        after = None if len(now) > 1 else _side(graph, node, axis, now.pop())
        if after is None or after < min(LEAST, _of(node, axis)):
            return []
        found.append(after)
    return found


def _side(graph: Graph, node: Node, axis: int, now: int) -> int | None:
    """How long a node's result is where its inputs are ``now``; None where it would be another."""
    if not node.inputs:
        return now
    was, of = _of(graph.nodes[node.inputs[0]], axis), node.attributes
    if was == now:
        return _of(node, axis)
    if node.kind == "global_avg_pool":
        return 1
    if "kernel" in of and "stride" in of:
        if now < min(was, node.reach(axis)) or (was - now) % of["stride"][axis]:
            return None
        return node.windows(axis, now)
    return now if _of(node, axis) == was and not node.has("whole") else None


def _of(node: Node, axis: int) -> int:
    """The side of a node's map; a vector is one pixel."""
    return node.shape[axis] if len(node.shape) == 3 else 1
