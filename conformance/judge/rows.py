"""Findings as rows of the result: in the paper's names and the port's own, with hint and source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from conformance import reference
from conformance.graph.names import names
from conformance.judge.hints import hint
from conformance.judge.variants import Comparison, text
from conformance.reference import Model

Json = dict[str, Any]


def own_causes(comparison: Comparison, indices: list[int]) -> list[int]:
    """Without what only follows: a norm that keeps no statistics has no momentum either."""
    of = comparison.findings
    idle = {of[i].found_node for i in indices if of[i].attribute == "statistics"}
    follows = ("momentum", "unbiased")
    return [i for i in indices if of[i].attribute not in follows or of[i].found_node not in idle]


def key(finding: Json) -> tuple[Any, ...]:
    """What makes two findings, of inference and of training, one."""
    return tuple(str(finding[name]) for name in ("node", "attribute", "expected", "found"))


def written(comparison: Comparison, indices: Iterable[int], check: str, model: Model) -> list[Json]:
    """Findings of a comparison, by their numbers, as rows of the result."""
    rows = [row.name for row in model.rows]
    expected_names = names(comparison.expected, rows)
    result = []
    for index in indices:
        finding = comparison.findings[index]
        anchor = comparison.anchor(finding)
        node = comparison.node(finding)
        there = finding.found_node
        if there is None:  # what is missing would stand behind this
            there = comparison.pairs.get(anchor, _nearest(comparison, anchor))
        want, have = finding.expected, finding.found
        if finding.attribute == "inputs":
            want, have = (tuple(expected_names[i] for i in side) for side in (want, have))
        where = comparison.found.nodes[there].where if there is not None else ""
        result.append(
            {
                "check": check,
                "node": f"after {expected_names[anchor]}" if finding.expected_node is None
                else expected_names[anchor],
                "port_node": str(where),
                "kind": node.kind,
                "attribute": finding.attribute,
                "expected": want,
                "found": have,
                "hint": hint(node.kind, finding.attribute, text(want), text(have)),
                "source": source(model, comparison.rows[anchor]),
            }
        )  # fmt: skip
    return result


def _nearest(comparison: Comparison, index: int) -> int | None:
    """The port's node for the nearest expected one upstream that has one."""
    while index not in comparison.pairs:
        inputs = comparison.expected.nodes[index].inputs
        if not inputs:
            return None
        index = inputs[0]
    return comparison.pairs[index]


def other_outputs(comparison: Comparison, model: Model) -> Json:
    """The finding that a port returns another number of tensors than the network."""
    want, have = len(comparison.expected.outputs), len(comparison.found.outputs)
    return {
        "check": "shape",
        "node": "output",
        "port_node": "",
        "kind": "output",
        "attribute": "outputs",
        "expected": want,
        "found": have,
        "hint": hint("output", "outputs", "", ""),
        "source": source(model, model.rows[-1].name),
    }


def source(model: Model, row: str) -> str:
    """Where the paper says what a row of its table is: the document, its row, our file's line."""
    sources = reference.family(model.family).sources
    paper = sources.get("paper") or next(iter(sources.values()), "")
    paper = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", paper.replace("*", "")).rstrip(".")
    places = {each.name: each.place for each in model.rows}
    return ", ".join(filter(None, (paper, row, places.get(row, ""))))
