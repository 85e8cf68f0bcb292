"""What may follow any node is told, and of right numbers, garbage and chance nothing is claimed."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from conformance.graph.model import Graph, Node
from conformance.judge.port.trained import share
from conformance.kinds.experiment import written
from conformance.numbers.causes import Segment, causes
from conformance.numbers.deviation import SlotParity
from conformance.numbers.gradients import Gradients
from conformance.numbers.oracle import Oracle
from tests.causes import (
    AVERAGE,
    BOUND,
    CONV,
    DENSE,
    EPSILON,
    GROUPED,
    LRN,
    NORM,
    ONE,
    PAD,
    POOL,
    RANDOM,
    SIDE,
    SQUARE,
    SUBSAMPLE,
    TAUGHT,
    TRAINED,
    VECTOR,
    B,
    K,
    X,
    Y,
    Z,
    conv,
    explained,
    lrn,
    slots,
)

pytestmark = pytest.mark.bare

ANYTHING = {
    "it is 0.17 times as large": lambda want: 0.17 * want,
    "it is 1/7 times as large": lambda want: want / 7,
    "it is sqrt(2) times as large": lambda want: want * 2**0.5,
    "it is -1/sqrt(3) times as large": lambda want: want * -(3**-0.5),
    "it is -1 times as large": lambda want: -want,
    "0.25 is added to it": lambda want: want + 0.25,
    "it is 2 times as large, and -1 is added": lambda want: 2 * want - 1,
    "it is zero": lambda want: 0 * want,
    "its channels are in reverse order": lambda want: np.flip(want, 3),
    "the halves of its channels are swapped": lambda want: np.roll(want, 3, 3),
    "2 of its channels are in another place, the first 1, where 4 belongs": (
        lambda want: want[..., [0, 4, 2, 3, 1, 5]]
    ),
    "its rows are in reverse order": lambda want: np.flip(want, 1),
    "its columns are in reverse order": lambda want: np.flip(want, 2),
    "rows and columns of its map are exchanged": lambda want: np.swapaxes(want, 1, 2),
    "tanh follows it": lambda want: 1 - 2 / (np.exp(2 * want) + 1),
    "silu (swish) follows it": lambda want: want / (1 + np.exp(-want)),
}


@pytest.mark.parametrize("words", ANYTHING)
def test_what_may_follow_any_node(words):
    """A number, an activation or an order that was put after a node is told."""
    assert words in explained("scale", {"factor": 0.5}, {}, [X], ANYTHING[words])


def test_activation_before():
    """An activation that was put before a node is told from what the node computes."""
    said = explained("conv", CONV, SQUARE, [X], lambda want: conv(X * (X > 0), K, B, ONE))
    assert said == ("relu comes before it",)


EVERY_KIND: list[tuple[str, dict[str, Any], dict[str, Any], list[Any]]] = [
    ("conv", CONV, SQUARE, [X]),
    ("dense", {}, DENSE, [VECTOR]),
    ("max_pool", POOL, {}, [X]),
    ("avg_pool", AVERAGE, {}, [X]),
    ("global_avg_pool", {}, {}, [X]),
    ("subsample", SUBSAMPLE, TRAINED, [X]),
    ("batch_norm", EPSILON, NORM, [X]),
    ("batch_norm", TAUGHT, NORM, [X]),
    ("group_norm", {"groups": 2, "epsilon": 1e-5}, GROUPED, [X]),
    ("lrn", LRN, {}, [X]),
    ("relu", {}, {}, [X]),
    ("tanh", {}, {}, [X]),
    ("sigmoid", {}, {}, [X]),
    ("softmax", {}, {}, [VECTOR]),
    ("add", {}, {}, [X, Y]),
    ("concat", {}, {}, [X, Y, Z]),
    ("scale", {"factor": 0.5}, {}, [X]),
    ("dropout", {"rate": 0.4}, {}, [X]),
    ("flatten", {}, {}, [X]),
    ("upsample", {"factor": (2, 2)}, {}, [X]),
    ("pad", PAD, {}, [X]),
    ("rbf", {}, {"centres": SIDE["kernel"][:5]}, [VECTOR]),
]


def of_kind(case, got):
    kind, attributes, held, inputs = case
    return explained(kind, attributes, held, inputs, got)


@pytest.mark.parametrize("case", EVERY_KIND, ids=lambda case: case[0])
def test_nothing_is_claimed_of_garbage(case):
    """Numbers that come from nowhere have no cause, whatever the kind."""
    assert of_kind(case, lambda want: RANDOM.normal(size=want.shape)) == ()


@pytest.mark.parametrize("case", EVERY_KIND, ids=lambda case: case[0])
def test_nothing_is_claimed_of_a_noise_beside_a_cause(case):
    """A cause has to make all of the error vanish: one number that it leaves is enough."""

    def spoilt(want):
        got = 0.5 * want
        got.reshape(-1)[-1] += 1e-6
        return got

    assert of_kind(case, spoilt) == ()


@pytest.mark.parametrize("case", EVERY_KIND, ids=lambda case: case[0])
def test_right_node_is_not_blamed(case):
    """A right result, to the rounding of double precision, has no cause."""
    assert of_kind(case, lambda want: want * (1 + 2.0**-52)) == ()


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("kind", ["dense", "relu", "softmax", "batch_norm", "add", "concat"])
def test_nothing_is_claimed_of_few_numbers_that_anything_fits(kind, size):
    """A network of one class or two: what solves for a number needs more than it solves for."""
    inputs = [RANDOM.normal(size=(1, size)) for _ in range(2 if kind in ("add", "concat") else 1)]
    held = {}
    if kind == "dense":
        held = slots(kernel=(size, size), bias=(size,))
    if kind == "batch_norm":
        held = slots(gamma=(size,), beta=(size,), mean=(size,), variance=(size,))
    attributes = {"epsilon": 1e-5, "bias": True}
    for _ in range(20):
        garbage = RANDOM.normal(size=(1, sum(x.shape[1] for x in inputs[: 1 + (kind == "concat")])))
        assert explained(kind, attributes, held, inputs, got=garbage) == ()


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nothing_is_claimed_of_what_is_no_number(number):
    assert explained("relu", {}, {}, [X], np.full_like(X, number)) == ()


def test_other_size_has_no_cause():
    assert explained("relu", {}, {}, [X], X[:, 1:]) == ()


def test_hidden_node():
    """A node that the port does not show, on the way to one that it does, is told as well."""
    nodes = [
        Node("input", {}, (), (8, 8, 6)),
        Node("conv", CONV, (0,), (8, 8, 6)),
        Node("lrn", LRN, (1,), (8, 8, 6)),
        Node("relu", {}, (2,), (8, 8, 6)),
    ]
    oracle = Oracle(Graph(nodes, (0,), (3,)), lambda i, name: SQUARE[name], X)
    segment = Segment(oracle, [2, 3], {1: X})
    found = causes(segment, np.maximum(lrn(k=1), 0), 1.0, BOUND)
    assert found == ("k is 1, not 2, in the lrn before it",)
    assert causes(segment, np.maximum(X, 0), 1.0, BOUND) == ("the lrn before it is left out",)


def gradient(share, slot="kernel", error=1.0):
    return SlotParity(3, slot, 1.0, error, 1e-10, share, (0.5,))


SHARES = {
    "cut": (gradient(0.0),),
    "counted twice": (gradient(2.0 + 1e-13),),
    "reversed": (gradient(-1.0),),
    "scaled by 0.1": (gradient(0.1, "bias"), gradient(0.1 + 1e-14)),
    "": (gradient(0.1, "bias"), gradient(0.2), gradient(0.1, "image", error=1e-12)),
}


@pytest.mark.parametrize("word", SHARES)
def test_gradient(word):
    """A gradient that is the right one times a number is told, if it is no chance."""
    assert share(Gradients(0, SHARES[word], ())) == word


@pytest.mark.parametrize("value", [0.25, 1 / 3, -(2**0.5), 49.0, 1e-12, 0.0, 1.7159])
def test_numbers_are_written_ever_more_exactly(value):
    """The last way to write a number is the number."""
    ways = [number for _, number in written(value)]
    assert ways[-1] == value
    assert all(abs(b - value) <= abs(a - value) + 1e-3 for a, b in pairwise(ways[-4:]))
