"""Rows of a paper's table: which node of a graph belongs to which."""

from __future__ import annotations

from conformance.graph.model import Graph


def layers(graph: Graph, rows: list[str]) -> dict[str, list[int]]:
    """The nodes of each row of a paper's table."""
    found: dict[str, list[int]] = {row: [] for row in rows}
    for index, row in enumerate(row_of(graph, rows)):
        if row:
            found[row].append(index)
    return found


def row_of(graph: Graph, rows: list[str]) -> list[str]:
    """For each node the row it belongs to, or '', found by the names in the nodes' paths.

    A node whose path holds a row's name belongs to that row; any other belongs to the row of
    the nearest named node downstream, or, after the last one, upstream.
    """
    owner: list[str] = []
    for node in graph:
        parts = node.where.path.replace("/", ".").split(".")
        owner.append(next((part for part in parts if part in rows), ""))
    readers = graph.consumers()
    for index in range(len(graph) - 1, -1, -1):
        if not owner[index] and not graph.nodes[index].has("end"):
            named = [owner[i] for i in readers[index] if owner[i]]
            owner[index] = min(named, key=rows.index, default="")
    for index, node in enumerate(graph):
        if not owner[index] and node.inputs:
            owner[index] = owner[node.inputs[0]]
    return ["" if node.has("end") else row for node, row in zip(graph, owner, strict=True)]
