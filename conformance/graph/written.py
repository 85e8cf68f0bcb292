"""Layers as the reference writes them, and which of them follows which."""

from __future__ import annotations

from conformance.graph.model import Graph, Node
from conformance.kinds import KINDS, counted_as

#: The kinds that the reference writes; others stand in no table.
WRITTEN = frozenset(name for name, row in KINDS.items() if row.written)


def layer(node: Node) -> str:
    """A layer as the reference writes it, or '' where no table has its kind."""
    return node.row.written(node) if node.row and node.row.written else ""


def written(nodes: list[Node], kinds: frozenset[str]) -> tuple[str, ...]:
    """Layers of some kinds as the reference writes them, ``3x3/2 64`` or ``fc 4096``; sorted."""
    return tuple(sorted(layer(node) for node in nodes if node.kind in kinds))


def successions(graph: Graph) -> set[tuple[str, str]]:
    """Which convolution or dense layer directly follows which; the first ones follow ``""``."""
    found: set[tuple[str, str]] = set()
    weighted = counted_as("weight layers")
    left: list[frozenset[str]] = []
    for node in graph:
        before = frozenset[str]().union(*(left[i] for i in node.inputs)) or frozenset([""])
        if node.kind in weighted:
            text = layer(node)
            found.update((each, text) for each in before)
            before = frozenset([text])
        left.append(before)
    return found
