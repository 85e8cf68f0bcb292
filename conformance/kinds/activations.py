"""Functions of each number by itself."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np

from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.functions import FUNCTIONS
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Kind, Spread


def rectified(x: Spread) -> Spread:
    """Mean and second moment of the positive part of a normal variable."""
    sigma = sqrt(x.variance) or 1e-30
    above = (1 + erf(x.mean / sigma / sqrt(2))) / 2
    density = exp(-((x.mean / sigma) ** 2) / 2) / sqrt(2 * pi)
    return Spread(
        x.mean * above + sigma * density,
        x.moment * above + x.mean * sigma * density,
    )


def another(t: Trial) -> Altered:
    for name, function in FUNCTIONS.items():
        if name != t.node.kind:
            yield f"{name} stands in its place", function(t.x)


def slope(t: Trial) -> Altered:
    below = t.x < 0
    if below.any():
        value = float(np.vdot(t.found[below], t.x[below]) / np.vdot(t.x[below], t.x[below]))
        words = "leaky relu (slope {}) stands in its place"
        seen = int(np.count_nonzero(below))
        yield from t.fitted(value, lambda s: np.where(t.x < 0, s * t.x, t.x), words, seen)


def clipped(t: Trial) -> Altered:
    """A largest value, as in a ReLU6."""
    words = "it is cut off above {}"
    yield from t.fitted(float(t.found.max()), lambda top: np.minimum(t.want, top), words)


TRAITS = "activation passing"

RELU = Kind(
    name="relu",
    forward=lambda o, node, slots, x: np.maximum(x, 0),
    adjoint=lambda step, g: ([g * (step.decided > 0)], {}),
    reads="decided",
    spread=lambda node, x: rectified(x),
    altered=("left out", lambda t: t.x),
    causes=(left_out, another),
    fitted=(slope, clipped),
    written=None,
    counted="ReLUs",
    traits=f"{TRAITS} non_negative",
)

TANH = Kind(
    name="tanh",
    forward=lambda o, node, slots, x: np.tanh(x),
    adjoint=lambda step, g: ([g * (1 - step.result**2)], {}),
    reads="result",
    spread=lambda node, x: Spread(0.0, min(x.moment, 0.4)),
    altered=("logistic for tanh", lambda t: t.run(kind="sigmoid")),
    causes=(left_out, another),
    written=None,
    traits=TRAITS,
)

SIGMOID = Kind(
    name="sigmoid",
    forward=lambda o, node, slots, x: 1 / (1 + o.stored(np.exp(-x))),
    adjoint=lambda step, g: ([g * step.result * (1 - step.result)], {}),
    reads="result",
    spread=lambda node, x: Spread(0.0, min(x.moment, 0.4)),
    altered=("tanh for logistic", lambda t: t.run(kind="tanh")),
    causes=(left_out, another),
    written=None,
    traits=f"{TRAITS} non_negative",
)
