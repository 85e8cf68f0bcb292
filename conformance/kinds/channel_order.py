"""The channels of a map in another order, as from RGB to BGR."""

from __future__ import annotations

import numpy as np

from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Step, same


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    return x[..., list(node.attributes["order"])]


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    return [g[..., np.argsort(step.node.attributes["order"])]], {}


CHANNEL_ORDER = Kind(
    name="channel_order",
    attributes="order",
    forward=forward,
    adjoint=adjoint,
    reads="",
    spread=same,
    altered=("turned by one channel", lambda t: np.roll(t.run(), 1, axis=-1)),
    causes=(left_out,),
    written=None,
)
