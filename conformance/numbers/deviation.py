"""How far one array is from another, beside how far it may be: what every numeric check records."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import NamedTuple

import numpy as np

from conformance.chunks import each, packed, strips
from conformance.data import Count, Row
from conformance.large import Large, inner, over
from conformance.numbers.precision import FLOAT64

#: How many values of each node's result are kept, to be compared with other frameworks' results.
SAMPLES = 12


class NodeParity(Row, frozen=True):
    """One node's result: errors and bound are largest differences over the root mean square."""

    node: Count
    rms: float
    error: float
    bound: float
    sample: tuple[float, ...]

    @property
    def agrees(self) -> bool:
        """What is not finite on either side agrees with nothing."""
        return self.error <= self.bound < inf


class SlotParity(Row, frozen=True):
    """What a slot has become, or its gradient; as in :class:`NodeParity`.

    ``share`` is how much of the expected array is in the one found: 1 where it is right, of a
    gradient 0 where it was cut and 2 where it was counted twice.
    """

    node: Count
    slot: str
    rms: float
    error: float
    bound: float
    share: float
    sample: tuple[float, ...]

    @property
    def agrees(self) -> bool:
        return self.error <= self.bound < inf

    @classmethod
    def of(
        cls, node: int, slot: str, got: np.ndarray, want: np.ndarray, cost: float,
        scale: float = 0.0,
    ) -> SlotParity:  # fmt: skip
        """Set an array beside the expected one; ``cost`` is what single precision costs here.

        An expected array that is nothing but rounding is measured on another ``scale``.
        """
        return cls.by(node, slot, beside(got, want), got, cost, scale)

    @classmethod
    def by(
        cls, node: int, slot: str, beside: Beside, got: np.ndarray, cost: float, scale: float = 0.0
    ) -> SlotParity:
        """As :meth:`of`, of arrays that have been set beside each other."""
        rms, square = scale or beside.rms or 1.0, beside.square
        share = beside.product / square if square else 1.0
        error = beside.error / rms if isfinite(beside.error) and isfinite(rms) else inf
        return cls(node, slot, rms, error, cost * FLOAT64.margin, share, sample(got))


class Control(Row, frozen=True):
    """A wrong variant of one node, put in the oracle's place: it has to exceed the bound."""

    node: Count
    alteration: str
    error: float
    bound: float

    @property
    def caught(self) -> bool:
        """One that cannot be compared is no evidence."""
        return self.bound < self.error < inf


class Beside(NamedTuple):
    """Two arrays beside each other: how many numbers the expected one has, the sum of their squares
    and of their products with those found, and the largest differences of these, and of rough
    ones, from them."""

    size: int
    square: float
    product: float
    error: float
    rough: float

    @property
    def rms(self) -> float:
        """The root mean square of the expected array."""
        return sqrt(self.square / self.size)


def beside(got: np.ndarray, want: np.ndarray, rough: np.ndarray | None = None) -> Beside:
    """Set an array, and a rough one of the same shape, beside the expected one.

    Of an expected matrix that is not held each part is made once for all this.
    """
    rough = want if rough is None else rough
    if not isinstance(want, Large):
        got = packed(got)
        square, product = inner(want, want), inner(got, want)
        return Beside(want.size, square, product, distance(got, want, 1), distance(rough, want, 1))
    (a, b), (_, c) = want.along(got), rough.along(got)

    def measured(x: np.ndarray, rough: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
        apart = [largest(each - y) for each in (x, rough)]
        return float(np.vdot(y, y)), float(np.vdot(x, y)), *apart

    squares, products, errors, others = zip(*over(measured, a, c, b), strict=True)
    # What is not a number is not passed over.
    furthest = [x if isfinite(x) else inf for x in map(float, map(np.max, (errors, others)))]
    return Beside(want.size, sum(squares), sum(products), *furthest)


def largest(apart: np.ndarray) -> float:
    """The largest absolute number of an array, in whose place they are all made absolute."""
    return float(np.max(np.abs(apart, out=apart), initial=0.0))


def distance(got: np.ndarray, want: np.ndarray, rms: float) -> float:
    """The largest difference over the root mean square; infinite for what is not comparable."""
    if got.shape != want.shape:
        return inf
    # In one order of memory: numbers that lie apart cost many times what subtracting them does.
    a, b = np.ascontiguousarray(got).reshape(-1), np.ascontiguousarray(want).reshape(-1)
    found = [0.0]
    each(lambda part: found.append(largest(a[part] - b[part])), strips(len(a), a.size))
    furthest = float(np.max(found))  # what is not a number is not passed over
    return furthest / rms if isfinite(furthest) and isfinite(rms) else inf


def order_of(want: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Which channel of ``want`` each of ``got`` is, if their order is all that differs."""
    probe = np.random.Generator(np.random.Philox(key=0)).random(want[..., 0].size)
    a, b = (probe @ x.reshape(-1, x.shape[-1]) for x in (want, got))
    order = np.empty(len(a), int)
    order[np.argsort(b, kind="stable")] = np.argsort(a, kind="stable")
    return order


def sample(result: np.ndarray) -> tuple[float, ...]:
    """A few values, spread over the result in neutral layout."""
    spread = np.linspace(0, result.size - 1, min(SAMPLES, result.size)).astype(int)
    return tuple(map(float, result[np.unravel_index(spread, result.shape)]))
