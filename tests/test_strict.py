"""A variant is as strict as the paper: what it adds is judged, and what holds but for a place."""

from dataclasses import replace

import pytest

from conformance import reference
from conformance.graph.align import align, findings
from conformance.graph.model import Graph, Node, Parameter
from conformance.graph.resize import without
from conformance.judge import published
from conformance.judge.port.added import added
from conformance.judge.port.altered import altered
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.variants import explain
from conformance.reference import variants

pytestmark = pytest.mark.bare

PLAIN = reference.find("VGG-A")
DEEP = reference.find("ResNet-50")


def compared(model, found, expected=None):
    expected = expected or published.network(model).training
    alignment = align(expected, found)
    differences = findings(expected, found, alignment)
    return Comparison(expected, found, differences, model, alignment.pairs)


def explained(comparison):
    known = [each for each in variants.of(comparison.model) if not each.another]
    return explain(comparison, known)


def changed(graph, change):
    """The graph with its nodes changed, each by its number."""
    nodes = [replace(node, **change(i, node)) for i, node in enumerate(graph)]
    return Graph(nodes, graph.inputs, graph.outputs)


def with_norms(graph, behind="conv", without=-1, **attributes):
    """A batch norm behind every convolution, or its ReLU, but for the one of a number."""
    usual = {"epsilon": 1e-5, "momentum": 0.9, "statistics": "batch", "unbiased": False}
    nodes: list[Node] = []
    at: list[int] = []
    for number, node in enumerate(graph):
        nodes.append(replace(node, inputs=tuple(at[i] for i in node.inputs)))
        if node.kind == behind and len(node.shape) == 3 and number != without:
            slots = {slot: node.shape[-1:] for slot in ("gamma", "beta", "mean", "variance")}
            pieces: dict[str, tuple[Parameter, ...]] = {
                s: (Parameter(f"{len(nodes)} {s}", size),) for s, size in slots.items()
            }
            norm = Node(
                "batch_norm", usual | attributes, (len(nodes) - 1,), node.shape, pieces, slots,
                node.where,
            )  # fmt: skip
            nodes.append(norm)
        at.append(len(nodes) - 1)
    return Graph(nodes, tuple(at[i] for i in graph.inputs), tuple(at[i] for i in graph.outputs))


def differing(**attributes):
    found = with_norms(published.network(PLAIN).training, **attributes)
    comparison = compared(PLAIN, found)
    known = explained(comparison)
    assert [each.name for each in known.profiles] == ["batch norm"] and not known.surplus
    return added(comparison, known.surplus, known.profiles)


@pytest.mark.parametrize("usual", [{}, {"epsilon": 1e-3}, {"momentum": 0.99}])
def test_usual_norms_may_be_added(usual):
    """A family without batch norm may have what frameworks build."""
    assert differing(**usual) == []


@pytest.mark.parametrize(
    ("attribute", "value"), [("epsilon", 32.0), ("momentum", 0.1), ("epsilon", 1e-5 + 1e-7)]
)
def test_strange_norms_are_findings(attribute, value):
    """Each node that the variant adds, with the attribute and its value."""
    found = differing(**{attribute: value})
    convolutions = [n for n in published.network(PLAIN).training if n.kind == "conv"]
    assert len(found) == len(convolutions)
    assert {(each.attribute, each.found) for each in found} == {(attribute, value)}


@pytest.mark.parametrize(("attribute", "value"), [("epsilon", 1e-3), ("momentum", 0.99)])
def test_a_norm_unlike_the_others_is_a_finding(attribute, value):
    """Though frameworks build both: what a variant adds is alike everywhere."""
    graph = with_norms(published.network(PLAIN).training)
    one = next(i for i, node in enumerate(graph) if node.kind == "batch_norm")
    comparison = compared(
        PLAIN,
        changed(
            graph,
            lambda i, n: {"attributes": n.attributes | {attribute: value}} if i == one else {},
        ),
    )
    known = explained(comparison)
    (found,) = added(comparison, known.surplus, known.profiles)
    assert (found.found_node, found.attribute, found.found) == (one, attribute, value)
    assert altered(comparison, [found]) is not None


