"""Every node of a graph is of a kind and has exactly what its row says."""

from __future__ import annotations

from conformance.graph.model import Graph


class InvalidGraph(Exception):
    """A graph holds a node that no row of a kind describes: a slip in whatever made it."""


def verify(graph: Graph) -> Graph:
    """The graph itself.  Raises :class:`InvalidGraph` and names the nodes that are not as their
    row says.

    A primitive that is of no kind, ``unknown:<primitive>``, may be anything.
    """
    wrong = [
        f"node {index}, {node.kind}, {node.where}: {each}"
        for index, node in enumerate(graph)
        if not node.kind.startswith("unknown:")
        for each in (node.row.departures(node) if node.row else ["is of no kind"])
    ]
    if wrong:
        raise InvalidGraph("; ".join(wrong))
    return graph
