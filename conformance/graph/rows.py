"""Rows of a paper's table: which node of a graph belongs to which."""

from __future__ import annotations

from conformance.graph.model import Graph


def layers(graph: Graph, rows: list[str]) -> dict[str, list[int]]:
    """The nodes of each row of a paper's table, found by the names in the nodes' paths.

    A node whose path holds a row's name belongs to that row; any other belongs to the row of
    the nearest named node downstream, or, after the last one, upstream.
    """
    owner: list[str | None] = [None] * len(graph)
    for index, node in enumerate(graph):
        parts = node.where.path.replace("/", ".").split(".")
        owner[index] = next((part for part in parts if part in rows), None)
    readers = graph.consumers()
    for index in range(len(graph) - 1, -1, -1):
        if owner[index] is None and not graph.nodes[index].has("end"):
            named = [name for i in readers[index] if (name := owner[i])]
            owner[index] = min(named, key=rows.index) if named else None
    for index, node in enumerate(graph):
        if owner[index] is None and node.inputs:
            owner[index] = owner[node.inputs[0]]
    found: dict[str, list[int]] = {row: [] for row in rows}
    for index, name in enumerate(owner):
        if name is not None and not graph.nodes[index].has("end"):
            found[name].append(index)
    return found


def row_of(graph: Graph, rows: list[str]) -> list[str]:
    """For each node the row it belongs to, or ''."""
    result = [""] * len(graph)
    for row, indices in layers(graph, rows).items():
        for index in indices:
            result[index] = row
    return result
