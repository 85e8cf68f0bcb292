"""A larger map, every pixel repeated."""

from __future__ import annotations

import numpy as np

from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Step, same


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    height, width = node.attributes["factor"]
    return x.repeat(height, axis=1).repeat(width, axis=2)


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,), (height, width) = step.inputs, step.node.attributes["factor"]
    batch, rows, columns, maps = x.shape
    return [g.reshape(batch, rows, height, columns, width, maps).sum(axis=(2, 4))], {}


def zeros_between(t: Trial) -> np.ndarray:
    """Each pixel once, in the corner of its cell, as before a transposed convolution."""
    (height, width), (batch, rows, columns, maps) = t.node.attributes["factor"], t.x.shape
    result = np.zeros((batch, rows * height, columns * width, maps), t.x.dtype)
    result[:, ::height, ::width] = t.x
    return result


def bilinear(t: Trial) -> Altered:
    """Interpolated between pixels, with half-pixel centres or aligned corners."""
    for aligned, words in ((False, "half-pixel centres"), (True, "aligned corners")):
        y = t.x
        for axis, factor in zip((1, 2), t.node.attributes["factor"], strict=True):
            size = y.shape[axis]
            where = (np.arange(size * factor) + 0.5) / factor - 0.5
            if aligned:
                where = np.linspace(0, size - 1, size * factor)
            where = np.clip(where, 0, size - 1)
            low = np.minimum(where.astype(int), max(size - 2, 0))
            share = (where - low).reshape([-1 if i == axis else 1 for i in range(y.ndim)])
            high = np.minimum(low + 1, size - 1)
            y = y.take(low, axis) * (1 - share) + y.take(high, axis) * share
        yield f"it is bilinear, not nearest, with {words}", y


UPSAMPLE = Kind(
    name="upsample",
    attributes="factor",
    forward=forward,
    adjoint=adjoint,
    reads="",
    spread=same,
    altered=("zeros between the pixels", zeros_between),
    causes=(bilinear,),
    written=None,
    traits="resizing",
)
