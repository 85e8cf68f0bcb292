"""Activations that came after these papers: ports have them in the place of the papers' own.

A row is a function of one number and its derivative, of the number and of what its attribute says.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import numpy as np

from conformance.kinds.activations import another, rectified
from conformance.kinds.functions import FUNCTIONS, elu, normal, sigmoid, softplus
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Step

Function = Callable[..., np.ndarray]
Slots = dict[str, np.ndarray]


def activation(name: str, **given: Any) -> Kind:
    """A kind that is written in the place of a ReLU, and is altered and explained as that is."""
    return Kind(
        name=name,
        spread=lambda node, x: rectified(x),
        altered=("left out", lambda t: t.x),
        causes=(left_out, another),
        written=None,
        traits="activation passing",
        **given,
    )


def row(name: str, function: Function, slope: Function, attribute: str = "") -> Kind:
    """The kind of a function of one number."""

    def given(node: Node) -> tuple[Any, ...]:
        return (node.attributes[attribute],) if attribute else ()

    def forward(o: Arithmetic, node: Node, slots: Slots, x: np.ndarray) -> np.ndarray:
        return o.stored(function(x, *given(node)).astype(x.dtype))

    def adjoint(step: Step, g: np.ndarray) -> Gradients:
        return [g * slope(step.decisive, *given(step.node)).astype(g.dtype)], {}

    return activation(name, forward=forward, adjoint=adjoint, attributes=attribute)


def elu_slope(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


def selu_slope(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * elu_slope(x, 1.6732632423543772)


def gelu_slope(x: np.ndarray) -> np.ndarray:
    return normal(x) + x * np.exp(-(x**2) / 2) / sqrt(2 * pi)


def gelu_by_tanh_slope(x: np.ndarray) -> np.ndarray:
    t = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)


def mish_slope(x: np.ndarray) -> np.ndarray:
    t = np.tanh(softplus(x))
    return t + x * (1 - t**2) * sigmoid(x)


def hard_swish_slope(x: np.ndarray) -> np.ndarray:
    return FUNCTIONS["hard sigmoid"](x) + x * (np.abs(x) < 3) / 6


LEAKY_RELU = row(
    "leaky_relu",
    lambda x, slope: np.where(x > 0, x, slope * x),
    lambda x, slope: np.where(x > 0, 1, slope),
    "slope",
)
ELU = row("elu", elu, elu_slope, "alpha")
CELU = row("celu", lambda x, a: a * elu(x / a), lambda x, a: elu_slope(x / a), "alpha")
SELU = row("selu", FUNCTIONS["selu"], selu_slope)
GELU = row("gelu", FUNCTIONS["gelu"], gelu_slope)
GELU_BY_TANH = row("gelu_by_tanh", FUNCTIONS["gelu (by tanh)"], gelu_by_tanh_slope)
SILU = row(
    "silu", FUNCTIONS["silu (swish)"], lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))
)  # fmt: skip
MISH = row("mish", FUNCTIONS["mish"], mish_slope)
SOFTPLUS = row("softplus", softplus, sigmoid)
SOFTSIGN = row("softsign", FUNCTIONS["softsign"], lambda x: 1 / (1 + np.abs(x)) ** 2)
LOG_SIGMOID = row("log_sigmoid", lambda x: -softplus(-x), lambda x: sigmoid(-x))
HARD_SIGMOID = row("hard_sigmoid", FUNCTIONS["hard sigmoid"], lambda x: (np.abs(x) < 3) / 6)
HARD_SIGMOID_BY_5 = row(
    "hard_sigmoid_of_keras_2",
    FUNCTIONS["hard sigmoid (of Keras 2)"],
    lambda x: (np.abs(x) < 2.5) / 5,
)
HARD_SWISH = row("hard_swish", FUNCTIONS["hard swish"], hard_swish_slope)
SOFT_SHRINK = row(
    "soft_shrink",
    lambda x, least: np.sign(x) * np.maximum(np.abs(x) - least, 0),
    lambda x, least: np.abs(x) > least,
    "least",
)
TANH_SHRINK = row("tanh_shrink", lambda x: x - np.tanh(x), lambda x: np.tanh(x) ** 2)


def leaky(o: Arithmetic, node: Node, slots: Slots, x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, slots["slope"] * x)


def leaky_adjoint(step: Step, g: np.ndarray) -> Gradients:
    slope, below = step.slots["slope"], step.decisive <= 0
    of_slope = np.where(below, g * step.inputs[0], 0)
    if slope.size == 1:  # one number for all channels
        of_slope = of_slope.sum().reshape(slope.shape)
    else:
        of_slope = of_slope.sum(axis=tuple(range(of_slope.ndim - slope.ndim)))
    return [g * np.where(below, slope, 1)], {"slope": of_slope}


PRELU = activation("prelu", slots="slope", forward=leaky, adjoint=leaky_adjoint)
