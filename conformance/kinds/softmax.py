"""Softmax over the channels, and its logarithm."""

from __future__ import annotations

from math import log

import numpy as np

from conformance.graph.model import Node
from conformance.kinds.alterations import skipped
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import (
    NON_NEGATIVE,
    PASSING,
    Arithmetic,
    Gradients,
    Kind,
    Spread,
    Step,
    same,
)


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    e = o.stored(np.exp(x - x.max(axis=-1, keepdims=True)))
    return e / e.sum(axis=-1, keepdims=True)


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    y = step.result
    return [y * (g - (g * y).sum(axis=-1, keepdims=True))], {}


def otherwise(t: Trial) -> Altered:
    yield "it is applied twice", t.run(t.want)
    yield "its logarithm is returned", np.log(t.want)
    for axis in range(t.x.ndim - 1):
        e = np.exp(t.x - t.x.max(axis=axis, keepdims=True))
        yield (
            f"it is taken over {('the batch', 'rows', 'columns')[axis]}",
            e / e.sum(axis=axis, keepdims=True),
        )


SOFTMAX = Kind(
    name="softmax",
    forward=forward,
    adjoint=adjoint,
    spread=same,
    altered=("left out", skipped),
    causes=(left_out, otherwise),
    written=None,
    traits=frozenset({PASSING, NON_NEGATIVE}),
)


def log_forward(
    o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    below = o.stored(x - x.max(axis=-1, keepdims=True))
    return below - o.stored(np.log(o.stored(np.exp(below)).sum(axis=-1, keepdims=True)))


def log_adjoint(step: Step, g: np.ndarray) -> Gradients:
    return [g - np.exp(step.result) * g.sum(axis=-1, keepdims=True)], {}


def log_spread(node: Node, x: Spread) -> Spread:
    """The logarithm of a sum of n exponentials lies log n above a normal variable, and more."""
    mean = -log(node.shape[-1]) - x.variance / 2
    return Spread(mean, mean**2 + x.variance)


def log_otherwise(t: Trial) -> Altered:
    yield "its logarithm is not taken: it is a softmax", np.exp(t.want)
    for axis in range(t.x.ndim - 1):
        below = t.x - t.x.max(axis=axis, keepdims=True)
        yield (
            f"it is taken over {('the batch', 'rows', 'columns')[axis]}",
            below - np.log(np.exp(below).sum(axis=axis, keepdims=True)),
        )


LOG_SOFTMAX = Kind(
    name="log_softmax",
    forward=log_forward,
    adjoint=log_adjoint,
    spread=log_spread,
    altered=("left out", skipped),
    causes=(left_out, log_otherwise),
    written=None,
    traits=frozenset({PASSING}),
)
