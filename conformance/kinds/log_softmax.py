"""The logarithm of the softmax over the channels."""

from __future__ import annotations

from math import log

import numpy as np

from conformance.kinds.arrays import back_over_its_axis, over_its_axis
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    less = o.stored(x - x.max(axis=-1, keepdims=True))
    return less - np.log(o.stored(np.exp(less)).sum(axis=-1, keepdims=True))


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    return [g - np.exp(step.result) * g.sum(axis=-1, keepdims=True)], {}


def spread(node: Node, x: Spread) -> Spread:
    """A normal variable less the logarithm of the sum of as many as there are classes."""
    mean = x.mean - (x.mean + x.variance / 2 + log(node.shape[-1]))
    return Spread(mean, mean**2 + x.variance)


def otherwise(t: Trial) -> Altered:
    yield "it is the softmax, not its logarithm", np.exp(t.want)
    yield "it is negated", -t.want


LOG_SOFTMAX = Kind(
    name="log_softmax",
    optional="axis",
    forward=over_its_axis(forward),
    adjoint=back_over_its_axis(adjoint),
    spread=spread,
    altered=("softmax for its logarithm", lambda t: t.run(kind="softmax")),
    causes=(left_out, otherwise),
    written=None,
    traits="passing",
)
