"""Layers side by side in towers, as AlexNet is drawn, as the one layer that they are.

Two convolutions of one map whose results are concatenated are one convolution, and two that read
a tower each are one in two groups; what works on each channel by itself is one of all channels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.graph.model import Graph, Node, Parameter

#: What works on each channel by itself.
EACH = frozenset(
    "relu tanh sigmoid clip max_pool avg_pool global_avg_pool batch_norm dropout lrn".split()
)


#: Each floor's layers, from the ground up; whether those of the ground share out the channels that
#: they read among them, in turn, and do not each read all.
Towers = tuple[list[tuple[int, ...]], bool]


def joined(graph: Graph) -> Graph:
    """The graph with one layer in place of several alike, where all that comes of them is put side
    by side."""
    readers = graph.consumers()
    towers = {
        index: found
        for index, node in enumerate(graph)
        if node.kind == "concat" and not node.attributes
        if (found := _towers(graph, readers, node.inputs)) is not None
    }
    if not towers:
        return graph
    gone = {i for floors, _ in towers.values() for floor in floors for i in floor}
    taken = {i for j in gone for i in graph.nodes[j].inputs if _takes(graph.nodes[i])}
    left = {i for i in taken if not gone.issuperset(readers[i]) or i in graph.outputs}
    read: dict[int, int] = {}

    def made(index: int, node: Node, nodes: list[Node]) -> Node | int:
        if index in gone or index in taken:
            (before,) = graph.nodes[index].inputs
            read[index] = read[before] if before in gone | taken else node.inputs[0]
            return node if index in left else -1
        if index not in towers:
            return node
        floors, in_turn = towers[index]
        for number, floor in enumerate(floors):
            one = _one([graph.nodes[i] for i in floor], in_turn or number > 0)
            source = len(nodes) - 1 if number else read[floor[0]]
            nodes.append(replace(one, inputs=(source,)))
        return replace(nodes.pop(), value=node.value, axes=node.axes)

    return graph.rebuilt(made)


def _towers(graph: Graph, readers: list[list[int]], tops: tuple[int, ...]) -> Towers | None:
    """The towers that end in some nodes; None where these are no towers of one build."""
    floors, floor = list[tuple[int, ...]](), tops
    while len({*floor}) == len(floor) > 1:
        nodes = [graph.nodes[i] for i in floor]
        alone = all(len(readers[i]) == 1 and i not in graph.outputs for i in floor)
        if not alone or not _alike(nodes):
            return None
        floors.insert(0, floor)
        below = tuple(node.inputs[0] for node in nodes)
        if len({*below}) == 1 and nodes[0].has("weighted"):
            whole = not any("table" in node.attributes for node in nodes)
            read = graph.nodes[below[0]].shape[-1]
            return (floors, not whole) if whole or in_turn(nodes, read) else None
        if nodes[0].kind == "dense" or "table" in nodes[0].attributes:
            return None  # each of a vector, or of a map, of its own
        taken = [graph.nodes[i] for i in below]
        if all(_takes(node) for node in taken) and len({node.inputs for node in taken}) == 1:
            channels = [c for node in taken for c in node.attributes["channels"]]
            every = [*range(graph.nodes[taken[0].inputs[0]].shape[-1])]
            return (floors, True) if channels == every else None
        floor = below
    return None


def _takes(node: Node) -> bool:
    return node.kind == "unknown:take"


def _alike(nodes: list[Node]) -> bool:
    """Whether layers are of one build, each of one map; which channels of it, if some, aside."""
    first = nodes[0]
    builds = [
        ({**n.attributes, "table": None}, n.kind, n.shape, n.slots, len(n.inputs)) for n in nodes
    ]
    weighted = first.kind in ("conv", "dense") and first.attributes.get("groups", 1) == 1
    usual = not first.attributes.keys() & {"axis", "weights"} and len(first.inputs) == 1
    return usual and (weighted or first.kind in EACH) and all(b == builds[0] for b in builds)


def in_turn(nodes: list[Node], channels: int) -> bool:
    """Whether convolutions share out the channels that they read among them, in order."""
    tables = [node.attributes.get("table", ()) for node in nodes]
    if any(len({*table}) != 1 for table in tables):
        return False
    evenly = len({len(table[0]) for table in tables}) == 1
    return evenly and sum((table[0] for table in tables), ()) == tuple(range(channels))


def _one(nodes: list[Node], in_groups: bool) -> Node:
    """One node for all of a floor; a convolution is in as many groups unless all read one map."""
    first, count = nodes[0], len(nodes)
    attributes: dict[str, Any] = dict(first.attributes)
    table = attributes.pop("table", None)
    if first.kind == "lrn" or (first.kind == "conv" and in_groups):
        attributes["groups"] = count * attributes.get("groups", 1)
    slots, parameters = dict(first.slots), dict[str, tuple[Parameter, ...]]()
    for slot, shape in first.slots.items():
        if table and slot == "kernel":
            shape = (*shape[:2], len(table[0]), shape[3])
        slots[slot] = (*shape[:-1], count * shape[-1])
        every = tuple(tuple(range(n)) for n in shape[:-1])
        parameters[slot] = tuple(
            replace(piece, region=(*every, tuple(range(i * shape[-1], (i + 1) * shape[-1]))))
            for i, node in enumerate(nodes)
            for piece in node.parameters[slot]
        )
    said = ("towers", f"{count} towers", "one layer")
    return replace(
        first, attributes=attributes, shape=(*first.shape[:-1], count * first.shape[-1]),
        slots=slots, parameters=parameters, value=-1,
        spelling=(*first.spelling, said) if slots else first.spelling,
    )  # fmt: skip
