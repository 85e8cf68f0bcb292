"""Averages of windows that divide a map into so many, however large it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from conformance.kinds.hypotheses import result
from conformance.kinds.kind import Gradients, Kind, Node, Step
from conformance.kinds.pools import average_spread

Window = tuple[slice, slice]


def bounds(size: int, count: int) -> list[slice]:
    """Where ``count`` windows begin and end that cover ``size`` cells; neighbours may overlap."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def windows(node: Node, x: np.ndarray) -> Iterator[tuple[int, int, Window]]:
    """The row and column of every result, and the window that it is of."""
    height, width = node.attributes["size"]
    for i, rows in enumerate(bounds(x.shape[1], height)):
        for j, columns in enumerate(bounds(x.shape[2], width)):
            yield i, j, (rows, columns)


def reduced(node: Node, x: np.ndarray, reduce: Callable[..., np.ndarray]) -> np.ndarray:
    y = np.empty((len(x), *node.attributes["size"], x.shape[-1]), x.dtype)
    for i, j, (rows, columns) in windows(node, x):
        y[:, i, j] = reduce(x[:, rows, columns], axis=(1, 2))
    return y


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,) = step.inputs
    back = np.zeros(x.shape, g.dtype)
    for i, j, (rows, columns) in windows(step.node, x):
        part = back[:, rows, columns]
        part += g[:, i : i + 1, j : j + 1] / g.dtype.type(part.shape[1] * part.shape[2])
    return [back], {}


ADAPTIVE_AVG_POOL = Kind(
    name="adaptive_avg_pool",
    attributes="size",
    forward=lambda o, node, slots, x: reduced(node, x, np.mean),
    adjoint=adjoint,
    reads="",
    spread=average_spread,
    altered=("maximum for average", lambda t: reduced(t.node, t.x, np.max)),
    causes=(result("it is the maximum, not the average", lambda t: reduced(t.node, t.x, np.max)),),
    written=None,
    counted="pooling layers",
    traits="pooling resizing keeps_sign",
)
