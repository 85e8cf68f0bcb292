"""The published graphs: what every framework traces is what gate and identify read."""

import pytest

from conformance.graph.align import align, findings
from conformance.graph.names import names
from conformance.graph.shrink import smallest
from conformance.judge import published
from conformance.judge.port.smaller import smaller
from conformance.judge.published import by_convention, neutral
from conformance.ports import implementations as frameworks
from conformance.reference import Model


def test_trace_is_the_published_graph(framework, model, examined):
    """Every layer, attribute and connection of both modes, and the paper's name of each layer."""
    record, network = examined.traced(framework, model), published.network(model)
    rows = model.row_names
    for expected, traced in (
        (network.inference, record.graph),
        (network.training, record.training),
    ):
        found = neutral(traced, rows)
        alignment = align(expected, found)
        assert not findings(by_convention(expected, found), found, alignment)
        assert alignment.pairs.keys() == set(range(len(expected)))
        labels, theirs = names(expected, rows), names(found, rows)
        assert [theirs[alignment.pairs[i]] for i in range(len(expected))] == labels


def test_networks_are_the_same_on_their_smallest_images(framework, family, examined):
    """In every framework, or training and gradients could not be compared: the smallest network
    with each image and each kind of end."""
    ends: dict[tuple[object, ...], Model] = {}
    for model in sorted(examined.models, key=lambda model: len(published.network(model).inference)):
        network = published.network(model)
        if model.family == family and smallest(network.training):
            kinds = [node.kind for node in network.inference]
            end = kinds[len(kinds) - kinds[::-1].index("conv") :]
            ends.setdefault((model.input, *end), model)
    if not ends:
        pytest.skip("a dense layer reads a whole map: none takes a smaller image")
    for model in ends.values():
        port, graph = frameworks.port(framework, model), examined.graph(framework, model)
        assert smaller(port, graph), model.name
