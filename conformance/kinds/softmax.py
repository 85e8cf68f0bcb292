"""Softmax over the channels."""

from __future__ import annotations

import numpy as np

from conformance.kinds.arrays import back_over_its_axis, over_its_axis
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.functions import softmax
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Step, same


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
        where = ("the batch", "rows", "columns")[axis]
        yield f"it is taken over {where}", softmax(t.x, axis)


SOFTMAX = Kind(
    name="softmax",
    optional="axis",
    forward=over_its_axis(forward),
    adjoint=back_over_its_axis(adjoint),
    spread=same,
    altered=("left out", lambda t: t.x),
    causes=(left_out, otherwise),
    written=None,
    traits="passing non_negative",
)
