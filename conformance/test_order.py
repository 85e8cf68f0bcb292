"""Layers follow one another in the order in which the paper writes them."""

from dataclasses import replace

import pytest

from conformance.order import successions
from conformance.trace.graph import Graph


def test_layers_follow_as_written(framework, model, examined):
    """Behind each convolution come those that the table has behind it, and no others."""
    found, written = successions(examined.graph(framework, model)), model.successions()
    said = [
        f"{after} behind {before or 'the input'} is {where}"
        for where, pairs in (("in the model only", found - written), ("missing", written - found))
        for before, after in sorted(pairs)
    ]
    assert not said, "\n".join(said)


def test_exchanged_layers_are_seen(framework, model, examined):
    """With what two different layers do exchanged, something follows where it should not."""
    graph = examined.graph(framework, model)
    wrong = exchanged(graph)
    if wrong is None:
        pytest.skip("all its convolutions are alike, so that no order can be wrong")
    assert successions(wrong) != model.successions()


def exchanged(graph):
    """The graph with the kernels of its first two different convolutions exchanged, if any."""
    nodes = [index for index, node in enumerate(graph) if node.kind == "conv"]
    kernel = {index: graph.nodes[index].attributes["kernel"] for index in nodes}
    other = next((index for index in nodes if kernel[index] != kernel[nodes[0]]), None)
    if other is None:
        return None
    wrong = [*graph]
    for index, source in ((nodes[0], other), (other, nodes[0])):
        node = graph.nodes[index]
        wrong[index] = replace(node, attributes=node.attributes | {"kernel": kernel[source]})
    return Graph(wrong, graph.inputs, graph.outputs)
