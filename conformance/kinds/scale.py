"""Multiplication and addition by constants or parameters: of the image, of a residual branch."""

from __future__ import annotations

import numpy as np

from conformance.kinds.arrays import back_over_its_axis, over_channels, over_its_axis
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    y = x * np.asarray(node.attributes["factor"], x.dtype)
    y = o.stored(y) * slots["gamma"] if "gamma" in slots else y
    if "offset" in node.attributes:
        y = o.stored(y) + np.asarray(node.attributes["offset"], x.dtype)
    return o.stored(y) + slots["beta"] if "beta" in slots else y


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    factor = np.asarray(step.node.attributes["factor"], g.dtype)
    of_slots = {"gamma": over_channels(g * step.inputs[0] * factor), "beta": over_channels(g)}
    for name in of_slots.keys() & step.slots.keys():
        if step.slots[name].size == 1:  # one number for all channels
            of_slots[name] = of_slots[name].sum(keepdims=True)
    return [g * factor * step.slots.get("gamma", g.dtype.type(1))], of_slots


def spread(node: Node, x: Spread) -> Spread:
    by = float(np.mean(np.abs(node.attributes["factor"])))
    return Spread(x.mean * by, x.moment * by**2)


SCALE = Kind(
    name="scale",
    attributes="factor",
    optional="offset axis",
    slots="gamma beta",
    forward=over_its_axis(forward),
    adjoint=back_over_its_axis(adjoint),
    spread=spread,
    altered=("left out", lambda t: t.x),
    causes=(left_out,),
    written=None,
    traits="passing",
)
