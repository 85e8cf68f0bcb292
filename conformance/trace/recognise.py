"""What a piece of algebra is, found by feeding it numbers and not by how it is spelt.

A recogniser is given a :class:`Piece` and answers with a :class:`Layer` in the papers' terms, or
None; :data:`WHOLE` and :data:`PARTIAL` are the order in which they are asked.  Their probes are
fixed, so an answer is a function of the tape alone; where they are whole images it is a function
of an excerpt, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, axis_of, name_of
from conformance.kinds.functions import FUNCTIONS, softmax
from conformance.trace.evaluation import evaluate
from conformance.trace.excerpt import Excerpt, excerpt, remembered
from conformance.trace.norms import may_be_norm, norms
from conformance.trace.probes import leaves, same, wide
from conformance.trace.tape import Tape

Rows = Callable[[np.ndarray], np.ndarray]

#: So many numbers leave no gap in which a function could be another one.
DENSE = 256

#: So many draws tell the rate of a dropout.
DRAWS = 64


@dataclass(frozen=True)
class Piece:
    """The algebra between a node's own value, ``base``, and a value without a name, ``end``.

    ``before`` are the axes of the node's value and ``axes`` those in which the algebra has it,
    from the value ``entry`` on.
    """

    tape: Tape
    base: int
    before: Axes
    end: int
    axes: Axes
    entry: int | None = None

    def computed(self, known: dict[int, np.ndarray]) -> np.ndarray | None:
        """What comes of some values; None where it cannot be evaluated."""
        try:
            return evaluate(self.tape, self.end, known)
        except (KeyError, ValueError):
            return None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tape[self.end].shape

    @cached_property
    def parameters(self) -> set[int]:
        return leaves(self.tape, self.end, until=self.base)

    @cached_property
    def noise(self) -> set[int]:
        return leaves(self.tape, self.end, "random", until=self.base)

    @cached_property
    def excerpt(self) -> Excerpt:
        return excerpt(self.tape, self.base, self.end)

    @cached_property
    def keeps_its_shape(self) -> bool:
        return self.shape == tuple(prod(size for _, size in axis) for axis in self.axes)

    @cached_property
    def moved(self) -> tuple[int, ...] | None:
        """Where each axis was before, if the algebra at most exchanges them."""
        left = list(enumerate(self.before))
        found = []
        for axis in self.axes:
            at = next((entry for entry in left if entry[1] == axis), None)
            if at is None:
                return None
            left.remove(at)
            found.append(at[0])
        return None if left else tuple(found)

    @cached_property
    def channels(self) -> tuple[int, int] | None:
        """The axis of the channels before and after, of algebra without parameters."""
        before, after = axis_of(self.before, "C"), axis_of(self.axes, "C")
        if self.parameters or before is None or after is None or len(self.before[before]) != 1:
            return None
        return before, after


@dataclass(frozen=True)
class Layer:
    """What a piece is: the kind of node, and the stored values that fill its slots."""

    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)


def radial_basis(piece: Piece) -> Layer | None:
    """``sum_j (x_j - w_ij)^2`` for centres w."""
    if len(piece.parameters) != 1:
        return None
    (centres,) = piece.parameters
    shape, before = piece.tape[centres].shape, piece.tape[piece.base].shape
    inputs = prod(size for axis in piece.before for name, size in axis if name != "N")
    batch = prod(before) // inputs
    count = prod(piece.shape) // batch
    if len(shape) != 2 or count * inputs != prod(shape):
        return None
    random = np.random.Generator(np.random.Philox(1998))
    x, w = random.normal(size=inputs), random.normal(size=(count, inputs))
    known = {
        piece.base: np.broadcast_to(x, (batch, inputs)).reshape(before),
        centres: w if shape == w.shape else w.T,
    }
    if (out := piece.computed(known)) is None:
        return None
    right = same(np.ravel(out)[:count], ((x - w) ** 2).sum(1))
    return Layer("rbf", slots={"centres": centres}) if right else None


def upsampling(piece: Piece) -> Layer | None:
    """Every pixel repeated, however that is spelt."""
    if piece.keeps_its_shape or piece.channels is None:
        return None
    before, after = piece.tape[piece.base].shape, piece.shape
    spatial = [axis_of(piece.before, name) for name in "HW"]
    if len(after) != len(before) or None in spatial:
        return None
    factors = {i: n // m for i, (n, m) in enumerate(zip(after, before, strict=True)) if n != m}
    if min(factors.values(), default=0) < 1 or not factors.keys() <= {*spatial}:
        return None
    x = np.arange(prod(before), dtype=float).reshape(before)
    found, expected = piece.computed({piece.base: x}), x
    for axis, times in factors.items():
        expected = expected.repeat(times, axis)
    if found is None or not np.array_equal(found, expected):
        return None
    factor = tuple(factors.get(axis, 1) for axis in spatial if axis is not None)
    return Layer("upsample", {"factor": factor})


def regrouped(piece: Piece) -> Layer | None:
    """Windows side by side, or channels in another order, as reshapes have them."""
    names = [name_of(axis) for axis in piece.before]
    if piece.channels is None or sorted(names) != sorted("NCHW") or piece.axes != piece.before:
        return None
    before, after = piece.tape[piece.base].shape, piece.shape
    if len(after) != len(before) or (after != before and not _tiles(before, after, names)):
        return None
    x = np.random.Generator(np.random.Philox(2017)).normal(size=before)
    if (out := piece.computed({piece.base: x})) is None:
        return None
    return _shuffled(x, out, names.index("C")) if out.shape == x.shape else _tiled(x, out, names)


def _shuffled(x: np.ndarray, out: np.ndarray, channel: int) -> Layer | None:
    where = {float(value): i for i, value in enumerate(np.moveaxis(x, channel, 0)[:, 0, 0, 0])}
    order = [where.get(float(value), -1) for value in np.moveaxis(out, channel, 0)[:, 0, 0, 0]]
    if sorted(order) != sorted(where.values()) or order == sorted(order):
        return None
    if not np.array_equal(np.take(x, order, channel), out):
        return None
    return Layer("channel_order", {"order": tuple(order)})


def _tiles(before: Sequence[int], after: Sequence[int], names: Sequence[str]) -> bool:
    """Whether a map is divided into windows, and not the whole of it one."""
    sides = [*zip(names, before, after, strict=True)]
    if any(n % m or (name in "NC" and n != m) for name, n, m in sides):
        return False  # a mean of the whole map has a rule, and may be a part of a norm
    return any(m > 1 for name, _, m in sides if name in "HW")


def _tiled(x: np.ndarray, out: np.ndarray, names: Sequence[str]) -> Layer | None:
    size = tuple(n // m for n, m in zip(x.shape, out.shape, strict=True))
    tiles = x.reshape([n for pair in zip(out.shape, size, strict=True) for n in pair])
    kernel = size[names.index("H")], size[names.index("W")]
    attributes = {"kernel": kernel, "stride": kernel, "padding": ((0, 0), (0, 0))}
    if same(out, tiles.max(axis=(1, 3, 5, 7))):
        return Layer("max_pool", attributes)
    if same(out, tiles.mean(axis=(1, 3, 5, 7))):
        return Layer("avg_pool", attributes | {"count_include_pad": True})
    return None


def activation(piece: Piece) -> Layer | None:
    """softmax, its logarithm, sigmoid, tanh or relu."""
    if not piece.keeps_its_shape or piece.channels is None:
        return None
    if kind := pointwise(piece.excerpt, *piece.channels, piece.moved):
        return Layer(kind)
    batch = axis_of(piece.before, "N")
    if batch is not None and piece.moved == tuple(range(len(piece.axes))):
        return Layer("softmax", {"axis": "batch"}) if over_images(piece.excerpt, batch) else None
    return None


def local_response(piece: Piece) -> Layer | None:
    """``x / (k + alpha sum_n x^2)^beta``."""
    if not piece.keeps_its_shape or piece.channels is None:
        return None
    constants = response(piece.excerpt, *piece.channels)
    return Layer("lrn", constants) if constants else None


def dropout(piece: Piece) -> Layer | None:
    """``x / (1 - rate)`` where the one noise allows it and 0 elsewhere."""
    if len(piece.noise) != 1 or not piece.keeps_its_shape:
        return None
    if (rate := dropped(piece.excerpt)) is None:
        return None
    (noise,) = piece.noise
    drawn = piece.tape[noise]
    if drawn.attributes.get("seeded"):
        return Layer("dropout", {"rate": rate, "drops": "the same in every call"})
    return Layer("dropout", {"rate": rate} | _drops(drawn.shape, piece.axes))


def _drops(noise: tuple[int, ...], axes: Axes) -> dict[str, str]:
    """What one draw decides on, where it is more than one number."""
    if len(noise) > len(axes):
        return {}
    wide = zip(axes, (1,) * (len(axes) - len(noise)) + noise, strict=True)
    shared = {name for axis, n in wide if n == 1 for name, size in axis if size > 1}
    if "N" in shared:
        return {"drops": "the same of all images"}
    if not shared & {"H", "W", "C"}:
        return {}
    return {"drops": "images" if "C" in shared else "channels"}


def norm(piece: Piece) -> Layer | None:
    """Normalisation by the algebra's own statistics: the first whose they can be."""
    if piece.entry is None:
        return None
    part = excerpt(piece.tape, piece.entry, piece.end)
    for kind, attributes, found in norms(part, piece.axes) if may_be_norm(part) else ():
        if found is not None:
            slots = {slot: part.members[p] for slot, p in found.slots.items()}
            return Layer(kind, attributes | {"epsilon": found.epsilon}, slots)
    return None


