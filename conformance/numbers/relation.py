"""How two slots that should hold the same numbers are related, by trying what goes wrong.

Arrays are in neutral layout.  A hypothesis that only moves numbers has to give the other array
exactly, as float32 stores it; one that multiplies has to give it to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from conformance.numbers.precision import PRECISIONS
from conformance.values import text

#: Storing a number in float32 moves it by at most this share; a ratio of two stored numbers, twice.
ROUNDING = 2.0**-24

Slots = Callable[[str], np.ndarray]


@dataclass(frozen=True, slots=True)
class Relation:
    """What a slot of B is, beside A's: a word, what it means here, and the largest difference.

    The word is equal, rounded, transposed, flipped, permuted, scaled, swapped, missing or wrong.
    """

    word: str
    detail: str = ""
    difference: float = 0.0

    @property
    def equal(self) -> bool:
        return self.word == "equal"


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bit for bit, or once both are stored in float32; what is not a number is not equal."""
    if a.shape != b.shape:
        return False
    with np.errstate(over="ignore"):
        return bool(np.array_equal(a.astype(np.float32), b.astype(np.float32)))


def relation(
    slot: str,
    a: Slots,
    b: Slots,
    others: tuple[str, ...] = (),
    image: tuple[int, ...] = (),
    elsewhere: Callable[[np.ndarray], str] = lambda values: "",
) -> Relation:
    """What B's ``slot`` is, beside A's.

    ``others`` are the node's other slots, ``image`` the height, width and channels that a dense
    kernel's inputs were flattened from, and ``elsewhere`` says at which other layer A holds the
    values given.
    """
    have, want = b(slot), a(slot)
    if same(want, have):
        return Relation("equal")
    if want.shape != have.shape:
        return Relation("wrong", f"{text(want.shape)} in A and {text(have.shape)} in B", np.inf)
    with np.errstate(invalid="ignore"):
        difference = float(np.max(np.abs(want - have), initial=0.0))
    for side, values in (("A", want), ("B", have)):
        if not np.isfinite(values).all():
            return Relation("wrong", f"not finite in {side}", np.inf)
    if not have.any():
        return Relation("wrong", "all zero in B", difference)
    for side, values in (("A", want), ("B", have)):
        if (values == 1).all():
            return Relation("wrong", f"all one in {side}: never loaded?", difference)
    hypotheses: Iterator[tuple[str, str]] = _hypotheses(slot, want, have, a, others, image)
    word, detail = next(hypotheses, ("", ""))
    if not word and (place := elsewhere(have)):
        word, detail = "swapped", f"is that of A's {place}"
    return Relation(word or "wrong", detail, difference)


def _hypotheses(
    slot: str,
    a: np.ndarray,
    b: np.ndarray,
    slots: Slots,
    others: tuple[str, ...],
    image: tuple[int, ...],
) -> Iterator[tuple[str, str]]:
    """What explains B's values, the simplest first."""
    for name in ("float16", "bfloat16"):
        if np.array_equal(PRECISIONS[name].round(a), b.astype(np.float32)):
            yield "rounded", f"B's went through {name}"
    if checksum(a) == checksum(b):
        yield from _moved(a, b, image)
    for other in others:
        values = slots(other)
        if np.ptp(values) and same(values, b):
            yield "swapped", f"is A's {other}"
    if slot == "variance":
        with np.errstate(invalid="ignore"):
            for detail, values in (
                ("B's is the square root of A's", np.sqrt(a)),
                ("B's is the square of A's", a * a),
            ):
                if _near(values, b, b):
                    yield "scaled", detail
    yield from _scaled(a, b)


