"""A batch norm folded into the convolution before it: right within float32, wrong by its slip."""

import numpy as np
import pytest

from conformance.graph.align import align
from conformance.graph.model import Graph, Node, Parameter
from conformance.judge.port.folded import Fold, folds, relations
from conformance.numbers.stored import Slots

pytestmark = pytest.mark.bare

CONV = {"kernel": (3, 3), "stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
NORM = {"epsilon": 1e-3}
RANDOM = np.random.default_rng(0)
VALUES = {
    "0 kernel": RANDOM.normal(size=(3, 3, 2, 4)),
    "1 gamma": RANDOM.uniform(0.5, 2, 4),
    "1 beta": RANDOM.normal(size=4),
    "1 mean": RANDOM.normal(size=4),
    "1 variance": RANDOM.uniform(0.5, 2, 4),
}
SCALE = VALUES["1 gamma"] / np.sqrt(VALUES["1 variance"] + NORM["epsilon"])


def node(kind, attributes, number, **slots):
    parameters: dict[str, tuple[Parameter, ...]] = {
        slot: (Parameter(f"{number} {slot}", size),) for slot, size in slots.items()
    }
    return Node(kind, attributes, (number,), (5, 5, 4), parameters, slots)


def graph(*nodes):
    image = Node("input", {}, (), (5, 5, 2))
    return Graph([image, *nodes], (0,), (len(nodes),))


THEIRS = graph(
    node("conv", CONV | {"bias": False, "groups": 1}, 0, kernel=(3, 3, 2, 4)),
    node("batch_norm", NORM, 1, gamma=(4,), beta=(4,), mean=(4,), variance=(4,)),
)
OURS = graph(node("conv", CONV | {"bias": True, "groups": 1}, 0, kernel=(3, 3, 2, 4), bias=(4,)))


def found(kernel, bias):
    values = {"0 kernel": kernel.astype(np.float32), "0 bias": bias.astype(np.float32)}
    here = Slots(OURS, lambda handle: values[handle].astype(np.float64))
    return relations(Fold(1, 2, 1), Slots(THEIRS, VALUES.__getitem__), here)


def test_a_fold_is_seen():
    """The norm without a counterpart stands behind a convolution that has a bias in B."""
    assert folds(THEIRS, OURS, align(THEIRS, OURS)) == [Fold(1, 2, 1)]
    assert not folds(THEIRS, THEIRS, align(THEIRS, THEIRS))


def test_a_right_fold_is_equal():
    """As far as float32 goes."""
    said = found(VALUES["0 kernel"] * SCALE, VALUES["1 beta"] - VALUES["1 mean"] * SCALE)
    assert all(each.equal for each in said.values())


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        (VALUES["1 beta"] - VALUES["1 mean"], "a mean that is not scaled"),
        (VALUES["1 beta"], "without the mean"),
        (-VALUES["1 mean"] * SCALE, "without beta"),
        (VALUES["1 beta"] + VALUES["1 mean"] * SCALE, "the mean added"),
        (VALUES["1 beta"] + 7, "not the folded batch norm"),
    ],
)
def test_a_wrong_bias_is_named(bias, said):
    """By the term that was forgotten."""
    relation = found(VALUES["0 kernel"] * SCALE, bias)["bias"]
    assert not relation.equal and said in relation.detail


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (VALUES["1 gamma"] / np.sqrt(VALUES["1 variance"]), "without epsilon"),
        (1 / np.sqrt(VALUES["1 variance"] + NORM["epsilon"]), "without gamma"),
        (1, "not scaled"),
    ],
)
def test_a_wrong_kernel_is_named(scale, said):
    """By the factor that was forgotten."""
    relation = found(VALUES["0 kernel"] * scale, VALUES["1 beta"])["kernel"]
    assert not relation.equal and said in relation.detail
