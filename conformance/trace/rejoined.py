"""Layers that the walk has taken apart: what lies between two nodes, recognised as a whole.

Channels and pixels that are taken one by one are nodes of their own, such as in a response
normalisation written as a loop or a pool of four slices.  When all of the network is known, they
are algebra of the one node that they are taken from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.graph.model import Node
from conformance.graph.reach import reached
from conformance.trace.meanings import Algebra, Plain
from conformance.trace.rules.algebra import STEPS, recognised
from conformance.trace.walk import Walk

#: What may be a part of such a layer beside what is taken and what has no word.
BETWEEN = frozenset({"scale", "add", "concat"})


def rejoin(walk: Walk, outputs: Iterable[int]) -> None:
    """Let one node stand where several are a layer of another's result."""
    readers: list[set[int]] = [set() for _ in walk.nodes]
    for index in outputs:
        readers[index].add(-1)
    for index in reversed(range(len(walk.nodes))):
        for i in walk.nodes[index].inputs if readers[index] else ():
            readers[i].add(index)
    for group in _groups(walk, readers):
        sources = {i for n in group for i in walk.nodes[n].inputs} - group
        ends = [n for n in group if readers[n] - group]
        if len(sources) == len(ends) == 1:
            _whole(walk, *sources, *ends)


def _taken(node: Node) -> bool:
    """Whether a node is pixels of another that do not begin with its first."""
    a = node.attributes
    cut = node.kind == "max_pool" and a["kernel"] == (1, 1)
    return cut and min(cells for side in a["padding"] for cells in side) < 0


def _groups(walk: Walk, readers: list[set[int]]) -> Iterator[set[int]]:
    """Nodes that hang together and of which some are taken from others, or have no word."""
    nodes = walk.nodes
    some = {
        i
        for i, node in enumerate(nodes)
        if readers[i] and not node.parameters
        if not node.known or node.kind in BETWEEN or node.attributes.get("kernel") == (1, 1)
    }
    near: dict[int, set[int]] = {i: some & {*nodes[i].inputs, *readers[i]} for i in some}
    while some:
        group = reached([min(some)], near.__getitem__)
        some -= group
        if any(not nodes[i].known or _taken(nodes[i]) for i in group):
            yield group


def _whole(walk: Walk, start: int, end: int) -> None:
    before, node = walk.nodes[start], walk.nodes[end]
    if before.value < 0 or node.value < 0:
        return
    inside = reached([node.value], lambda i: walk.tape[i].inputs, {before.value})
    ops = [walk.tape[i] for i in inside]
    if any(op.inputs and (op.name not in STEPS or op.attributes.get("unknown")) for op in ops):
        return
    named, count = walk.named.pop(node.value, None), len(walk.nodes)
    made = recognised(walk, Algebra(Plain(start, before.axes, before.value), node.value))
    if made is not None and made.node == count == len(walk.nodes) - 1:  # and not several nodes
        walk.nodes[end] = walk.nodes.pop()
    elif named is not None:
        walk.named[node.value] = named
