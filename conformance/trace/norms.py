"""What a normalisation's algebra is: its epsilon, and which stored array fills which slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, axis_of
from conformance.trace.evaluation import different, evaluate
from conformance.trace.excerpt import Excerpt, remembered
from conformance.trace.probes import leaves, probes, same, wide
from conformance.trace.tape import Tape

#: The attributes of a norm by the batch's own statistics, before the running ones are known.
BY_BATCH = {"statistics": "batch", "momentum": None, "unbiased": None}


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


def coefficients(
    tape: Tape, slope: int | None, offset: int | None, vector: Callable[[np.ndarray], np.ndarray]
) -> Normalisation | Linear | None:
    """Name the algebra of ``y = slope x + offset`` by which parameter feeds what.

    ``vector`` reduces an evaluated array to one value a channel and raises ValueError when it
    varies over the image.  Both values may be None, for 1 and 0.
    """
    in_slope = leaves(tape, slope) if slope is not None else set()
    in_offset = leaves(tape, offset) if offset is not None else set()
    base = probes(tape, in_slope | in_offset)

    def at(value: int | None, default: float, p: int = -1, array: Any = None) -> np.ndarray:
        if value is None:
            return np.full(1, default)
        return vector(evaluate(tape, value, base | ({p: array} if p >= 0 else {})))

    slope_0 = at(slope, 1.0)
    linear = {p for p in in_slope if same(at(slope, 1.0, p, 2 * base[p]), 2 * slope_0)}
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
        at_zero = (scale / at(slope, 1.0, variance, 0 * base[variance])) ** 2
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
        moved = at(offset, 0.0, p, base[p] + 1.0) - at(offset, 0.0)
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


@lru_cache(maxsize=2)
def _faint_batch(shape: tuple[int, ...], channel: int) -> tuple[np.ndarray, ...]:
    """A batch of next to no variance about 0, and its variance; norms of one shape share it.

    It repeats itself along one axis, if two others are left to vary along, which is evaluated
    once.  That it is the whole batch that is normalised is seen on another one.
    """
    over = _beside(shape, channel)
    long = [axis for axis in over if shape[axis] > 1]
    alike = max(long, key=shape.__getitem__) if len(long) > 2 else -1
    some = [1 if axis == alike else n for axis, n in enumerate(shape)]
    noise = np.random.Generator(np.random.Philox(2015)).uniform(1.0, 2.0, some)
    # Every other cell is negative, so no channel has next to no variance.
    cells = [n if axis in over else 1 for axis, n in enumerate(some)]
    noise[np.broadcast_to(np.arange(np.prod(cells)).reshape(cells) % 2 == 1, some)] *= -1
    # So small a variance leaves epsilon to be read with all its digits.
    x = 1e-4 * (noise - noise.mean(axis=over, keepdims=True))
    square = (x**2).mean(axis=over, keepdims=True)
    return _read_only(np.broadcast_to(x, shape), square)


@lru_cache(maxsize=2)
def _batch(shape: tuple[int, ...], channel: int) -> tuple[np.ndarray, ...]:
    """A batch, its means and its variances; the statistics of one shape share it."""
    x = np.random.Generator(np.random.Philox(2016)).normal(size=shape) + 0.7
    over = _beside(shape, channel)
    return _read_only(x, *(f(axis=over, keepdims=True) for f in (x.mean, x.var)))


def _beside(shape: tuple[int, ...], *kept: int) -> tuple[int, ...]:
    """All axes but these."""
    return tuple(axis for axis in range(len(shape)) if axis not in kept)


def _read_only(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    for array in arrays:
        array.setflags(write=False)
    return arrays


def may_be_norm(part: Excerpt) -> bool:
    """Whether algebra has the shape and the parameters of a norm, before it is fed any batch."""
    (value,) = part.ends
    same_shape = part.tape[value].shape == part.tape[part.base].shape
    return same_shape and len(leaves(part.tape, value)) <= 2 and _has_statistics(part)


def _has_statistics(part: Excerpt) -> bool:
    """Whether something of what is computed of the map has fewer numbers than the map."""
    made = {part.base}
    for value, op in enumerate(part.tape.operations):
        if made.intersection(op.inputs):
            made.add(value)
    return any(prod(part.tape[value].shape) < prod(part.tape[part.base].shape) for value in made)


def norms(part: Excerpt, axes: Axes) -> Iterator[tuple[str, dict[str, Any], Normalisation | None]]:
    """By statistics of the batch, of groups of channels in an image, of the channels of a place."""
    channel, batch = axis_of(axes, "C"), axis_of(axes, "N")
    for name in "" if _one_by_one(part, axes) else "CHW":
        if (axis := axis_of(axes, name)) is not None:
            other = {} if name == "C" else {"axis": name}
            yield "batch_norm", BY_BATCH | other, batch_normalisation(part, axis)
    if channel is not None and batch is not None:
        groups, found = group_normalisation(part, channel, batch) or (0, None)
        yield "group_norm", {"groups": groups}, found
    if channel is not None:
        yield "layer_norm", {}, layer_normalisation(part, channel)


def _one_by_one(part: Excerpt, axes: Axes) -> bool:
    """Whether algebra of a single image would leave several apart: it sums over other axes only."""
    batch = axis_of(axes, "N")
    sums = [op.attributes["axes"] for op in part.tape.operations if op.name == "reduce"]
    return batch == 0 and axes[0] == (("N", 1),) and bool(sums) and all(0 not in s for s in sums)


@remembered
def batch_normalisation(part: Excerpt, channel: int) -> Normalisation | None:
    """``gamma (x - m) / sqrt(v + epsilon) + beta`` with mean and variance of the batch itself.

    The slots are numbered as in the excerpt.
    """
    shape = part.tape[part.base].shape
    found = _near_its_mean(part, channel, *_faint_batch(shape, channel))
    _, *moments = _batch(shape, channel)
    return found if found and _is_its_map(part, channel, found, *moments) else None


@remembered
def group_normalisation(
    part: Excerpt, channel: int, batch: int
) -> tuple[int, Normalisation] | None:
    """How many groups of channels, and the same with the statistics of a group of one image."""
    shape = part.tape[part.base].shape
    x, _ = _faint_batch(shape, channel)
    over = _beside(shape, channel, batch)
    x = x - x.mean(axis=over, keepdims=True)
    deviation = np.sqrt((x**2).mean(axis=over, keepdims=True))
    if not deviation.all():
        return None
    # As every channel of every image is alike, so are the statistics of any groups.
    found = _near_its_mean(part, channel, 1e-4 * x / deviation, np.full([1] * len(shape), 1e-8))
    if found is None:
        return None
    x, *_ = _batch(shape, channel)
    for groups in (g for g in range(1, shape[channel] + 1) if shape[channel] % g == 0):
        if _is_its_map(part, channel, found, *_of_groups(x, groups, channel, batch)):
            return groups, found
    return None


def _of_groups(x: np.ndarray, groups: int, channel: int, batch: int) -> list[np.ndarray]:
    """Mean and variance of each channel's group in its image, at every place."""
    pixels = np.moveaxis(x, (batch, channel), (0, -1))
    cells = pixels.reshape(len(pixels), -1, groups, pixels.shape[-1] // groups)
    moments = (f(axis=(1, 3), keepdims=True) for f in (cells.mean, cells.var))
    whole = (np.broadcast_to(each, cells.shape).reshape(pixels.shape) for each in moments)
    return [np.moveaxis(each, (0, -1), (batch, channel)) for each in whole]


@remembered
def layer_normalisation(part: Excerpt, channel: int) -> Normalisation | None:
    """The same with the statistics of the channels, at each place by itself."""
    shape = part.tape[part.base].shape
    row = np.random.Generator(np.random.Philox(2016)).uniform(1.0, 2.0, shape[channel])
    row[1::2] *= -1
    row -= row.mean()
    if shape[channel] < 2 or not row.all():
        return None
    row = (1e-4 * row / row.std()).reshape(wide(shape, channel))
    # The square of each channel, as it is in all places; that of the channels together is 1e-8.
    x = np.broadcast_to(row, shape)
    found = _near_its_mean(part, channel, x, row**2, np.array(1e-8))
    if found is None:
        return None
    x, *_ = _batch(shape, channel)
    moments = (f(axis=channel, keepdims=True) for f in (x.mean, x.var))
    return found if _is_its_map(part, channel, found, *moments) else None


def _near_its_mean(
    part: Excerpt,
    channel: int,
    x: np.ndarray,
    square: np.ndarray,
    across: np.ndarray | None = None,
) -> Normalisation | None:
    """The norm that algebra is on a batch about 0 with next to no variance.

    ``square`` is the mean of each channel's squares, and its variance unless the norm takes that
    ``across`` the channels; what is added is then seen by turning the batch's sign.
    """
    variance = square if across is None else across
    tape, base, (value,) = part.tape, part.base, part.ends
    parameters = leaves(tape, value)
    if not square.all():
        return None
    held = probes(tape, parameters)
    over, vector = _beside(x.shape, channel), wide(x.shape, channel)

    def line(changed: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        known = held | changed
        y = evaluate(tape, value, {base: x} | known)
        both = y if across is None else (y + evaluate(tape, value, {base: -x} | known)) / 2
        y, both, z = different(y, both, x)
        offset = both.mean(axis=over, keepdims=True)
        slope = (z * (y - offset)).mean(axis=over, keepdims=True) / square
        return (slope, offset) if same(y, slope * z + offset) else None

    if (found := line({})) is None:
        return None
    slope, offset = found
    slots: dict[str, int] = {}
    for p in sorted(parameters):
        if (moved := line({p: 2 * held[p]})) is None or held[p].size != x.shape[channel]:
            return None
        if same(moved[0], 2 * slope) and "gamma" not in slots:
            slots["gamma"] = p
        elif same(moved[1], offset + held[p].reshape(vector)) and "beta" not in slots:
            slots["beta"] = p
        else:
            return None
    gamma = held[slots["gamma"]].reshape(vector) if "gamma" in slots else np.ones(vector)
    if not slope.all():
        return None
    epsilons = (gamma / slope) ** 2 - variance
    epsilon = float(f"{np.ravel(epsilons)[0]:.8g}")
    if not same(slope, gamma / np.sqrt(variance + epsilon)):
        return None
    return Normalisation(epsilon, slots)


def _is_its_map(
    part: Excerpt, channel: int, found: Normalisation, mean: np.ndarray, variance: np.ndarray
) -> bool:
    """Whether algebra normalises any batch by these moments of it.

    On next to nothing much is linear; a norm is one on any batch.
    """
    (value,) = part.ends
    x, *_ = _batch(part.tape[part.base].shape, channel)
    held = probes(part.tape, leaves(part.tape, value))
    slots = {slot: held[p].reshape(wide(x.shape, channel)) for slot, p in found.slots.items()}
    normal = (x - mean) / np.sqrt(variance + found.epsilon)
    expected = slots.get("gamma", 1.0) * normal + slots.get("beta", 0.0)
    return same(evaluate(part.tape, value, {part.base: x} | held), expected)


@remembered
def running(part: Excerpt, channel: int) -> tuple[str, float, bool] | None:
    """What a running statistic is replaced by: its slot, the share of it that is kept, and
    whether the batch's variance flows in unbiased.  None if it is neither mean nor variance.

    The excerpt's ends are the new statistic and the old one.
    """
    new, old = part.ends
    return replaced(part.tape, (part.base,), new, old, channel)


def replaced(
    tape: Tape, bases: Sequence[int], new: int, statistic: int, channel: int
) -> tuple[str, float, bool] | None:
    """The same of a statistic that norms of several ``bases`` replace, one after the other.

    Given one batch at all of them, together they keep as much as a momentum to that power.
    """
    shape = tape[bases[0]].shape
    x, mean, variance = _batch(shape, channel)
    cells = x.size // shape[channel]
    old = probes(tape, {statistic})[statistic]
    known = dict.fromkeys(bases, x)
    first = evaluate(tape, new, known | {statistic: old})
    second = evaluate(tape, new, known | {statistic: old + 1})
    kept = np.ravel(second - first)[0]
    if not 0 <= kept < 1:
        return None
    momentum = float(f"{kept ** (1 / len(bases)):.8g}")
    kept = momentum ** len(bases)
    share = np.ravel((first - kept * old) / (1 - kept))
    for slot, expected, correction in (
        ("mean", mean, False),
        ("variance", variance, False),
        ("variance", variance * cells / max(cells - 1, 1), True),
    ):
        if same(share, np.ravel(expected)):
            return slot, momentum, correction
    return None
