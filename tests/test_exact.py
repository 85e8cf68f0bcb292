"""Networks on whole numbers: that they are, that they are alive, and what a bit tells."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance import reference
from conformance.data import read, written
from conformance.graph.axes import named
from conformance.graph.model import Graph, Node, Parameter
from conformance.judge import published
from conformance.judge.record import exactness
from conformance.numbers.exact import Exact, _controlled, exact
from conformance.numbers.integer_oracle import IntegerOracle
from conformance.numbers.integers import Integers
from conformance.numbers.oracle import Oracle
from conformance.numbers.precision import PRECISIONS
from conformance.numbers.steps import Stepped, finest
from conformance.numbers.variances import roots
from conformance.trace.port import CannotExecute, Execution
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

PADDED = ((1, 1), (1, 1))
NONE = ((0, 0), (0, 0))


def conv(inputs, outputs, size, kernel=1, source=0, bias=False):
    side = PADDED if kernel == 3 else NONE
    attributes = {
        "kernel": (kernel, kernel), "stride": (1, 1), "padding": side, "dilation": (1, 1),
        "groups": 1, "bias": bias,
    }  # fmt: skip
    slots: dict[str, tuple[int, ...]] = {"kernel": (kernel, kernel, inputs, outputs)}
    if bias:
        slots["bias"] = (outputs,)
    return Node("conv", attributes, (source,), (size, size, outputs), slots=slots)


def norm(channels, size, source, epsilon=1e-3):
    shape: tuple[int, ...] = (channels,)
    slots = dict.fromkeys(("gamma", "beta", "mean", "variance"), shape)
    return Node("batch_norm", {"epsilon": epsilon}, (source,), (size, size, channels), slots=slots)


def network():
    """An average over 9, 6 and 4 pixels, a scaled branch that is added, a mean of 49 pixels."""
    average = {"kernel": (3, 3), "stride": (1, 1), "padding": PADDED, "count_include_pad": False}
    nodes = [
        Node("input", {}, (), (7, 7, 3)),
        conv(3, 16, 7, kernel=3, source=0),
        norm(16, 7, 1),
        Node("relu", {}, (2,), (7, 7, 16)),
        conv(16, 16, 7, source=3),
        norm(16, 7, 4, epsilon=1e-5),
        Node("relu", {}, (5,), (7, 7, 16)),
        Node("avg_pool", average, (6,), (7, 7, 16)),
        conv(16, 16, 7, kernel=3, source=7, bias=True),
        Node("scale", {"factor": 0.2}, (8,), (7, 7, 16)),
        Node("add", {}, (7, 9), (7, 7, 16)),
        Node("relu", {}, (10,), (7, 7, 16)),
        Node("global_avg_pool", {}, (11,), (1, 1, 16)),
        Node("dense", {"bias": True}, (12,), (10,), slots={"kernel": (16, 10), "bias": (10,)}),
        Node("softmax", {}, (13,), (10,)),
    ]
    return placed(nodes)


def placed(nodes):
    """A chain's graph, with the values, axes and handles that a port of it has."""
    for index, node in enumerate(nodes):
        node.value = index
        node.axes = named((1, *node.shape), "NHWC" if len(node.shape) == 3 else "NC")
        node.parameters = {
            slot: (Parameter(f"{index}.{slot}", shape),) for slot, shape in node.slots.items()
        }
    return Graph(nodes, (0,), (len(nodes) - 1,))


class Computes:
    """A port that executes a graph with the oracle's own dense arithmetic, in a precision."""

    framework, trains = "none", False

    def __init__(self, graph, change=lambda index, result: result):
        self.graph, self.change = graph, change

    def run(self, run, wanted, observe):
        slot = lambda index, name: run.values(f"{index}.{name}")  # noqa: E731
        oracle = Oracle(self.graph, slot, run.image, PRECISIONS[run.how.precision])
        for index in sorted(wanted):
            result = self.change(index, oracle.result(index).copy())
            oracle.results[index] = result
            observe(index, result)
        return {}


