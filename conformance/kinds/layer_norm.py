"""Layer normalisation (Ba, Kiros and Hinton 2016) over the channels: each place by itself.

Over all of a map it is a group norm of one group.
"""

from __future__ import annotations

import numpy as np

from conformance.kinds.arrays import over_channels
from conformance.kinds.batch_norm import affine, ten_times
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import epsilons, left_out
from conformance.kinds.kind import NORM, PASSING, Arithmetic, Gradients, Kind, Node, Spread, Step


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the channels at each place."""
    return x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    kind = x.dtype.type
    mean, variance = map(o.stored, moments(x))
    scale = o.stored(1 / np.sqrt(variance + kind(node.attributes["epsilon"])))
    normal = o.stored(o.stored(x - mean) * scale)
    return o.stored(normal * slots.get("gamma", kind(1))) + slots.get("beta", kind(0))


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,), kind = step.inputs, g.dtype.type
    mean, variance = moments(x)
    scale = 1 / np.sqrt(variance + kind(step.node.attributes["epsilon"]))
    normal = (x - mean) * scale
    of_slots = {"gamma": over_channels(g * normal), "beta": over_channels(g)}
    g = g * step.slots.get("gamma", kind(1))
    # What moves a place's mean or spread is taken back.
    moved, spread = (each.mean(axis=-1, keepdims=True) for each in (g, g * normal))
    return [(g - moved - normal * spread) * scale], of_slots


def over_the_map(t: Trial) -> Altered:
    """The statistics of all of an image."""
    over = tuple(range(1, t.x.ndim))
    mean, variance = (f(axis=over, keepdims=True) for f in (t.x.mean, t.x.var))
    normal = (t.x - mean) / np.sqrt(variance + t.node.attributes["epsilon"])
    words = "its statistics are those of the whole map"
    yield words, normal * t.slots.get("gamma", 1.0) + t.slots.get("beta", 0.0)


LAYER_NORM = Kind(
    name="layer_norm",
    attributes="epsilon",
    slots="gamma beta",
    forward=forward,
    adjoint=adjoint,
    # gamma^2 times what is normal, and beta^2, each uniform as canonical weights are.
    spread=lambda node, x: Spread(0.0, 1.2),
    altered=("epsilon ten times larger", ten_times),
    causes=(epsilons, over_the_map, *affine, left_out),
    written=None,
    traits=frozenset({NORM, PASSING}),
)
