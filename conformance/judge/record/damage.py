"""What a record of evidence cannot be, though each of its fields by itself can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance import reference
from conformance.graph.shrink import smallest
from conformance.judge.record.rows import GraphRow, RecordRow
from conformance.numbers.deviation import NodeParity, SlotParity
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Parity


def damage(record: RecordRow, name: str) -> str:
    """Why a record is not one of the network that it is filed under; empty if it can be."""
    return next(_damages(record, name), "")


def _damages(record: RecordRow, name: str) -> Iterator[str]:
    if record.model != name:
        yield f"it is of {record.model}, run.json lists it as {name}"
    yield from _graph(record.graph, "graph", name)
    if record.training:
        yield from _graph(record.training, "training", name)
    for compared, graph, key in (
        (record.parity, record.graph, "parity"),
        (record.training_parity, record.training, "training_parity"),
        (record.gradients, record.graph, "gradients"),
        (record.training_gradients, record.training, "training_gradients"),
        *((each, record.graph, "executions") for each in record.executions),
    ):
        if compared:
            yield from _compared(compared, graph, key)


def _graph(graph: GraphRow, mode: str, name: str) -> Iterator[str]:
    """Nodes in order of execution: each reads what stands before it."""
    nodes = graph.nodes
    if not nodes or not graph.inputs or not graph.outputs:
        yield f"{mode} has no nodes, no input or no output"
    for index, node in enumerate(nodes):
        if any(source >= index for source in node.inputs):
            yield f"{mode}: node {index} reads a node that is not before it"
    if strange := [i for i in (*graph.inputs, *graph.outputs) if i >= len(nodes)]:
        yield f"{mode} has no node {strange[0]}"
    image = nodes[graph.inputs[0]].shape
    if (model := reference.models().get(name)) and image != model.input:
        taken = "x".join(map(str, image))
        yield f"{mode} takes an image of {taken}, {name} one of {'x'.join(map(str, model.input))}"


def _compared(compared: Parity | Gradients, graph: GraphRow | None, key: str) -> Iterator[str]:
    """Every result is of a node that is there, and of each there is one; no size is negative."""
    if graph is None:
        yield f"{key} is of a mode that has no graph"
        return
    if compared.image and compared.image != smallest(graph.graph()):
        yield f"{key} is of an image on which nothing is run"
    if isinstance(compared, Parity):
        values: list[NodeParity | SlotParity] = [*compared.nodes, *compared.statistics]
    else:
        values = [*compared.slots]
    counts = Counter((each.node, getattr(each, "slot", None)) for each in values)
    if twice := [node for (node, _), count in counts.items() if count > 1]:
        yield f"{key} has node {twice[0]} more than once"
    for each in (*values, *compared.controls):
        if each.node >= len(graph.nodes):
            yield f"{key} is of a node {each.node}, which is not there"
        if min(each.error, each.bound) < 0:
            yield f"{key} of node {each.node} has an error or a bound below zero"