def run(
    graph=None, change=lambda index, result: result, precision="float32", own=None, integers=None,
    found=None,
):  # fmt: skip
    """An exact run of ``graph``; the port computes ``own``, or the same."""
    graph, tape = graph or network(), Tape()
    for node in found or graph:
        for (parameter,) in node.parameters.values():
            tape.parameter(parameter.handle, parameter.shape)
    port: Any = Computes(own or graph, change)
    return exact(port, tape, found or graph, graph, how=Execution(precision), integers=integers)


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
def test_every_precision_gives_the_same_bits(precision):
    """Of all nodes but the softmax, and every control arm is caught."""
    found = run(precision=precision)
    assert found.exact == len(network()) - 2
    assert [node.reason for node in found.nodes if node.reason] == ["softmax rounds"]
    assert not list(exactness.doubts(network(), found))
    assert {network().nodes[c.node].kind for c in found.controls} == {
        "conv", "batch_norm", "relu", "avg_pool", "add", "scale", "global_avg_pool", "dense",
    }  # fmt: skip


def test_a_pool_over_a_map_of_its_own_size_leaves_numbers_that_differ():
    """What passes the rectifier is the largest of four alone, which is not the same everywhere."""
    window = {"kernel": (2, 2), "stride": (2, 2), "padding": NONE}
    nodes = [
        Node("input", {}, (), (2, 2, 3)),
        conv(3, 64, 2, bias=True),
        Node("relu", {}, (1,), (2, 2, 64)),
        Node("max_pool", window, (2,), (1, 1, 64)),
        Node("dense", {"bias": True}, (3,), (10,), slots={"kernel": (64, 10), "bias": (10,)}),
    ]
    graph = placed(nodes)
    assert not list(exactness.doubts(graph, run(graph)))


@pytest.mark.parametrize("index", range(1, 14))
def test_one_bit_is_a_finding(index):
    """The last bit of one number of any node, and the node is named."""

    def flip(at, result):
        if at == index:
            place = np.unravel_index(int(np.argmax(np.abs(result))), result.shape)
            result[place] = np.nextafter(result[place], np.inf)
        return result

    found = run(change=flip)
    first = next(node for node in found.nodes if node.differing)
    assert (first.node, first.differing) == (index, 1)
    product = network().nodes[index].kind in ("conv", "dense")
    assert first.rounded == product  # as an algorithm may round that multiplies
    assert (found.first_difference is None) == product


@pytest.mark.parametrize(("precision", "apart", "accepted"), [
    ("float32", 2**-20, True), ("float32", 2**-8, False), ("bfloat16", 2**-8, True),
])  # fmt: skip
def test_a_product_may_round_as_its_precision_does(precision, apart, accepted):
    """And no more: not as the next coarser one, though the nearest step is the same."""

    def move(at, result):
        result.reshape(-1)[0] += (at == 1) * apart
        return result

    found = run(change=move, precision=precision)
    assert (found.first_difference is None) == accepted


def test_a_bias_too_many_is_found_where_it_is():
    """A parameter that the network has not is no rounding."""
    own = network()
    own.nodes[1] = conv(3, 16, 7, kernel=3, source=0, bias=True)
    own.nodes[1].value, own.nodes[1].axes = 1, own.nodes[2].axes
    own.nodes[1].parameters = {
        slot: (Parameter(f"1.{slot}", shape),) for slot, shape in own.nodes[1].slots.items()
    }
    found = run(own=own, found=own)
    assert found.first_difference.node == 1


def test_a_step_in_a_product_is_a_finding():
    """No algorithm rounds to another multiple of the step."""

    def move(at, result):
        result.reshape(-1)[0] += at == 1
        return result

    found = run(change=move)
    assert found.first_difference.node == 1
    sentence = "1 of 784 numbers differ, the first at (0, 0, 0), by at most 1 steps"
    assert exactness.difference(network(), found).endswith(sentence)
    (finding,) = exactness.part(network(), ["row"] * 15, "{row} of it", found).findings
    assert (finding.node, finding.kind, finding.found) == ("row", "conv", "1 numbers differ")