#: The order in which recognisers are asked.
WHOLE = (radial_basis, upsampling, activation, local_response, dropout)
#: Those that may recognise a part of something larger, such as a batch norm before its beta.
PARTIAL = (norm, regrouped)


def _rows(part: Excerpt, channel: int, outcome: int) -> Rows:
    """The algebra as a function of pixels x channels: one pixel at a time, all over the image.

    ``channel`` is the axis of the channels before it, ``outcome`` the one after it.
    """
    (value,) = part.ends
    shape, rank = part.tape[part.base].shape, len(part.tape[value].shape)
    corner = tuple(slice(None) if axis == outcome else 0 for axis in range(rank))

    def rows(x: np.ndarray) -> np.ndarray:
        images = [np.broadcast_to(pixel.reshape(wide(shape, channel)), shape) for pixel in x]
        return np.stack([evaluate(part.tape, value, {part.base: i})[corner] for i in images])

    return rows


@remembered
def pointwise(
    part: Excerpt, channel: int, outcome: int, moved: tuple[int, ...] | None
) -> str | None:
    """softmax, its logarithm, sigmoid, tanh or relu, whichever the algebra is."""
    shape = part.tape[part.base].shape
    random = np.random.Generator(np.random.Philox(1989))
    x = random.normal(size=(max(3, DENSE // shape[channel]), shape[channel]))
    x[:2, 0] = -1.0, 1.0  # of one channel as well, a ReLU is told from nothing at all
    out = _rows(part, channel, outcome)(x)
    kind = next((kind for kind, y in _pointwise(x).items() if same(out, y)), None)
    if kind is None or moved is None:
        return kind
    # Images of one colour do not tell what moves pixels, or mixes them.
    image = random.normal(size=shape)
    found = evaluate(part.tape, part.ends[0], {part.base: image}).transpose(np.argsort(moved))
    expected = _pointwise(np.moveaxis(image, channel, -1))[kind]
    return kind if same(np.moveaxis(found, channel, -1), expected) else None


@remembered
def over_images(part: Excerpt, batch: int) -> bool:
    """Whether algebra is a softmax over the images; of a single one it is 1 whatever that is."""
    over = [op.attributes for op in part.tape.operations if op.name == "reduce"]
    if any(a["axes"] != (batch,) for a in over) or all(a["reduce"] != "sum" for a in over):
        return False
    if part.tape[part.ends[0]].name == "reduce":
        return False  # it is on its way there
    image = np.random.Generator(np.random.Philox(1989)).normal(size=part.tape[part.base].shape)
    found = evaluate(part.tape, part.ends[0], {part.base: image})
    return same(found, softmax(image, batch))


def _pointwise(x: np.ndarray) -> dict[str, np.ndarray]:
    """What each activation makes of pixels, the channels along the last axis."""
    found = {name: FUNCTIONS[name](x) for name in ("sigmoid", "tanh", "relu")}
    if x.shape[-1] == 1:  # whatever divides a number by itself is a softmax of one
        return found
    soft = softmax(x)
    return {"softmax": soft, "log_softmax": np.log(soft)} | found


@remembered
@np.errstate(all="ignore")
def response(part: Excerpt, channel: int, outcome: int) -> dict[str, float] | None:
    """``x / (k + alpha sum_n x^2)^beta``: its n, k, alpha (of the plain sum) and beta.

    Where the sum vanishes only k is left, where it is huge only alpha is; the window is the reach
    of one huge channel.
    """
    rows, channels = _rows(part, channel, outcome), part.tape[part.base].shape[channel]
    middle = channels // 2
    impulses = np.zeros((3, channels))
    impulses[:, middle] = (1e-100, 1e20, 1e30)
    baseline = np.ones((1, channels))
    baseline[0, middle] = 1e20
    random = np.random.Generator(np.random.Philox(2012)).normal(size=(2, channels))
    out = rows(np.concatenate([impulses, baseline, random * 3]))
    tiny, large, larger = out[:3, middle]
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
    if not same(out[4:], x / (k + alpha * total) ** beta):
        return None
    return {"n": low + high + 1, "k": k, "alpha": alpha, "beta": beta}


@remembered
def dropped(part: Excerpt) -> float | None:
    """The rate of ``x / (1 - rate)`` where the one noise allows it and 0 elsewhere."""
    tape, base, (value,) = part.tape, part.base, part.ends
    (noise,) = leaves(tape, value, "random")
    shape, drawn = tape[value].shape, tape[noise].shape
    if prod(shape) != prod(tape[base].shape):
        return None
    # Few draws decide on many numbers each: they are made often enough to tell the rate.
    times = max(1, DRAWS // prod(drawn))
    even = (np.arange(times * prod(drawn)) + 0.5) / (times * prod(drawn))
    x = 1.0 + (np.arange(prod(shape)) + 0.5).reshape(shape) / prod(shape)
    image = x.reshape(tape[base].shape)
    share = 0.0
    rates = set()
    for draws in even.reshape(times, *drawn):
        out = evaluate(tape, value, {base: image, noise: draws})
        kept = out != 0
        share += kept.mean() / times
        rates |= {float(f"{1 - rate:.10g}") for rate in np.ravel(x[kept] / out[kept])[:1]}
        if len(rates) > 1 or not all(same(out[kept], x[kept] / (1 - rate)) for rate in rates):
            return None
    # Either side of the threshold may be kept; the share has to be right, to one draw.
    rate = rates.pop() if rates else None
    if rate is None or share == 1 or abs(share - (1 - rate)) * len(even) > 1:
        return None
    return rate
