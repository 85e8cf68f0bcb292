"""Normalisations by other statistics, constants and neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.numbers.causes.experiment import Altered, Trial
from conformance.numbers.causes.hypotheses import Hypothesis
from conformance.numbers.oracle import batch_statistics, by_offset, pad


def normalised(words: str, scale: Callable[[np.ndarray, float], np.ndarray]) -> Hypothesis:
    """A batch norm whose variance becomes a divisor in another way."""

    def tried(t: Trial) -> Altered:
        if t.node.attributes.get("statistics") == "batch":
            mean, variance = batch_statistics(t.x)
        else:
            mean, variance = t.slots.get("mean", np.zeros(1)), t.slots["variance"]
        by = scale(variance, t.node.attributes["epsilon"])
        yield words, (t.x - mean) / by * t.slots.get("gamma", 1.0) + t.slots.get("beta", 0.0)

    return tried


def exchanged(words: str, one: str, other: str) -> Hypothesis:
    """Two slots in each other's place."""

    def tried(t: Trial) -> Altered:
        if one in t.slots and other in t.slots:
            yield words, t.run(slots={one: t.slots[other], other: t.slots[one]})

    return tried


def statistics(t: Trial) -> Altered:
    """Other statistics than the node's: those of the batch, an image, a pixel, or the stored."""
    gamma, beta = t.slots.get("gamma", 1.0), t.slots.get("beta", 0.0)
    epsilon = t.node.attributes["epsilon"]
    if batch := t.node.attributes.get("statistics") == "batch":
        if "variance" in t.slots:
            yield "the running statistics are taken in training", t.run(statistics="running")
        count = t.x.size // t.x.shape[-1]
        mean, variance = batch_statistics(t.x)
        unbiased = variance * count / max(count - 1, 1)
        words = "the map is divided by the unbiased deviation, with n - 1 for n"
        yield words, (t.x - mean) / np.sqrt(unbiased + epsilon) * gamma + beta
    own = tuple(range(1, t.x.ndim - 1))
    over = {
        "the batch's statistics are taken in inference": tuple(range(t.x.ndim - 1)),
        "each image is normalised by itself (instance norm)": own,
        "each image is normalised over all its channels (layer norm)": (*own, t.x.ndim - 1),
        "each pixel is normalised over its channels (layer norm)": (t.x.ndim - 1,),
    }
    for words, axes in list(over.items())[batch:]:
        mean, variance = (f(axis=axes, keepdims=True) for f in (t.x.mean, t.x.var))
        yield words, (t.x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def epsilons(t: Trial) -> Altered:
    for epsilon in (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 1e-4, 2e-5, 0.0):
        yield (
            f"epsilon is {epsilon:g}, not {t.node.attributes['epsilon']:g}",
            t.run(epsilon=epsilon),
        )


def responses(t: Trial) -> Altered:
    """Local response normalisation with another constant, or with two defaults of a framework."""
    a = t.node.attributes
    n, alpha = int(a["n"]), a["alpha"]
    choices: dict[str, tuple[Any, ...]] = {
        "alpha": (1e-4, 5e-4, 2e-5, 1.0),
        "k": (1.0, 2.0, 0.0),
        "beta": (0.75, 0.5, 1.0),
        "n": (2 * n + 1, n // 2, 5, 3, 11),
    }
    yield "alpha is divided by n", t.run(alpha=alpha / n)
    yield "alpha is multiplied by n", t.run(alpha=alpha * n)
    for name, values in choices.items():
        for value in values:
            if value != a[name] and (name != "n" or value):
                yield f"{name} is {value:g}, not {a[name]:g}", t.run(**{name: value})
    # PyTorch's defaults, and TensorFlow's.
    for times, words in ((1 / n, "divided by n"), (n, "multiplied by n"), (1, "")):
        for beta in dict.fromkeys((a["beta"], 0.5, 0.75)):
            said = [f"alpha is {words}"] if words else []
            said += [f"beta is {beta:g}"] if beta != a["beta"] else []
            yield " and ".join(["k is 1", *said]), t.run(k=1.0, beta=beta, alpha=alpha * times)


def response_windows(t: Trial) -> Altered:
    """The sum of squares is taken over other cells."""
    a = t.node.attributes
    n = int(a["n"])

    def by(total: np.ndarray) -> np.ndarray:
        return np.asarray(t.x / (a["k"] + a["alpha"] * total) ** a["beta"])

    squares = t.x**2
    if n % 2 == 0:
        grown = np.pad(squares, [(0, 0)] * (t.x.ndim - 1) + [((n - 1) // 2, n // 2)])
        total = sum(grown[..., i : i + t.x.shape[-1]] for i in range(n))
        yield "the even window is shifted by one channel", by(np.asarray(total))
    around = ((n // 2, (n - 1) // 2),) * 2
    window = {"kernel": (n, n), "stride": (1, 1)}
    total = by_offset(pad(squares, around), window, np.add)
    yield "the window is over space, within a channel", by(total)
    yield "the window is over space, and averaged", by(total / n**2)
