"""Layers follow one another in the order in which the paper writes them."""

from dataclasses import replace

import pytest

from conformance.graph.model import Graph
from conformance.graph.written import layer, successions
from conformance.kinds import counted_as

CONVOLUTIONS = counted_as("convolutional layers")


def test_layers_follow_as_written(framework, model, examined):
    """Behind each convolution come those that the table has behind it, and no others."""
    found, table = successions(examined.graph(framework, model)), model.successions()
    said = [
        f"{after} behind {before or 'the input'} is {where}"
        for where, pairs in (("in the model only", found - table), ("missing", table - found))
        for before, after in sorted(pairs)
    ]
    assert not said, "\n".join(said)


def test_exchanged_layers_are_seen(framework, model, examined):
    """With two different convolutions exchanged, something follows where it should not."""
    graph = examined.graph(framework, model)
    wrong = exchanged(graph)
    if wrong is None:
        pytest.skip(
            "no two different convolutions follow one another, so that no order can be wrong"
        )
    assert successions(wrong) != model.successions()


def exchanged(graph):
    """The graph with a convolution and the different one that it follows exchanged, if any."""
    pairs = ((follows(graph, index), index) for index in convolutions(graph))
    texts = {index: layer(graph.nodes[index]) for index in convolutions(graph)}
    pair = next((p for p in pairs if p[0] is not None and texts[p[0]] != texts[p[1]]), None)
    if pair is None:
        return None
    wrong = [*graph]
    for index, source in (pair, pair[::-1]):
        node = graph.nodes[source]
        wrong[index] = replace(graph.nodes[index], attributes=node.attributes, shape=node.shape)
    return Graph(wrong, graph.inputs, graph.outputs)


def convolutions(graph):
    return [index for index, node in enumerate(graph) if node.kind in CONVOLUTIONS]


def follows(graph, index):
    """The convolution that one follows, along first inputs; None for the network's first."""
    while (inputs := graph.nodes[index].inputs) and graph.nodes[inputs[0]].kind not in CONVOLUTIONS:
        index = inputs[0]
    return inputs[0] if inputs else None
