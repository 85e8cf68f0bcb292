"""A border around the map, or channels beside it, where no convolution or pooling takes it in."""

from __future__ import annotations

from math import prod

import numpy as np

from conformance.kinds.arrays import pad, unpad
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step
from conformance.kinds.windows import sides


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    y = pad(x, a["padding"], a["value"])
    channels = a.get("channels", (0, 0))
    return np.pad(y, ((0, 0), (0, 0), (0, 0), channels), constant_values=a["value"])


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    a = step.node.attributes
    before, after = a.get("channels", (0, 0))
    return [unpad(g[..., before : g.shape[-1] - after], a["padding"])], {}


def spread(node: Node, x: Spread) -> Spread:
    filled = prod(x.shape) / prod(node.shape)
    return Spread(x.mean * filled, x.moment * filled)


def elsewhere(t: Trial) -> Altered:
    """Zeros on the other side, of the map or of its channels, or on both."""
    a = t.node.attributes
    low, high = a.get("channels", (0, 0))
    total = low + high
    for channels in dict.fromkeys(((high, low), (total // 2, total - total // 2), (total, 0))):
        words = f"{channels[0]} channels are padded in front, {channels[1]} behind"
        yield words, t.run(channels=channels)
    (top, bottom), (left, right) = a["padding"]
    for around in (((bottom, top), (right, left)), ((bottom, top), (left, right)),
                   ((top, bottom), (right, left))):  # fmt: skip
        yield f"padding is {sides(around)}, not {sides(a['padding'])}", t.run(padding=around)


PAD = Kind(
    name="pad",
    attributes="padding value",
    optional="channels",
    forward=forward,
    adjoint=adjoint,
    reads="",
    spread=spread,
    altered=("one more than its value", lambda t: t.run(value=t.node.attributes["value"] + 1)),
    causes=(elsewhere,),
    written=None,
    traits="passing",
)
