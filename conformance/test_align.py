"""Alignment: what differs is one finding, and what does not differ is none."""

from dataclasses import replace

import pytest

from conformance.align import align, findings
from conformance.trace.graph import Graph, Node


def chain(*widths, kinds=("conv", "batch_norm", "relu")):
    """A network of blocks, each a convolution with norm and activation."""
    nodes = [Node("input", {}, (), (8, 8, 3))]
    for width in widths:
        for kind in kinds:
            attributes = {"kernel": (3, 3), "stride": (1, 1)} if kind == "conv" else {}
            nodes.append(Node(kind, attributes, (len(nodes) - 1,), (8, 8, width)))
    return Graph(nodes, (0,), (len(nodes) - 1,))


def residual(*branch):
    """A block whose branch is added to its input."""
    nodes = [Node("input", {}, (), (8, 8, 4)), Node("relu", {}, (0,), (8, 8, 4))]
    for kind in branch:
        nodes.append(Node(kind, {}, (len(nodes) - 1,), (8, 8, 4)))
    nodes.append(Node("add", {}, (len(nodes) - 1, 1), (8, 8, 4)))
    nodes.append(Node("relu", {}, (len(nodes) - 1,), (8, 8, 4)))
    return Graph(nodes, (0,), (len(nodes) - 1,))


def without(graph, index):
    """The same network with one layer left out."""
    bridge = graph.nodes[index].inputs[0]

    def moved(i):
        i = bridge if i == index else i
        return i - (i > index)

    nodes = [replace(n, inputs=tuple(map(moved, n.inputs))) for n in graph.nodes]
    del nodes[index]
    return Graph(nodes, graph.inputs, tuple(map(moved, graph.outputs)))


def changed(graph, index, **attributes):
    """The same network with attributes of one layer changed."""
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], attributes=nodes[index].attributes | attributes)
    return Graph(nodes, graph.inputs, graph.outputs)


NETWORKS = [chain(16), chain(16, 16, 32), chain(8, 8, 8, 8), residual("conv", "relu", "conv")]


@pytest.mark.parametrize("graph", NETWORKS)
def test_a_network_is_itself(graph):
    """Two traces of one network have nothing to tell apart."""
    alignment = align(graph, graph)
    assert alignment.complete
    assert alignment.pairs == {i: i for i in range(len(graph))}
    assert not findings(graph, graph, alignment)


@pytest.mark.parametrize("graph", NETWORKS[1:])
@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_a_missing_layer_is_one_finding(graph, index):
    """A layer left out anywhere is that one difference, and an extra one seen from behind."""
    less = without(graph, index)
    (missing,) = findings(graph, less, align(graph, less))
    assert (missing.attribute, missing.expected) == ("missing", graph.nodes[index].kind)
    (extra,) = findings(less, graph, align(less, graph))
    assert (extra.attribute, extra.found) == ("extra", graph.nodes[index].kind)


@pytest.mark.parametrize("index", [1, 4, 7])
def test_an_attribute_is_one_finding(index):
    """A changed attribute is found at its own layer, with both values."""
    graph = chain(16, 16, 32)
    wrong = changed(graph, index, kernel=(5, 5))
    (finding,) = findings(graph, wrong, align(graph, wrong))
    assert (finding.expected_node, finding.attribute) == (index, "kernel")
    assert (finding.expected, finding.found) == ((3, 3), (5, 5))


def test_single_precision_is_no_difference():
    """A constant that only passed through float32 is the constant that was written."""
    graph = changed(chain(16), 2, epsilon=1e-3)
    wrong = changed(chain(16), 2, epsilon=0.0010000000474974513)
    assert not findings(graph, wrong, align(graph, wrong))


def test_a_branch_order_is_one_finding():
    """Branches concatenated in another order differ where they are joined."""
    nodes = [
        Node("input", {}, (), (8, 8, 3)),
        Node("conv", {}, (0,), (8, 8, 4)),
        Node("conv", {}, (0,), (8, 8, 6)),
        Node("relu", {}, (1,), (8, 8, 4)),
        Node("relu", {}, (2,), (8, 8, 6)),
    ]
    right = Graph([*nodes, Node("concat", {}, (3, 4), (8, 8, 10))], (0,), (5,))
    wrong = Graph([*nodes, Node("concat", {}, (4, 3), (8, 8, 10))], (0,), (5,))
    (finding,) = findings(right, wrong, align(right, wrong))
    assert (finding.expected_node, finding.attribute) == (5, "inputs")
