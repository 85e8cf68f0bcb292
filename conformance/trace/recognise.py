"""What a piece of algebra is, found by feeding it numbers and not by how it is spelt.

Every function takes values of a tape, evaluates them on probes, and answers in the papers'
terms, or None.  Probes are fixed, so the answer is a function of the tape alone; where they are
whole images it is a function of an excerpt, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from conformance.trace.excerpt import Excerpt, remembered
from conformance.trace.tape import Tape, evaluate

#: Two float64 evaluations of one formula, spelt differently, agree far better than this; two
#: formulas that differ in any constant a paper prints do not come near it.
SAME = 1e-9

Rows = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """``gamma (x - mean) / sqrt(variance + epsilon) + beta``, and which value fills which slot."""

    epsilon: float
    slots: dict[str, int]


@dataclass(frozen=True, slots=True)
class Linear:
    """``factor * coefficient * x + bias``, where either parameter may be absent (-1)."""

    factor: float
    coefficient: int
    bias: int


def leaves(tape: Tape, value: int, name: str = "parameter", until: int = -1) -> set[int]:
    """The parameters (or other operations of one name) that a value is computed from.

    The search does not go beyond the value ``until``.
    """
    found, stack, seen = set(), [value], {until}
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if tape[current].name == name:
            found.add(current)
        stack.extend(i for i in tape[current].inputs if i >= 0)
    return found


def probes(tape: Tape, parameters: set[int]) -> dict[int, np.ndarray]:
    """Distinct positive values for parameters, the same in every run."""
    random = np.random.Generator(np.random.Philox(1998))
    return {p: random.uniform(0.5, 1.5, tape[p].shape) for p in sorted(parameters)}


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two evaluations are one formula."""
    return bool(np.allclose(a, b, rtol=SAME, atol=SAME * np.abs(b).max(initial=0), equal_nan=False))


def affine(
    tape: Tape, slope: int | None, offset: int | None, vector: Callable[[np.ndarray], np.ndarray]
) -> Normalisation | Linear | None:
    """Name the algebra of ``y = slope x + offset`` by which parameter feeds what.

    ``vector`` reduces an evaluated array to one value a channel and raises ValueError when it
    varies over the image.  Both values may be None, for 1 and 0.
    """
    in_slope = leaves(tape, slope) if slope is not None else set()
    in_offset = leaves(tape, offset) if offset is not None else set()
    base = probes(tape, in_slope | in_offset)

    def at(value: int | None, default: float, **changes: dict[int, np.ndarray]) -> np.ndarray:
        if value is None:
            return np.float64(default) * np.ones(1)
        return vector(evaluate(tape, value, base | changes.get("with_", {})))

    slope_0 = at(slope, 1.0)
    linear = {p for p in in_slope if same(at(slope, 1.0, with_={p: 2 * base[p]}), 2 * slope_0)}
    curved = in_slope - linear
    if len(curved) > 1 or len(linear) > 1:
        return None
    roles = _offset_roles(base, in_offset - curved - linear, slope_0, at, offset)
    if roles is None:
        return None
    gamma = next(iter(linear), -1)
    scale = base[gamma].reshape(-1) if linear else np.ones(1)
    if curved:
        (variance,) = curved
        # 1 / slope^2 = (variance + epsilon) / gamma^2: epsilon stands alone where variance is 0.
        at_zero = (scale / at(slope, 1.0, with_={variance: np.zeros_like(base[variance])})) ** 2
        epsilon = float(f"{np.ravel(at_zero)[0]:.12g}")
        expected = scale / np.sqrt(base[variance].reshape(-1) + epsilon)
        if not same(slope_0, np.broadcast_to(expected, slope_0.shape)):
            return None
        slots = {"gamma": gamma, "variance": variance} | roles
        return Normalisation(epsilon, {slot: p for slot, p in slots.items() if p >= 0})
    if set(roles) - {"beta"}:
        return None
    factor = np.ravel(slope_0 / scale)
    if not same(factor, np.full_like(factor, factor[0])):
        return None
    return Linear(float(factor[0]), gamma, roles.get("beta", -1))


def _offset_roles(
    base: dict[int, np.ndarray],
    parameters: set[int],
    slope: np.ndarray,
    at: Callable[..., np.ndarray],
    offset: int | None,
) -> dict[str, int] | None:
    """Which parameter shifts the result by itself, by minus the slope, or by the slope."""
    roles: dict[str, int] = {}
    total = np.zeros(1)
    for p in sorted(parameters):
        vector = base[p].reshape(-1)
        moved = at(offset, 0.0, with_={p: base[p] + 1.0}) - at(offset, 0.0)
        for role, effect in (("beta", np.ones(1)), ("mean", -slope), ("bias", slope)):
            if role not in roles and same(moved, np.broadcast_to(effect, moved.shape)):
                roles[role] = p
                total = total + effect * vector
                break
        else:
            return None
    found = at(offset, 0.0)
    if offset is not None and not same(found, np.broadcast_to(total, found.shape)):
        return None
    return roles


