"""A function that is cut off below and above: ReLU6, the hard tanh."""

from __future__ import annotations

import numpy as np

from conformance.kinds.activations import another, rectified
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """``low`` or ``high`` is None where nothing is cut off."""
    return np.clip(x, node.attributes["low"], node.attributes["high"])


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    low, high = step.node.attributes["low"], step.node.attributes["high"]
    above = np.bool_(True) if low is None else step.decisive > low
    below = np.bool_(True) if high is None else step.decisive < high
    return [g * (above & below)], {}


def spread(node: Node, x: Spread) -> Spread:
    return rectified(x) if node.attributes["low"] == 0 else x


def bounds(t: Trial) -> Altered:
    """The smallest and the largest value that were found."""
    low, high = float(t.found.min()), float(t.found.max())
    yield from t.fitted(high, lambda top: t.run(high=top), "it is cut off above {}")
    yield from t.fitted(low, lambda least: t.run(low=least), "it is cut off below {}")


CLIP = Kind(
    name="clip",
    attributes="low high",
    forward=forward,
    adjoint=adjoint,
    reads="decisive",
    spread=spread,
    altered=("left out", lambda t: t.x),
    causes=(left_out, another),
    fitted=(bounds,),
    written=None,
    traits="activation passing",
)
