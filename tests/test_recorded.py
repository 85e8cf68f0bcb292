"""A recorded graph is that of the network it is filed under, or it is no record of it."""

from dataclasses import replace

import pytest

from conformance import reference
from conformance.cli import main
from conformance.graph.model import Graph
from conformance.judge import published
from conformance.judge.record import evidence, recorded
from conformance.judge.record.evidence import Record, Run

pytestmark = pytest.mark.bare

MODELS = reference.models()
SMALLEST, DEEP = (
    pick(MODELS.values(), key=lambda model: len(published.network(model).inference))
    for pick in (min, max)
)
TWINS = [
    (a, b)
    for a, b in zip(MODELS.values(), list(MODELS.values())[1:], strict=False)
    if a.input == b.input and published.network(a).inference != published.network(b).inference
]


def changed(graph, index, **changes):
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], **changes)
    return Graph(nodes, graph.inputs, graph.outputs)


def backwards(graph):
    """The same graph, executed depth first from the last input of every node."""
    order = []
    waiting = list(graph.outputs)
    while waiting:
        node = graph.nodes[waiting[-1]]
        if left := [i for i in node.inputs if i not in order]:
            waiting.append(left[-1])
        else:
            order += [index] if (index := waiting.pop()) not in order else []
    place = {old: new for new, old in enumerate(order)}
    nodes = [
        replace(graph.nodes[i], inputs=tuple(place[j] for j in graph.nodes[i].inputs))
        for i in order
    ]
    ends = (tuple(place[i] for i in each) for each in (graph.inputs, graph.outputs))
    return Graph(nodes, *ends)


@pytest.mark.parametrize("model", [SMALLEST, DEEP], ids=lambda model: model.name)
def test_the_published_graph_in_any_order(model):
    """Nothing differs, and both modes were looked at."""
    network = published.network(model)
    record = Record(model.name, backwards(network.inference), training=network.training)
    part = recorded.structure(record, model, "run")
    assert not part.findings
    assert part.planned == part.run == 2


@pytest.mark.parametrize(
    ("attribute", "value"), [("kernel", (2, 2)), ("bias", "other"), ("stride", (3, 3))]
)
def test_another_attribute_is_a_finding(attribute, value):
    """Of inference once, with the layer and both values."""
    network = published.network(SMALLEST)
    at = next(i for i, node in enumerate(network.inference) if node.kind == "conv")
    attributes = network.inference.nodes[at].attributes | {attribute: value}
    graphs = [
        changed(graph, at, attributes=attributes) for graph in (network.inference, network.training)
    ]
    record = Record(SMALLEST.name, graphs[0], training=graphs[1])
    (found,) = recorded.structure(record, SMALLEST, "run").findings
    row = network.inference.nodes[at].where.path
    assert found.said.startswith(f"{SMALLEST.name} {row} in run: {attribute} is ")
    assert (found.check, found.found) == ("structure", value)


def test_what_only_training_shows_is_said_so():
    """The momentum of a norm, say."""
    model = next(
        model for model in MODELS.values()
        if any(node.kind == "batch_norm" for node in published.network(model).training)
    )  # fmt: skip
    network = published.network(model)
    at = next(i for i, node in enumerate(network.training) if node.kind == "batch_norm")
    wrong = network.training.nodes[at].attributes | {"momentum": 0.5}
    training = changed(network.training, at, attributes=wrong)
    record = Record(model.name, network.inference, training=training)
    (found,) = recorded.structure(record, model, "run").findings
    assert found.check == "training"
    assert found.said.endswith(" in training")


def written(model, name, graph, place):
    """Evidence of one network, under the name of one."""
    record = Record(name, graph, training=published.network(model).training)
    run = Run("torch", "cpu", {"torch": "2"}, 0, evidence.code_identity("torch"), {name: record})
    evidence.write(run, place)


@pytest.mark.parametrize(("model", "other"), TWINS, ids=lambda model: model.name)
def test_another_network(model, other):
    """A graph is known for the one that it is, whatever name stands on it."""
    graph = published.network(model).inference
    assert not published.another(graph, model.name)
    found = published.another(graph, other.name)
    assert published.network(MODELS[found]).inference == graph


def test_report_refuses_another_network(tmp_path, capsys):
    """By the file's name, and saying whose graph it is."""
    model, other = TWINS[0]
    written(model, other.name, published.network(model).inference, tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"{other.name}.json: its graph is that of" in said


def test_report_tells_a_graph_that_is_not_the_published_one(tmp_path, capsys):
    """The claims may all hold, and the network deviates."""
    graph = published.network(SMALLEST).inference
    at = next(i for i, node in enumerate(graph) if node.kind == "relu")
    written(SMALLEST, SMALLEST.name, changed(graph, at, kind="tanh"), tmp_path)
    assert main(["report", str(tmp_path)]) == 1
    assert "tanh" in capsys.readouterr().out
