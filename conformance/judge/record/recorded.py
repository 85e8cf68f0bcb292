"""A recorded graph beside the published one of the network that it is filed under.

Every framework's trace of a correct implementation is the published graph, but for the order in
which its nodes are executed.  One that is not is of an implementation that deviates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from conformance.graph.model import Graph
from conformance.judge import published
from conformance.judge.finding import CheckName, Finding, Part
from conformance.judge.phrases import difference
from conformance.judge.port.structure import written
from conformance.judge.port.subject import compared
from conformance.judge.record.evidence import Record
from conformance.reference import Model


def structure(record: Record, model: Model, run: str) -> Part:
    """What differs from the published graphs in a run; of training what inference has not shown."""
    part = Part()
    if not published.known(model.name):
        return part
    network = published.network(model)
    pairs: list[tuple[CheckName, Graph, Graph]] = [("structure", network.inference, record.graph)]
    if record.training is not None:
        pairs.append(("training", network.training, record.training))
    said: set[Any] = set()
    for check, expected, found in pairs:
        part.planned += 1
        part.run += 1
        for each in _findings(check, expected, found, model):
            told = each.node, each.attribute, str(each.expected), str(each.found)
            if told not in said:
                mode = "" if check == "structure" else " in training"
                differs = f"{model.name} {each.node} in {run}: {difference(each)}{mode}"
                part.findings.append(replace(each, sentence=differs))
            said.add(told)
    return part


def _findings(check: CheckName, expected: Graph, found: Graph, model: Model) -> Iterator[Finding]:
    if _identity(published.by_convention(expected, found)) == _identity(found):
        return
    comparison = compared(expected, found, model, model.input)
    yield from written(comparison, range(len(comparison.findings)), check)


def _identity(graph: Graph) -> tuple[int, ...]:
    """Alike for two graphs that differ only in the order of their nodes or of a sum's operands."""
    found: list[int] = []
    for node in graph:
        inputs = [found[i] for i in node.inputs]
        said = node.kind, repr(sorted(node.attributes.items())), published.size(node)
        found.append(hash((*said, *(sorted(inputs) if node.kind == "add" else inputs))))
    return (len(found), *(found[i] for i in graph.outputs))