@pytest.mark.parametrize(
    ("index", "attribute", "wrong"),
    [
        (1, "padding", ((2, 0), (2, 0))),
        (2, "epsilon", 2e-3),
        (2, "epsilon", 1.001e-3),
        (7, "count_include_pad", True),
        (5, "epsilon", 1.01e-5),
        (9, "factor", 0.201),
    ],
)
def test_a_wrong_attribute_is_found_at_its_node(index, attribute, wrong):
    """In the port: nothing before it differs."""
    own = network()
    own.nodes[index].attributes = own.nodes[index].attributes | {attribute: wrong}
    assert run(own=own).first_difference.node == index


def test_the_integer_oracle_is_the_oracle():
    """Sparse products in whole steps, beside dense ones in double precision: the same numbers."""
    graph = network()
    integers = Integers(graph, precision=PRECISIONS["float64"])
    whole = IntegerOracle(integers)
    dense = Oracle(graph, integers.slot, integers.image())
    for index, node in enumerate(graph.nodes[:-1]):
        got = whole.result(index).values.transpose(1, 2, 0).reshape(1, *node.shape)
        assert np.array_equal(got, dense.result(index).reshape(1, *node.shape))


def test_an_alteration_is_tried_until_it_shows():
    """In bfloat16 epsilon does in some channels only, and not of the smallest norms here."""
    notebook = published.network(reference.find("Notebook-AlexNet")).inference
    found = run(placed([replace(node) for node in notebook]), precision="bfloat16")
    arms = {notebook.nodes[each.node].kind: each.caught for each in found.controls}
    assert arms.keys() > {"batch_norm", "dense", "max_pool"} and all(arms.values())


def test_no_alteration_is_tried_at_a_vast_product():
    """VGG's first dense layer has 25 times the weights of its last, and they say the same."""
    vgg = published.network(reference.find("VGG-D")).inference
    tried = _controlled(vgg, set(range(1, len(vgg))))
    assert [vgg.nodes[i].shape for i in sorted(tried) if "dense" in vgg.nodes[i].kind] == [
        (4096,), (1000,),
    ]  # fmt: skip


def test_what_is_too_much_alike_is_no_check():
    """An image of zeros leaves nothing that could differ; the doubt names the node."""
    graph = network()
    integers = Integers(graph)
    integers.stepped_image = Stepped(np.zeros((3, 7, 7), np.float32), integers.stepped_image.step)
    found = run(graph, integers=integers)
    assert found.dull[0].node == 1
    assert "too much alike" in " ".join(exactness.doubts(graph, found))


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_variances_are_powers_of_four_less_epsilon(epsilon, precision):
    """In the precision itself; and ten times the epsilon is another number in it."""
    kind = PRECISIONS[precision]

    def stored(x):
        return float(kind.round(np.array([x], kind.dtype))[0])

    telling, others = roots(epsilon, precision)
    assert telling
    assert bool(others) == (precision == "bfloat16")
    for root in (*telling, *others):
        assert stored(root.variance + stored(epsilon)) == 4.0**root.exponent
    for root in telling:
        wrong = stored(2.0**root.exponent / np.sqrt(root.variance + 10 * epsilon))
        assert wrong != 1.0


def test_float16_is_refused():
    """Its range holds no whole numbers to speak of; bfloat16 is accepted."""
    with pytest.raises(CannotExecute, match="not kept in whole numbers in float16"):
        run(precision="float16")
    assert not run(precision="bfloat16").problem


def test_the_finest_step():
    """The largest power of two that all are multiples of; zeros are of any."""
    assert finest(np.array([0.0, 6.0, -20.0], np.float32)) == 2
    assert finest(np.array([0.75, 0.5], np.float32)) == 1 / 4
    assert finest(np.zeros(2, np.float32)) == 1


def test_a_run_is_read_as_it_was_written():
    """Through JSON and back."""
    found = run()
    assert read(json.loads(json.dumps(written(found))), Exact) == found
