"""The network that a variant describes: the paper's, with what the accepted variants change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from conformance.graph.align import Finding as Difference
from conformance.graph.model import Graph, Node, Parameter
from conformance.graph.resize import CannotResize, resized
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.supposed import unread
from conformance.kinds import KINDS

#: What changes the size of a map.
SIZING = frozenset({"kernel", "stride", "padding", "dilation"})


def altered(comparison: Comparison, surplus: Iterable[Difference]) -> Graph | None:
    """The port's graph with every difference undone that no variant accepts, and with the paper's
    layers where operations without a word stand for them.

    None where one cannot be undone at its own node, as what of the paper's is missing there.
    """
    nodes: dict[int, Node] = dict(enumerate(comparison.found))
    anew, there = False, set[tuple[int | None, int | None]]()
    for a, b, chain in unread(comparison.expected, comparison.found, comparison.pairs):
        layer = comparison.expected.nodes[a]
        if all(i in comparison.pairs for i in layer.inputs):
            read = tuple(comparison.pairs[i] for i in layer.inputs)
            nodes[b] = replace(
                nodes[b], kind=layer.kind, attributes=layer.attributes, inputs=read,
                slots=layer.slots, parameters=layer.parameters,
            )  # fmt: skip
            there |= {(a, None), *((None, i) for i in chain)}
    for each in surplus:
        index = each.found_node
        if (each.expected_node, index) in there:
            continue
        if each.attribute == "missing" and each.expected_node is None:
            continue  # a layer that a variant would add: nothing of the paper's is missing
        if index is None or not _has(nodes[index], each.attribute):
            return None
        named = isinstance(each.expected, str) and each.attribute != "statistics"
        if named or each.attribute in ("width", "kind"):
            return None
        nodes[index] = _undone(nodes[index], each.attribute, each.expected)
        anew = anew or each.attribute in SIZING
    graph = Graph(list(nodes.values()), comparison.found.inputs, comparison.found.outputs)
    if not anew:
        return graph
    try:
        return resized(graph, graph.nodes[graph.inputs[0]].shape, exactly=True)
    except CannotResize:
        return None


def _undone(node: Node, attribute: str, value: Any) -> Node:
    attributes = dict(node.attributes)
    if attribute in attributes:
        attributes[attribute] = value
    slots, parameters = dict(node.slots), dict(node.parameters)
    if attribute == "kernel" and "kernel" in slots:  # and not the window of a pool
        slots["kernel"] = (*value, *slots["kernel"][2:])
        parameters |= _named("kernel", slots)
    elif attribute in _stored(node) and value:  # or not, as of a bias
        slots[attribute] = (node.shape[-1],)
        parameters |= _named(attribute, slots)
    elif attribute in _stored(node):
        slots.pop(attribute, None)
        parameters.pop(attribute, None)
    return replace(node, attributes=attributes, slots=slots, parameters=parameters)


def _has(node: Node, attribute: str) -> bool:
    return attribute in node.attributes or attribute in _stored(node)


def _stored(node: Node) -> list[str]:
    return KINDS[node.kind].slots.split() if node.known else []


def _named(slot: str, slots: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[Parameter, ...]]:
    return {slot: (Parameter(slot, slots[slot]),)}
