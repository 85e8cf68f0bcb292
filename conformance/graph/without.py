"""A graph without some of its layers: what reads them reads what they read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from conformance.graph.model import Graph, Node


def without(graph: Graph, left_out: Collection[int]) -> Graph:
    """The same network less some nodes.  Raises :class:`ValueError` at one that joins others."""
    nodes: list[Node] = []
    at: list[int] = []  # the new number of each node
    for index, node in enumerate(graph):
        inputs = tuple(at[i] for i in node.inputs)
        if index in left_out:
            (source,) = inputs
            at.append(source)
            continue
        at.append(len(nodes))
        nodes.append(replace(node, inputs=inputs))
    inputs, outputs = (tuple(at[i] for i in ends) for ends in (graph.inputs, graph.outputs))
    return Graph(nodes, inputs, outputs)