def test_what_only_training_has_is_not_expected_of_norms_in_inference():
    """They have no momentum there, and the oracle can execute the variant."""
    graph = changed(
        with_norms(published.network(PLAIN).inference),
        lambda i, n: {"attributes": {"epsilon": 1e-5}} if n.kind == "batch_norm" else {},
    )
    comparison = compared(PLAIN, graph, published.network(PLAIN).inference)
    known = explained(comparison)
    assert added(comparison, known.surplus, known.profiles) == []


def test_a_norm_of_a_variant_reads_the_layer_that_it_is_for():
    """Behind the ReLU it is not the variant that has it behind the convolution."""
    graph = published.network(PLAIN).training
    found = explained(compared(PLAIN, with_norms(graph, "relu")))
    assert [each.name for each in found.profiles] == ["batch norm behind every ReLU"]
    assert not found.surplus


def test_a_layer_that_a_variant_adds_everywhere_else_is_missing():
    """It is missed behind the port's own layer, and the oracle does without it."""
    graph = published.network(PLAIN).training
    second = [i for i, node in enumerate(graph) if node.kind == "conv"][1]
    comparison = compared(PLAIN, with_norms(graph, without=second))
    ((profile, (each,)),) = explained(comparison).nearly
    assert (profile.name, each.attribute, each.expected) == ("batch norm", "missing", "batch_norm")
    assert (comparison.anchor(each), each.expected_node) == (second, None)
    assert altered(comparison, [each]) is not None


def test_what_makes_no_difference_is_no_variant_by_itself():
    """Where every tanh is missing none has become a ReLU."""
    taught = reference.find("LeNet-5-table")
    graph = published.network(taught).training
    none = {i for i, node in enumerate(graph) if node.kind == "tanh"}
    found = explained(compared(taught, without(graph, none)))
    assert "ReLU" not in [each.name for each in found.profiles]


def strides(rows):
    """The network with the stride on the 3x3 in some rows: a part of what is called v1.5."""
    graph = published.network(DEEP).training

    def change(index, node):
        moved = node.where.path in rows and node.kind == "conv"
        kernel, stride = node.attributes.get("kernel"), node.attributes.get("stride")
        if not moved:
            return {}
        if kernel == (1, 1) and stride == (2, 2) and index in firsts:
            return {"attributes": node.attributes | {"stride": (1, 1)}}
        if kernel == (3, 3) and index in seconds:
            return {"attributes": node.attributes | {"stride": (2, 2)}}
        return {}

    readers = graph.consumers()
    firsts, seconds = set(), set()
    for index, node in enumerate(graph):
        if node.kind == "conv" and node.attributes["stride"] == (2, 2):
            path, current = [index], index
            while len(readers[current]) == 1 and len(path) < 2:
                current = readers[current][0]
                if graph.nodes[current].kind == "conv":
                    path.append(current)
                elif graph.nodes[current].kind == "add":
                    break
            if len(path) == 2 and graph.nodes[path[1]].attributes["kernel"] == (3, 3):
                firsts.add(path[0])
                seconds.add(path[1])
    return compared(DEEP, changed(graph, change))


def test_a_variant_that_holds_but_for_a_row_is_named():
    """Only the row where it does not hold has findings."""
    found = explained(strides({"conv4_x", "conv5_x"}))
    ((profile, exceptions),) = found.nearly
    comparison = strides({"conv4_x", "conv5_x"})
    rows = {comparison.rows[comparison.anchor(each)] for each in exceptions}
    assert (profile.name, rows, found.surplus) == ("v1.5", {"conv3_x"}, [])


@pytest.mark.parametrize("rows", [set(), {"conv4_x"}])
def test_a_variant_that_holds_in_a_row_only_is_none(rows):
    """What is not most of it is none of it."""
    assert explained(strides(rows)).nearly == []


def test_the_oracle_executes_the_variant():
    """What is accepted stays, and what no variant explains is as the paper has it."""
    graph = strides({"conv3_x", "conv4_x", "conv5_x"}).found
    norm = next(i for i, node in enumerate(graph) if node.kind == "batch_norm")
    wrong = changed(
        graph,
        lambda i, node: {"attributes": node.attributes | {"epsilon": 0.5}} if i == norm else {},
    )
    comparison = compared(DEEP, wrong)
    known = explained(comparison)
    (surplus,) = [comparison.findings[i] for i in known.surplus]
    executed = altered(comparison, [surplus])
    assert executed is not None
    assert [n.attributes for n in executed] == [n.attributes for n in graph]