@remembered
def channelwise(part: Excerpt, channel: int, outcome: int) -> tuple[str, dict[str, float]] | None:
    """What the algebra does to each pixel's channels: the kind of node, and its constants.

    ``channel`` is the axis of the channels before it, ``outcome`` the one after it.
    """
    (value,) = part.ends
    shape, rank = part.tape[part.base].shape, len(part.tape[value].shape)

    def rows(x: np.ndarray) -> np.ndarray:
        # One pixel, repeated over the image without being copied, at a time.
        wide = [n if axis == channel else 1 for axis, n in enumerate(shape)]
        corner = tuple(slice(None) if axis == outcome else 0 for axis in range(rank))
        images = [np.broadcast_to(pixel.reshape(wide), shape) for pixel in x]
        return np.stack([evaluate(part.tape, value, {part.base: i})[corner] for i in images])

    if kind := pointwise(rows, shape[channel]):
        return kind, {}
    if constants := local_response(rows, shape[channel]):
        return "lrn", constants
    return None


def local_response(rows: Rows, channels: int) -> dict[str, float] | None:
    """``x / (k + alpha sum_n x^2)^beta``: its n, k, alpha (of the plain sum) and beta.

    ``rows`` maps pixels x channels through the algebra.  Where the sum vanishes only k is left,
    where it is huge only alpha is; the window is the reach of one huge channel.
    """
    middle = channels // 2
    impulses = np.zeros((3, channels))
    impulses[:, middle] = (1e-100, 1e20, 1e30)
    baseline = np.ones((1, channels))
    baseline[0, middle] = 1e20
    random = np.random.Generator(np.random.Philox(2012)).normal(size=(2, channels))
    out = rows(np.concatenate([impulses, baseline, random * 3]))
    tiny, large, larger = out[:3, middle]
    with np.errstate(all="ignore"):
        beta = float(f"{(1 - np.log(larger / large) / np.log(1e10)) / 2:.10g}")
        if not np.isfinite(beta) or beta <= 0:
            return None
        k = float(f"{(tiny / 1e-100) ** (-1 / beta):.10g}")
        log_alpha = -(np.log(large) - (1 - 2 * beta) * np.log(1e20)) / beta
        alpha = float(f"{np.exp(log_alpha):.10g}")
    reach = np.flatnonzero(np.abs(out[3]) < 1e-6) - middle
    if not len(reach):
        return None
    low, high = max(0, -int(reach.min())), max(0, int(reach.max()))
    x = random * 3
    padded = np.pad(x**2, ((0, 0), (high, low)))
    total = sum(padded[:, i : i + channels] for i in range(low + high + 1))
    with np.errstate(all="ignore"):
        expected = x / (k + alpha * total) ** beta
    if not same(out[4:], expected):
        return None
    return {"n": low + high + 1, "k": k, "alpha": alpha, "beta": beta}


def pointwise(rows: Rows, channels: int) -> str | None:
    """softmax, sigmoid, tanh or relu, whichever the algebra is."""
    x = np.random.Generator(np.random.Philox(1989)).normal(size=(3, channels))
    exp = np.exp(x - x.max(axis=1, keepdims=True))
    candidates = {
        "softmax": exp / exp.sum(axis=1, keepdims=True),
        "sigmoid": 1 / (1 + np.exp(-x)),
        "tanh": np.tanh(x),
        "relu": np.maximum(x, 0),
    }
    out = rows(x)
    return next((kind for kind, y in candidates.items() if same(out, y)), None)


@remembered
def dropout(part: Excerpt) -> float | None:
    """The rate of ``x / (1 - rate)`` where the one noise allows it and 0 elsewhere."""
    tape, base, (value,) = part.tape, part.base, part.ends
    (noise,) = leaves(tape, value, "random")
    shape = tape[noise].shape
    count = int(np.prod(shape))
    if count != np.prod(tape[base].shape) or tape[value].shape != shape:
        return None
    even = ((np.arange(count) + 0.5) / count).reshape(shape)
    x = 1.0 + even
    out = evaluate(tape, value, {base: x.reshape(tape[base].shape), noise: even})
    kept = out != 0
    if kept.all() or not kept.any():
        return None
    rate = float(f"{1 - np.ravel(x[kept] / out[kept])[0]:.10g}")
    # Which side of the threshold is kept is nobody's concern; how much is, to one cell.
    if abs(kept.mean() - (1 - rate)) * count > 1 or not same(out[kept], x[kept] / (1 - rate)):
        return None
    return rate


