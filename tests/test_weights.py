"""Canonical weights: the same for every port of a network, and none of them hides a bug."""

from dataclasses import replace

import numpy as np
import pytest

from conformance.chunks import STRIP
from conformance.graph.align import digest
from conformance.graph.model import Graph, Node, Parameter
from conformance.numbers.weights import Weights, carried, stored
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

CONV = dict(
    kernel=(3, 3), stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1, bias=True
)
BRANCHES = [
    Node("input", {}, (), (8, 8, 4)),
    Node("conv", CONV, (0,), (8, 8, 4), slots={"kernel": (3, 3, 4, 4), "bias": (4,)}),
    Node("conv", CONV, (0,), (8, 8, 4), slots={"kernel": (3, 3, 4, 4), "bias": (4,)}),
    Node("relu", {}, (1,), (8, 8, 4)),
]


def joined(first, second, nodes=BRANCHES):
    """Two branches, put side by side in some order."""
    join = Node("concat", {}, (first, second), (8, 8, 8))
    return Graph([*nodes, join], (0,), (len(nodes),))


def test_building_order_does_not_matter():
    """A slot's values follow from its place in the network and not from when it was built."""
    swapped = [BRANCHES[0], BRANCHES[2], BRANCHES[1], Node("relu", {}, (2,), (8, 8, 4))]
    one, other = Weights(joined(3, 2)), Weights(joined(3, 1, swapped))
    assert np.array_equal(one.slot(1, "kernel"), other.slot(2, "kernel"))
    assert np.array_equal(one.slot(2, "kernel"), other.slot(1, "kernel"))


def test_place_in_a_concatenation_matters():
    """Branches that are alike receive different values, by their order in the concatenation."""
    weights = Weights(joined(1, 2, BRANCHES[:3]))
    assert not np.array_equal(weights.slot(1, "kernel"), weights.slot(2, "kernel"))


def test_a_convolution_may_read_patches_in_a_row():
    """Its weights are drawn as of one without a border, where a product stands in its place."""
    patches = Node("unknown:im2col", {}, (0,), (2304,))
    graph = Graph([BRANCHES[0], patches, replace(BRANCHES[1], inputs=(1,))], (0,), (2,))
    assert Weights(graph).slot(2, "kernel").shape == (3, 3, 4, 4)


def test_seed_changes_everything():
    """Another seed gives other weights and another image."""
    one, other = Weights(joined(3, 2), 0), Weights(joined(3, 2), 1)
    assert not np.array_equal(one.slot(1, "kernel"), other.slot(1, "kernel"))
    assert not np.array_equal(one.image(), other.image())


def test_dividing_the_work_changes_no_value():
    """A large array holds the numbers that one generator makes one after the other."""
    graph = Graph([Node("input", {}, (), (STRIP // 4 + 1, 4, 4))], (0,), (0,))
    key = int.from_bytes(digest(0, "image"), "big")
    plain = np.random.Generator(np.random.Philox(key=key)).random(4 * STRIP + 16)
    image = Weights(graph).image()
    assert image.size > STRIP
    assert np.array_equal(image.reshape(-1), (plain[: image.size] - 0.5) * (2 * 3**0.5))


@pytest.mark.parametrize("slot", ["gamma", "beta", "mean", "variance"])
def test_no_slot_is_neutral(slot):
    """No value of a norm's slots is 0 or 1, and no two are equal."""
    norm = Node("batch_norm", {"epsilon": 1e-5}, (0,), (8, 8, 64), slots={slot: (64,)})
    graph = Graph([Node("input", {}, (), (8, 8, 64)), norm], (0,), (1,))
    values = Weights(graph).slot(1, slot)
    assert len({0.0, 1.0, *values}) == 66


@pytest.mark.parametrize(
    ("shape", "steps"),
    [
        ((4, 3, 5, 5), (("transpose", (2, 3, 1, 0)),)),
        ((6, 20), (("reshape", (6, 5, 4)), ("transpose", (1, 2, 0)), ("reshape", (20, 6)))),
        ((2, 90, 70), (("transpose", (0, 2, 1)), ("reshape", (140, 90)))),
        ((3, 3, 2, 2), (("reverse", (0, 1)), ("transpose", (1, 0, 2, 3)))),
    ],
)
def test_a_layout_is_walked_back(shape, steps):
    """Read by its steps, the stored array gives the slot that it was made from."""
    array = np.arange(np.prod(shape)).reshape(shape)
    slot = array
    for step, argument in steps:
        slot = getattr(np, {"reverse": "flip"}.get(step, step))(slot, argument)
    assert np.array_equal(stored(slot, Parameter("w", shape, steps)), array)


def test_what_no_slot_reads_is_filled():
    """A stored array that the network ignores receives values of its shape, or keeps its own."""
    graph, tape = Graph([Node("input", {}, (), (8, 8, 4))], (0,), (0,)), Tape()
    tape.parameter("unused", (2, 3))
    tape[tape.parameter("mean", (3,))].attributes["array"] = np.arange(3)
    values = carried(graph, Weights(graph).slot, tape)
    assert values("unused").shape == (2, 3)
    assert values("mean").tolist() == [0, 1, 2]
