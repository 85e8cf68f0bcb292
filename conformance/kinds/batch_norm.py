"""Batch normalisation, by running statistics or by the batch's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from conformance.kinds.arrays import back_over_its_axis, over_channels, over_its_axis
from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import epsilons, left_out, slot
from conformance.kinds.kind import Arithmetic, Gradients, Hypothesis, Kind, Node, Spread, Step


def batch_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel over the batch and the map; the variance is biased."""
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


def running_statistics(
    node: Node, slots: dict[str, np.ndarray], x: np.ndarray
) -> dict[str, np.ndarray]:
    """What a training step on the input ``x`` makes of a norm's running mean and variance.

    The share ``momentum`` of the old one is kept; ``unbiased`` says whether the variance that
    flows in is that of a sample, count / (count - 1) times the batch's own.
    """
    mean, variance = batch_statistics(x)
    count, kind = x.size // x.shape[-1], x.dtype.type
    if node.attributes["unbiased"]:
        variance = variance * kind(count / (count - 1))
    kept = kind(node.attributes["momentum"])
    flowing = {"mean": mean, "variance": variance}
    return {
        slot: kept * slots[slot] + (1 - kept) * new
        for slot, new in flowing.items()
        if slot in slots
    }


def of_batch(node: Node) -> bool:
    """Whether a norm takes the statistics of the batch, as in training."""
    return node.attributes.get("statistics") == "batch"


def moments(node: Node, slots: Mapping[str, np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """The mean and the variance that a norm normalises by."""
    if of_batch(node):
        return list(batch_statistics(x))
    return [slots.get("mean", np.zeros(1, x.dtype)), slots["variance"]]


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    kind = x.dtype.type
    mean, variance = map(o.stored, moments(node, slots, x))
    scale = slots.get("gamma", kind(1)) / np.sqrt(variance + kind(node.attributes["epsilon"]))
    return o.stored(o.stored(x - mean) * o.stored(scale)) + slots.get("beta", kind(0))


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,), slots, kind = step.inputs, step.slots, g.dtype.type
    mean, variance = moments(step.node, slots, x)
    scale = 1 / np.sqrt(variance + kind(step.node.attributes["epsilon"]))
    normal = (x - mean) * scale
    of_slots = {"gamma": over_channels(g * normal), "beta": over_channels(g)}
    if of_batch(step.node):  # what moves the batch's mean or spread is taken back
        count = kind(x.size // x.shape[-1])
        g = g - of_slots["beta"] / count - normal * (of_slots["gamma"] / count)
    return [g * (slots.get("gamma", kind(1)) * scale)], of_slots


def normalised(words: str, scale: Callable[[np.ndarray, float], np.ndarray]) -> Hypothesis:
    """A batch norm whose variance becomes a divisor in another way."""

    def tried(t: Trial) -> Altered:
        mean, variance = moments(t.node, t.slots, t.x)
        by = scale(variance, t.node.attributes["epsilon"])
        yield words, (t.x - mean) / by * t.slots.get("gamma", 1.0) + t.slots.get("beta", 0.0)

    return tried


def exchanged(words: str, one: str, other: str) -> Hypothesis:
    """Two slots in each other's place."""

    def tried(t: Trial) -> Altered:
        if one in t.slots and other in t.slots:
            yield words, t.run(slots={one: t.slots[other], other: t.slots[one]})

    return tried


def by_others(t: Trial, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """What a norm computes by other statistics."""
    normal = (t.x - mean) / np.sqrt(variance + t.node.attributes["epsilon"])
    return np.asarray(normal * t.slots.get("gamma", 1.0) + t.slots.get("beta", 0.0))


def statistics(t: Trial) -> Altered:
    """Other statistics than the node's: those of the batch, an image, a pixel, or the stored."""
    if batch := of_batch(t.node):
        if "variance" in t.slots:
            yield "the running statistics are taken in training", t.run(statistics="running")
        count = t.x.size // t.x.shape[-1]
        mean, variance = batch_statistics(t.x)
        words = "the map is divided by the unbiased deviation, with n - 1 for n"
        yield words, by_others(t, mean, variance * count / max(count - 1, 1))
    own = tuple(range(1, t.x.ndim - 1))
    over = {
        "the batch's statistics are taken in inference": tuple(range(t.x.ndim - 1)),
        "each image is normalised by itself (instance norm)": own,
        "each image is normalised over all its channels (layer norm)": (*own, t.x.ndim - 1),
        "each pixel is normalised over its channels (layer norm)": (t.x.ndim - 1,),
    }
    for words, axes in list(over.items())[batch:]:
        yield words, by_others(t, *(f(axis=axes, keepdims=True) for f in (t.x.mean, t.x.var)))


def epsilon(t: Trial) -> Altered:
    """(x - mean) gamma / sqrt(variance + epsilon) + beta, channel by channel."""
    mean, variance = moments(t.node, t.slots, t.x)
    axes = tuple(range(t.x.ndim - 1))
    centred = (t.x - mean) * t.slots.get("gamma", 1.0)
    inverse = ((t.found - t.slots.get("beta", 0.0)) * centred).sum(axes) / (centred**2).sum(axes)
    value = float(np.median(1 / inverse**2 - variance))
    words = f"epsilon is {{}}, not {t.node.attributes['epsilon']:g}"
    yield from t.fitted(value, lambda e: t.run(epsilon=e), words)


#: What is done to a norm's gamma and beta, and a control arm.
affine: tuple[Hypothesis, ...] = (
    exchanged("gamma and beta are in each other's place", "gamma", "beta"),
    slot("gamma is left out", "gamma", lambda gamma: None),
    slot("beta is left out", "beta", lambda beta: None),
    slot("gamma + 1 is taken for gamma", "gamma", lambda gamma: gamma + 1),
)


def ten_times(t: Trial) -> np.ndarray:
    return t.run(epsilon=10 * t.node.attributes["epsilon"])


BATCH_NORM = Kind(
    name="batch_norm",
    attributes="epsilon",
    optional="statistics momentum unbiased axis",
    slots="gamma beta mean variance",
    forward=over_its_axis(forward),
    adjoint=back_over_its_axis(adjoint),
    reads="inputs",
    # gamma^2 (x - mean)^2 / variance + beta^2, each uniform as canonical weights are.
    spread=lambda node, x: Spread(0.0, 1.4),
    altered=("epsilon ten times larger", ten_times),
    causes=(
        epsilons,
        exchanged("mean and variance are in each other's place", "mean", "variance"),
        *affine,
        slot("the mean is not subtracted", "mean", lambda mean: None),
        normalised("the variance is taken for the deviation", lambda v, e: v + e),
        normalised("the stored variance is taken for a deviation", lambda v, e: np.sqrt(v**2 + e)),
        normalised("epsilon is added to the deviation, not to the variance",
                   lambda v, e: np.sqrt(v) + e),
        statistics,
        left_out,
    ),
    fitted=(epsilon,),
    written=None,
    traits="norm passing",
)  # fmt: skip