def _moved(a: np.ndarray, b: np.ndarray, image: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """The same numbers in other places."""
    if a.ndim == 4:
        for detail, flipped in (
            ("turned by 180 degrees", a[::-1, ::-1]),
            ("upside down", a[::-1]),
            ("left to right", a[:, ::-1]),
        ):
            if same(flipped, b):
                yield "flipped", detail
    if a.ndim > 1:
        yield from _permuted(a, b, image)
        yield from _transposed(a, b)
    elif (order := _order(a, b)) is not None:
        yield "permuted", _told("channels", order)


def _transposed(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[str, str]]:
    names = ("height", "width", "in", "out")[-a.ndim :]
    for axes in list(permutations(range(a.ndim)))[1:]:
        turned = a.transpose(axes)
        swapped = [(i, axis) for i, axis in enumerate(axes) if i != axis]
        said = " and ".join(f"{names[i]}" for i, _ in swapped)
        if same(turned, b):
            how = "swapped" if len(swapped) == 2 else "in another order"
            yield "transposed", f"{said} {how}"
        elif a.ndim == 4 and same(turned[::-1, ::-1], b):
            yield "transposed", f"{said} in another order, and turned by 180 degrees"
        elif same(turned.reshape(b.shape), b) or same(b.transpose(axes).reshape(a.shape), a):
            yield "transposed", "reshaped where it should have been transposed"


def _permuted(a: np.ndarray, b: np.ndarray, image: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    if len(image) == 3 and np.prod(image) == len(a):
        ours = "height x width x channel"
        for axes in list(permutations(range(3)))[1:]:
            theirs = " x ".join(("height", "width", "channel")[i] for i in axes)
            cells = np.arange(len(a)).reshape(image).transpose(axes).ravel()
            if same(a[cells], b):
                yield "permuted", f"flattened as {ours}, read as {theirs}"
            if same(a, b[cells]):
                yield "permuted", f"flattened as {theirs}, read as {ours}"
    into, out = a.ndim - 2, a.ndim - 1
    if (order := _along(a, b, into)) is not None:
        if list(order) == [2, 1, 0]:
            yield "permuted", "input channels in reverse order: BGR for RGB"
        yield "permuted", _told("inputs", order)
    if (order := _along(a, b, out)) is not None:
        yield "permuted", _told("outputs", order)
    # Both: an output's values in any order tell which output it is.
    outputs = _order(*(np.sort(_rows(x, out), axis=1) for x in (a, b)))
    if outputs is not None and (order := _along(a[..., outputs], b, into)) is not None:
        yield "permuted", f"{_told('inputs', order)}, {_told('outputs', outputs)}"


def _along(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray | None:
    return _order(_rows(a, axis), _rows(b, axis))


def _rows(x: np.ndarray, axis: int) -> np.ndarray:
    return np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)


def _order(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Which row of A each row of B is, when every row is found and used once."""
    places: dict[bytes, list[int]] = {}
    for place in range(len(a) - 1, -1, -1):
        places.setdefault(_bytes(a[place]), []).append(place)
    order = [found.pop() if (found := places.get(_bytes(row))) else -1 for row in b]
    return None if -1 in order else np.array(order)


def _bytes(row: np.ndarray) -> bytes:
    # Adding 0 makes one zero of both.
    return bytes((np.asarray(row, np.float32) + np.float32(0)).tobytes())


def _told(what: str, order: np.ndarray) -> str:
    moved = int((order != np.arange(len(order))).sum())
    if moved == 2:
        first, second = np.flatnonzero(order != np.arange(len(order)))
        return f"{what} {first} and {second} swapped"
    return f"{moved} of {len(order)} {what} in other places"


def _scaled(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[str, str]]:
    """A multiple, a multiple for each output, or a constant apart."""
    if a.size > 1 and a.any():
        factor = float((a * b).sum() / (a * a).sum())
        if _near(factor * a, b, b):
            yield "scaled", f"B's is {factor:.6g} times A's"
    if a.ndim > 1 and a[..., 0].size > 1:
        rows = a.reshape(-1, a.shape[-1]), b.reshape(-1, a.shape[-1])
        squares = (rows[0] ** 2).sum(axis=0)
        factors = (rows[0] * rows[1]).sum(axis=0) / np.where(squares, squares, 1.0)
        if _near(factors * a, b, b):
            yield "scaled", "each output by a factor of its own: is a batch norm folded in?"
    shift = float(np.mean(b - a))
    if a.ndim == 1 and a.size > 1 and _near(a + shift, b, np.abs(a) + np.abs(b)):
        yield "wrong", f"B's is A's {shift:+.6g}"


def _near(want: np.ndarray, have: np.ndarray, scale: np.ndarray) -> bool:
    """Equal to what two roundings to float32 can do, where numbers of this size were rounded."""
    return bool((np.abs(want - have) <= 2 * ROUNDING * np.abs(scale)).all())


def checksum(values: np.ndarray) -> tuple[int, int, int]:
    """The same for any order of the same numbers, as float32 stores them."""
    bits = (np.ascontiguousarray(values, np.float32) + np.float32(0)).view(np.uint32).ravel()
    return len(bits), int(bits.sum(dtype=np.uint64)), int(np.bitwise_xor.reduce(bits))
