"""What a port starts from: its own initial values, judged slot by slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.graph.align import Finding
from conformance.graph.model import Graph
from conformance.graph.names import names
from conformance.judge.variants import Comparison, explain
from conformance.numbers.initial import ZERO_LAST, Initial
from conformance.numbers.stored import whole
from conformance.reference.variants import Profile

Json = dict[str, Any]
Own = Callable[[str], np.ndarray]

#: Slots of which there is something to say; a bias or a beta may start anywhere.
JUDGED = frozenset({"kernel", "gamma", "mean", "variance"})


def judged(graph: Graph) -> int:
    """How many slots of a graph are judged by their initial values."""
    return sum(slot in JUDGED for node in graph for slot in node.parameters)


def trained(graph: Graph, own: Own) -> bool:
    """Whether the values have been through training: its norms have seen batches."""
    norms = [node for node in graph if "mean" in node.parameters and "variance" in node.parameters]
    return bool(norms) and all(
        whole(node, "mean", own).any() and np.ptp(whole(node, "variance", own)) > 0
        for node in norms
    )


def findings(
    comparison: Comparison, values: Sequence[Initial], source: Callable[[str], str]
) -> list[Json]:
    """A finding for each slot that no usual scheme starts like."""
    labels = names(comparison.expected, [row.name for row in comparison.model.rows])
    return [_written(comparison, labels, each, source) for each in values if each.finding]


def variants(
    comparison: Comparison, values: Sequence[Initial], profiles: Sequence[Profile]
) -> list[Profile]:
    """The known variants that a port starts as: the last gamma of every residual branch at 0."""
    zero = [
        Finding("initial gamma", 1, 0, comparison.back[each.node], each.node)
        for each in values
        if each.scheme == ZERO_LAST and each.node in comparison.back
    ]
    return explain(replace(comparison, findings=zero), profiles).profiles


def _written(
    comparison: Comparison, labels: list[str], each: Initial, source: Callable[[str], str]
) -> Json:
    node = comparison.found.nodes[each.node]
    index = comparison.back.get(each.node)
    return {
        "check": "initialisation",
        "node": labels[index] if index is not None else "no node of the paper's",
        "port_node": str(node.where),
        "kind": node.kind,
        "attribute": each.slot,
        "expected": "a usual scheme",
        "found": each.finding,
        "hint": "values as the factory built them; for a port that loads a checkpoint, --trained",
        "source": source(comparison.rows[index]) if index is not None else "",
    }
