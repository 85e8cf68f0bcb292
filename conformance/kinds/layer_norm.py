"""Layer normalisation (Ba, Kiros and Hinton 2016) over the channels: each place by itself.

Over all of a map it is a group norm of one group.
"""

from __future__ import annotations

import numpy as np

from conformance.kinds.batch_norm import affine, by_others, ten_times
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.group_norm import norm_by
from conformance.kinds.hypotheses import epsilons, left_out
from conformance.kinds.kind import Kind, Node, Spread


def statistics(node: Node, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the channels at each place."""
    return x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)


def over_the_map(t: Trial) -> Altered:
    """The statistics of all of an image."""
    over = tuple(range(1, t.x.ndim))
    words = "its statistics are those of the whole map"
    yield words, by_others(t, *(f(axis=over, keepdims=True) for f in (t.x.mean, t.x.var)))


forward, adjoint = norm_by(statistics)

LAYER_NORM = Kind(
    name="layer_norm",
    attributes="epsilon",
    slots="gamma beta",
    forward=forward,
    adjoint=adjoint,
    reads="inputs",
    # gamma^2 times what is normal, and beta^2, each uniform as canonical weights are.
    spread=lambda node, x: Spread(0.0, 1.2),
    altered=("epsilon ten times larger", ten_times),
    causes=(epsilons, over_the_map, *affine, left_out),
    written=None,
    traits="norm passing",
)
