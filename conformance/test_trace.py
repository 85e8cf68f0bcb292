"""What is traced is wholly understood, and every framework has every network."""

from conformance import frameworks
from conformance.verdict import layers


def test_nothing_is_unknown(framework, model, examined):
    """The vocabulary has a word for everything that the network does."""
    unknown = [f"{node.kind} at {node.where}" for node in examined.graph(framework, model).unknown]
    assert not unknown, "\n".join(unknown)


def test_every_row_is_there(framework, model, examined):
    """Every row of the paper's table is found in the model, by its name."""
    graph = examined.graph(framework, model)
    names = [row.name for row in model.rows]
    empty = [name for name, nodes in layers(graph, names).items() if not nodes]
    assert not empty, f"no node belongs to {', '.join(empty)}"


def test_every_parameter_has_a_slot(framework, model, examined):
    """No stored array of the port is left out of the graph, and none is read twice."""
    graph = examined.graph(framework, model)
    read = [p.handle for node in graph for pieces in node.parameters.values() for p in pieces]
    assert read
    assert len(read) == len(set(read))


def test_table_and_models_are_the_same(framework):
    """A room's MODELS are the reference's models: none is missing and none is extra."""
    frameworks.require(framework)
    assert frameworks.named(framework) == frameworks.published()
