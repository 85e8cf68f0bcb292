"""A gradient that is zero is rounding on both sides: it is compared, and widens no other bound."""

import numpy as np
import pytest

from conformance.graph.axes import named
from conformance.graph.model import Graph, Node, Parameter
from conformance.numbers.adjoint import backward
from conformance.numbers.gradients import IMAGE, _Comparison
from conformance.numbers.parity import Oracles
from conformance.numbers.weights import BATCH

pytestmark = pytest.mark.bare

SIDES = (6, 5, 4)
CONV = dict(
    kernel=(1, 1), stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1, bias=True
)
NORM = dict(epsilon=1e-3, statistics="batch", momentum=0.9, unbiased=False)


def node(kind, attributes, source, **slots):
    parameters: dict[str, tuple[Parameter, ...]] = {}
    parameters |= {name: (Parameter(name, shape),) for name, shape in slots.items()}
    return Node(kind, attributes, (source,), SIDES, parameters, slots)


@pytest.fixture
def graph():
    """A convolution whose bias the norm behind it takes away again."""
    image = Node("input", {}, (), SIDES, axes=named((BATCH, *SIDES), "NHWC"))
    conv = node("conv", CONV, 0, kernel=(1, 1, 4, 4), bias=(4,))
    norm = node("batch_norm", NORM, 1, gamma=(4,), beta=(4,))
    return Graph([image, conv, norm], (0,), (2,))


def compared(graph, **added):
    """What the oracle's own gradients are judged to be, with something added to some."""
    oracles = Oracles(graph, 0, BATCH, returns=True)
    cotangents, forward = oracles.weights.cotangents(BATCH), oracles.double
    forward.result(2)
    received: dict[str | None, np.ndarray] = {}
    for index, gradient, slots in backward(forward, {2: cotangents[0]}):
        received |= {name: array + added.get(name, 0.0) for name, array in slots.items()}
        if index == 0:
            received[None] = gradient
    comparison = _Comparison(graph, graph, {0: 0, 1: 1, 2: 2})
    comparison.begin(oracles, cotangents)
    comparison.end(received)
    return {each.slot: each for each in comparison.slots}, comparison.controls


def test_rounding_agrees_with_rounding(graph):
    """It passes, is no control arm, and what is before it has the bound of what is behind it."""
    slots, controls = compared(graph)
    assert set(slots) == {"gamma", "beta", "kernel", "bias", IMAGE}
    assert all(each.agrees for each in slots.values())
    assert "bias" not in controls
    assert all(control.caught for _, control in controls.values())
    assert slots[IMAGE].bound < 100 * slots["beta"].bound


@pytest.mark.parametrize("slot", ["bias", "beta"])
def test_what_is_more_than_rounding_is_wrong(graph, slot):
    """A thousandth is no rounding, where the gradient is zero and where it is not."""
    slots, _ = compared(graph, **{slot: 1e-3})
    assert [name for name, each in slots.items() if not each.agrees] == [slot]
