"""Hypotheses with a number in them, which is solved for from what the port has and then tried.

Each solves for a few numbers from many; what comes out is believed only where computing the node
with it gives all of the port's result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

from conformance.numbers.causes.experiment import TIMES, Altered, Trial, least_squares
from conformance.numbers.causes.hypotheses import Hypothesis
from conformance.numbers.oracle import batch_statistics, convolve


def _got(t: Trial) -> np.ndarray:
    assert t.got is not None  # whoever solves for a number has what it comes from
    return t.got


def epsilon(t: Trial) -> Altered:
    """(x - mean) gamma / sqrt(variance + epsilon) + beta, channel by channel."""
    mean, variance = t.slots.get("mean", np.zeros(1)), t.slots.get("variance")
    if t.node.attributes.get("statistics") == "batch":
        mean, variance = batch_statistics(t.x)
    assert variance is not None  # every norm has one or the other
    axes = tuple(range(t.x.ndim - 1))
    centred = (t.x - mean) * t.slots.get("gamma", 1.0)
    inverse = ((_got(t) - t.slots.get("beta", 0.0)) * centred).sum(axes) / (centred**2).sum(axes)
    value = float(np.median(1 / inverse**2 - variance))
    words = f"epsilon is {{}}, not {t.node.attributes['epsilon']:g}"
    yield from t.fitted(value, lambda e: t.run(epsilon=e), words)


def slope(t: Trial) -> Altered:
    below = t.x < 0
    if below.any():
        value = float(np.vdot(_got(t)[below], t.x[below]) / np.vdot(t.x[below], t.x[below]))
        words = "leaky relu (slope {}) stands in its place"
        seen = int(np.count_nonzero(below))
        yield from t.fitted(value, lambda s: np.where(t.x < 0, s * t.x, t.x), words, seen)


def clipped(t: Trial) -> Altered:
    """A largest value, as in a ReLU6."""
    words = "it is cut off above {}"
    yield from t.fitted(float(_got(t).max()), lambda top: np.minimum(t.want, top), words)


def response(t: Trial) -> Altered:
    """(x / y)^(1 / beta) is k + alpha times a sum of squares: k and alpha, for each n and beta."""
    a, x, y = t.node.attributes, t.x, _got(t)
    seen = (x * y > 0) & (np.abs(x) > np.abs(x).mean())
    if np.count_nonzero(seen) < 2 * TIMES:  # k and alpha
        return
    n = int(a["n"])
    windows = dict.fromkeys((n, 2 * n + 1, n // 2, n - 1, n + 1, 3, 5, 7))
    for size, beta in product(windows, dict.fromkeys((a["beta"], 0.75, 0.5, 1.0))):
        if size < 1:
            continue
        # With k = 0, alpha = 1 and beta = -1 the operation gives x times the sum of squares.
        squares = t.run(n=size, k=0.0, alpha=1.0, beta=-1.0)[seen] / x[seen]
        by = (x[seen] / y[seen]) ** (1 / beta)
        k, alpha = map(float, least_squares([np.ones_like(squares), squares], by))
        if np.isfinite(alpha) and t.near(t.run(n=size, k=k, alpha=alpha, beta=beta)):
            short = {"k": float(f"{k:.3g}"), "alpha": float(f"{alpha:.3g}"), "beta": beta}
            found = {"n": size, **short}
            said = [f"{name} is {v:g}, not {a[name]:g}" for name, v in found.items()
                    if v != float(f"{a[name]:.3g}")]  # fmt: skip
            yield " and ".join(said), t.run(n=size, k=k, alpha=alpha, beta=beta)
            return


def rate(t: Trial) -> Altered:
    """What is kept is divided by 1 - rate."""
    share = float(np.vdot(_got(t), t.x) / np.vdot(t.x, t.x))
    if share:
        words = f"the rate is {{}}, not {t.node.attributes['rate']:g}"
        yield from t.fitted(1 - 1 / share, lambda r: t.run(rate=r), words)


def weighted(t: Trial) -> Altered:
    """A sum of inputs that are scaled, subtracted or left out."""
    if not t.holds(len(t.inputs)):
        return
    shares = least_squares(list(t.inputs), _got(t))
    near = [float(f"{share:.6f}") + 0.0 for share in shares]
    for numbers in (near, list(map(float, shares))):
        words = " + ".join(
            f"input {i}" if s == 1 else f"{s:.6g} x input {i}"
            for i, s in enumerate(numbers, 1) if s
        )  # fmt: skip
        terms = [s * x for s, x in zip(numbers, t.inputs, strict=True)]
        yield f"it is {words or 'zero'}", np.asarray(sum(terms))


def multiplied(t: Trial) -> Altered:
    yield "its inputs are multiplied, not added", t.inputs[0] * t.inputs[1]
    yield "it is the larger of its inputs, not the sum", np.maximum(*t.inputs)


def parts(t: Trial) -> Altered:
    """One input of a concatenation is scaled, left out or taken twice."""
    ends = np.cumsum([x.shape[-1] for x in t.inputs])
    for place, (x, end) in enumerate(zip(t.inputs, ends, strict=True)):
        got = _got(t)[..., end - x.shape[-1] : end]

        def within(new: np.ndarray, place: int = place) -> np.ndarray:
            return t.run(*(new if i == place else each for i, each in enumerate(t.inputs)))

        if np.array_equal(got, x):
            continue
        if not got.any():
            yield f"its input {place + 1} is zero", within(np.zeros_like(x))
        for other, each in enumerate(t.inputs):
            if other != place and each.shape == x.shape:
                words = f"its input {other + 1} stands for input {place + 1} as well"
                yield words, within(each)
        share = float(np.vdot(got, x) / np.vdot(x, x))
        words = f"its input {place + 1} is {{}} times as large"
        yield from t.fitted(share, partial(_times, x, within), words, x.size)


def _times(x: np.ndarray, put: Callable[[np.ndarray], np.ndarray], s: float) -> np.ndarray:
    return put(s * x)


def products(t: Trial) -> Altered:
    """The products of a layer are scaled, its bias is not."""
    bias = t.slots.get("bias")
    if bias is not None:
        plain = t.want - bias
        share = float(np.vdot(_got(t) - bias, plain) / np.vdot(plain, plain))
        words = "what it sums is {} times as large, its bias is not"
        yield from t.fitted(share, lambda s: s * plain + bias, words)


def preprocessed(t: Trial) -> Altered:
    """The image was prepared by ``a x + b`` a channel before the first convolution read it."""
    channels = t.x.shape[-1]
    if not t.first or t.node.attributes["groups"] != 1 or channels > 4:
        return
    if not t.holds(2 * channels):
        return
    kernel, a = t.slots["kernel"], t.node.attributes
    parts = [convolve(t.x[..., c : c + 1], kernel[:, :, c : c + 1], a) for c in range(channels)]
    ones = np.ones_like(t.x[..., :1])
    parts += [convolve(ones, kernel[:, :, c : c + 1], a) for c in range(channels)]
    found = least_squares(parts, _got(t) - t.slots.get("bias", 0.0))
    if not np.isfinite(found).all():
        return
    exact = found.reshape(2, -1)
    whole = 1 / (1 / exact[0]).round()  # as where bytes are divided by 255
    rounded = [np.round(exact, digits) + 0.0 for digits in (2, 4, 12)]
    rounded[1:1] = [np.stack([whole, offset]) for _, offset in (rounded[1], rounded[2])]
    for factor, offset in rounded:
        said = [" ".join(dict.fromkeys(f"{v:.6g}" for v in values)) for values in (factor, offset)]
        yield (
            f"the image is prepared once more, as {said[0]} x + {said[1]}",
            t.run(t.x * factor + offset),
        )


def rescaled(t: Trial) -> Altered:
    """By one number, by two, then by numbers of each channel: the first that is enough."""
    square = float(np.vdot(t.want, t.want))
    if square:
        share = float(np.vdot(_got(t), t.want)) / square
        yield from t.fitted(share, lambda s: s * t.want, "it is {} times as large")
    offset = float(np.mean(_got(t) - t.want))
    yield from t.fitted(offset, lambda b: t.want + b, "{} is added to it")
    if t.holds(2):
        factor, offset = least_squares([t.want, np.ones_like(t.want)], _got(t))
        words = f"it is {factor:.6g} times as large, and {offset:.6g} is added"
        yield words, factor * t.want + offset
    yield from _each_channel(t)


def _each_channel(t: Trial) -> Altered:
    """Another bias, another gamma, or a norm that was left out or added."""
    want, got = (x.reshape(-1, x.shape[-1]) for x in (t.want, _got(t)))
    if len(want) < TIMES:
        return
    offsets = (got - want).mean(axis=0)
    yield "each channel has a number of its own added: another bias?", t.want + offsets
    shares = (got * want).sum(axis=0) / (want * want).sum(axis=0)
    yield "each channel is scaled by a number of its own: another gamma?", t.want * shares
    if len(want) < 2 * TIMES:
        return
    middle = want.mean(axis=0)
    shares = ((got - got.mean(axis=0)) * (want - middle)).sum(axis=0)
    shares = shares / ((want - middle) ** 2).sum(axis=0)
    words = "each channel is scaled and shifted by numbers of its own: a norm too many or too few?"
    yield words, (t.want - middle) * shares + got.mean(axis=0)


def reordered(t: Trial) -> Altered:
    """The channels are all there, in another order."""
    want, got = (x.reshape(-1, x.shape[-1]) for x in (t.want, _got(t)))
    probe = np.random.Generator(np.random.Philox(key=0)).random(len(want))
    order = np.empty(want.shape[-1], int)
    order[np.argsort(probe @ got, kind="stable")] = np.argsort(probe @ want, kind="stable")
    yield _order(order), t.want[..., order]


def _order(order: np.ndarray) -> str:
    count, places = len(order), np.arange(len(order))
    if np.array_equal(order, places[::-1]):
        return "its channels are in reverse order"
    if count % 2 == 0 and np.array_equal(order, np.roll(places, count // 2)):
        return "the halves of its channels are swapped"
    for groups in range(2, count):
        if count % groups == 0 and np.array_equal(order, places.reshape(groups, -1).T.reshape(-1)):
            return f"its channels are shuffled, as over {groups} groups"
    moved = [i for i in places if order[i] != i]
    first = f", the first {moved[0]}, where {order[moved[0]]} belongs" if moved else ""
    return f"{len(moved)} of its channels are in another place{first}"


def turned(t: Trial) -> Altered:
    """The map itself lies another way."""
    if t.want.ndim == 4:
        yield "its rows are in reverse order", t.want[:, ::-1]
        yield "its columns are in reverse order", t.want[:, :, ::-1]
        yield "rows and columns of its map are exchanged", t.want.transpose(0, 2, 1, 3)


def nothing(t: Trial) -> Altered:
    yield "it is zero", np.zeros_like(t.want)


#: By kind, the simplest first.
SOLVED: dict[str, tuple[Hypothesis, ...]] = {
    "batch_norm": (epsilon,),
    "relu": (slope, clipped),
    "lrn": (response,),
    "dropout": (rate,),
    "add": (weighted, multiplied),
    "concat": (parts,),
    "conv": (products, preprocessed),
    **dict.fromkeys(("dense", "subsample"), (products,)),
}

#: Of every kind; tried where nothing of its own explains a node.
ANYWHERE: tuple[Hypothesis, ...] = (
    nothing,
    rescaled,
    reordered,
    turned,
)
