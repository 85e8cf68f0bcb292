"""Which layer follows which in a live model, to be set beside the order that a paper writes."""

from __future__ import annotations

from conformance.graph.model import Graph
from conformance.graph.written import layer
from conformance.kinds import counted_as


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