@lru_cache(maxsize=2)
def _faint_batch(shape: tuple[int, ...], channel: int) -> tuple[np.ndarray, ...]:
    """A batch of next to no variance about 0, and its variance; norms of one shape share it."""
    over = tuple(axis for axis in range(len(shape)) if axis != channel)
    noise = np.random.Generator(np.random.Philox(2015)).uniform(1.0, 2.0, shape)
    # Every other cell is negative, so no channel has next to no variance.
    cells = [n if axis in over else 1 for axis, n in enumerate(shape)]
    noise[np.broadcast_to(np.arange(np.prod(cells)).reshape(cells) % 2 == 1, shape)] *= -1
    # So small a variance leaves epsilon to be read with all its digits.
    x = 1e-4 * (noise - noise.mean(axis=over, keepdims=True))
    return _read_only(x, (x**2).mean(axis=over, keepdims=True))


@lru_cache(maxsize=2)
def _batch(shape: tuple[int, ...], channel: int) -> tuple[np.ndarray, ...]:
    """A batch, its means and its variances; the statistics of one shape share it."""
    x = np.random.Generator(np.random.Philox(2016)).normal(size=shape) + 0.7
    over = tuple(axis for axis in range(len(shape)) if axis != channel)
    return _read_only(x, x.mean(axis=over), x.var(axis=over))


def _read_only(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    for array in arrays:
        array.setflags(write=False)
    return arrays


@remembered
def batch_normalisation(part: Excerpt, channel: int) -> Normalisation | None:
    """``gamma (x - m) / sqrt(v + epsilon) + beta`` with mean and variance of the batch itself.

    The slots are numbered as in the excerpt.
    """
    tape, base, (value,) = part.tape, part.base, part.ends
    parameters = leaves(tape, value)
    shape = tape[base].shape
    if len(parameters) > 2 or tape[value].shape != shape:
        return None
    held = probes(tape, parameters)
    over = tuple(axis for axis in range(len(shape)) if axis != channel)
    wide = [1] * len(shape)
    wide[channel] = shape[channel]
    x, variance = _faint_batch(shape, channel)
    if not variance.all():
        return None

    def line(**changes: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        y = evaluate(tape, value, {base: x} | held | changes.get("with_", {}))
        offset = y.mean(axis=over, keepdims=True)
        slope = (x * (y - offset)).mean(axis=over, keepdims=True) / variance
        return (slope, offset) if same(y, slope * x + offset) else None

    if (found := line()) is None:
        return None
    slope, offset = found
    slots: dict[str, int] = {}
    for p in sorted(parameters):
        if (moved := line(with_={p: 2 * held[p]})) is None or held[p].size != shape[channel]:
            return None
        if same(moved[0], 2 * slope) and "gamma" not in slots:
            slots["gamma"] = p
        elif same(moved[1], offset + held[p].reshape(wide)) and "beta" not in slots:
            slots["beta"] = p
        else:
            return None
    gamma = held[slots["gamma"]].reshape(wide) if "gamma" in slots else np.ones(wide)
    epsilons = (gamma / slope) ** 2 - variance
    epsilon = float(f"{np.ravel(epsilons)[0]:.8g}")
    if not same(slope, gamma / np.sqrt(variance + epsilon)):
        return None
    return Normalisation(epsilon, slots)


@remembered
def running(part: Excerpt, channel: int) -> tuple[str, float, bool] | None:
    """What a running statistic is replaced by: its slot, the share of it that is kept, and
    whether the batch's variance flows in unbiased.  None if it is neither mean nor variance.

    The excerpt's ends are the new statistic and the old one.
    """
    tape, base, (new, statistic) = part.tape, part.base, part.ends
    shape = tape[base].shape
    x, mean, variance = _batch(shape, channel)
    cells = x.size // shape[channel]
    old = probes(tape, {statistic})[statistic]
    first = evaluate(tape, new, {base: x, statistic: old})
    second = evaluate(tape, new, {base: x, statistic: old + 1})
    momentum = float(f"{np.ravel(second - first)[0]:.8g}")
    share = np.ravel((first - momentum * old) / (1 - momentum))
    for slot, expected, correction in (
        ("mean", mean, False),
        ("variance", variance, False),
        ("variance", variance * cells / max(cells - 1, 1), True),
    ):
        if same(share, np.ravel(expected)):
            return slot, momentum, correction
    return None


def squared_distances(
    evaluate_at: Callable[[np.ndarray, np.ndarray], np.ndarray], inputs: int, centres: int
) -> bool:
    """Whether the algebra is ``sum_j (x_j - w_ij)^2`` for centres w of shape centres x inputs."""
    random = np.random.Generator(np.random.Philox(1998))
    x, w = random.normal(size=inputs), random.normal(size=(centres, inputs))
    return same(np.ravel(evaluate_at(x, w)), ((x - w) ** 2).sum(axis=1))
