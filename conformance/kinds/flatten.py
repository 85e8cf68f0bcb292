"""A map as a vector: row by row, pixel by pixel, channel by channel."""

from __future__ import annotations

from conformance.kinds.hypotheses import flattened
from conformance.kinds.kind import Kind, same

FLATTEN = Kind(
    name="flatten",
    attributes="order",
    forward=lambda o, node, slots, x: x.reshape(len(x), -1),
    adjoint=lambda step, g: ([g.reshape(step.inputs[0].shape)], {}),
    reads="",
    spread=same,
    altered=(
        "width before height",
        lambda t: t.x.transpose(0, 2, 1, 3).reshape(len(t.x), -1),
    ),
    causes=(flattened,),
    written=None,
    traits="passing keeps_sign whole",
)
