"""What is traced is wholly understood, and every framework has every network."""

from conformance.graph.align import align
from conformance.graph.rows import layers
from conformance.ports import implementations as frameworks

PUBLISHED = frameworks.published()


def test_nothing_is_unknown(framework, model, examined):
    """The vocabulary has a word for everything that the network does."""
    record = examined.traced(framework, model)
    unknown = [*record.graph.unknown, *record.training.unknown]
    assert not unknown, "\n".join(f"{node.kind} at {node.where}" for node in unknown)


def test_every_row_is_there(framework, model, examined):
    """Every row of the paper's table is found in the model, by its name."""
    record = examined.traced(framework, model)
    names = model.row_names
    inference, training = layers(record.graph, names), layers(record.training, names)
    empty = [name for name in names if not inference[name] and not training[name]]
    assert not empty, f"no node belongs to {', '.join(empty)}"


def test_training_adds_only_what_it_is_for(framework, model, examined):
    """In training a network does what it does in inference, and dropout and auxiliary heads."""
    record = examined.traced(framework, model)
    alignment = align(record.graph, record.training)
    main = record.training.ancestors(record.training.outputs[0])
    extra = {record.training.nodes[i].kind for i in alignment.extra if i in main}
    assert not alignment.missing
    assert extra <= {"dropout"}


def test_every_parameter_has_a_slot(framework, model, examined):
    """No stored array of the port is left out of the graph, and none is read twice."""
    graph = examined.graph(framework, model)
    read = [p.handle for node in graph for pieces in node.parameters.values() for p in pieces]
    assert read
    assert len(read) == len(set(read))


def test_table_and_models_are_the_same(framework, examined):
    """A room's MODELS are the reference's models: none is missing and none is extra."""
    assert not frameworks.unmatched(framework), "\n".join(frameworks.unmatched(framework))


def test_network_of_one_side_only_is_named(framework, examined, monkeypatch):
    """A network that only a room or only the reference has is named, with the file to look at."""
    stem, names = next(iter(frameworks.published().items()))
    name = min(names)
    monkeypatch.setattr(frameworks, "published", lambda: {**PUBLISHED, stem: names - {name}})
    (extra,) = frameworks.unmatched(framework)
    monkeypatch.setattr(frameworks, "published", lambda: {**PUBLISHED, stem: names | {"Other"}})
    (missing,) = frameworks.unmatched(framework)
    assert extra.startswith(f"reference/{stem}.md: no {name}, implementations/{framework}/")
    assert missing.startswith(f"implementations/{framework}/{stem}.py: no Other in MODELS")
