"""Group normalisation (Wu and He 2018): each image by itself, over groups of its channels.

One group is a layer norm of the whole map, as many groups as channels are an instance norm.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.kinds.arrays import over_channels
from conformance.kinds.batch_norm import affine, batch_statistics, by_others, ten_times
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import epsilons, left_out
from conformance.kinds.kind import Adjoint, Arithmetic, Forward, Gradients, Kind, Node, Spread, Step

Statistics = Callable[[Node, np.ndarray], tuple[np.ndarray, np.ndarray]]


def norm_by(statistics: Statistics) -> tuple[Forward, Adjoint]:
    """A norm by mean and variance of the map itself, to be broadcast over it; and its adjoint."""

    def forward(
        o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray
    ) -> np.ndarray:
        kind = x.dtype.type
        mean, variance = map(o.stored, statistics(node, x))
        scale = o.stored(1 / np.sqrt(variance + kind(node.attributes["epsilon"])))
        normal = o.stored(o.stored(x - mean) * scale)
        return o.stored(normal * slots.get("gamma", kind(1))) + slots.get("beta", kind(0))

    def adjoint(step: Step, g: np.ndarray) -> Gradients:
        (x,), node, kind = step.inputs, step.node, g.dtype.type
        mean, variance = statistics(node, x)
        scale = 1 / np.sqrt(variance + kind(node.attributes["epsilon"]))
        normal = (x - mean) * scale
        of_slots = {"gamma": over_channels(g * normal), "beta": over_channels(g)}
        g = g * step.slots.get("gamma", kind(1))
        # What moves the mean or the spread of those that are normalised together is taken back.
        (moved, _), (spread, _) = statistics(node, g), statistics(node, g * normal)
        return [(g - moved - normal * spread) * scale], of_slots

    return forward, adjoint


def statistics(node: Node, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel's group."""
    groups = node.attributes["groups"]
    each = x.shape[-1] // groups
    cells, shape = x.reshape(len(x), -1, groups, each), (len(x), *[1] * (x.ndim - 2), groups)
    mean, variance = (f(axis=(1, 3)).reshape(shape) for f in (cells.mean, cells.var))
    return mean.repeat(each, axis=-1), variance.repeat(each, axis=-1)


def other_groups(t: Trial) -> Altered:
    """Another number of groups, channels dealt out in turn, or the statistics of a batch."""
    channels, own = t.x.shape[-1], t.node.attributes["groups"]
    for groups in (g for g in range(1, channels + 1) if channels % g == 0 and g != own):
        words = f"it has {groups} group{'s' * (groups > 1)}, not {own}"
        yield words, t.run(groups=groups)
    order = np.arange(channels).reshape(-1, own).T.reshape(-1)
    slots = {name: values[order] for name, values in t.slots.items()}
    dealt = t.run(t.x[..., order], slots=slots)[..., np.argsort(order)]
    yield "channels are dealt to the groups in turn, not side by side", dealt
    words = "the batch's statistics are taken (batch norm)"
    yield words, by_others(t, *batch_statistics(t.x))


def epsilon(t: Trial) -> Altered:
    """The gain of the whole map says what was added to the variance of each group."""
    mean, variance = statistics(t.node, t.x)
    centred = (t.x - mean) * t.slots.get("gamma", 1.0)
    got = t.found - t.slots.get("beta", 0.0)
    seen = np.abs(centred) > np.abs(centred).mean()
    value = float(np.median(((centred / got) ** 2 - variance)[seen]))
    words = f"epsilon is {{}}, not {t.node.attributes['epsilon']:g}"
    yield from t.fitted(value, lambda e: t.run(epsilon=e), words)


forward, adjoint = norm_by(statistics)

GROUP_NORM = Kind(
    name="group_norm",
    attributes="groups epsilon",
    slots="gamma beta",
    forward=forward,
    adjoint=adjoint,
    reads="inputs",
    # gamma^2 times what is normal, and beta^2, each uniform as canonical weights are.
    spread=lambda node, x: Spread(0.0, 1.2),
    altered=("epsilon ten times larger", ten_times),
    causes=(epsilons, other_groups, *affine, left_out),
    fitted=(epsilon,),
    written=None,
    traits="norm passing",
)
