"""Variances with which a batch norm divides by a power of two, in every arithmetic there is.

``variance + epsilon`` has to be a power of four.  Double precision and single can store the
difference closely enough for the sum to round to that power.  bfloat16 cannot, where a framework
keeps the sum in single precision: there most channels have a variance beside which epsilon is
lost, and those in which it shows are off by less than what rounds away, as long as nothing is
added to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from conformance.numbers.precision import PRECISIONS, Precision


@dataclass(frozen=True, slots=True)
class Root:
    """A variance for which ``sqrt(variance + epsilon)`` is ``2^exponent``.

    ``exact`` says whether it is so in any arithmetic; otherwise it is after rounding alone.
    """

    exponent: int
    variance: float
    exact: bool


@cache
def roots(epsilon: float, name: str) -> tuple[tuple[Root, ...], tuple[Root, ...]]:
    """Variances in a precision that tell one epsilon from another, and variances that do not."""
    precision = PRECISIONS[name]
    found = [_root(epsilon, k, precision) for k in range(-12, 3)]
    telling = tuple(root for root in found if root and root.variance < 4.0**root.exponent)
    if all(root.exact for root in telling):
        # Not 1: who forgets the root, or takes it twice, would not be seen.
        return tuple(r for r in telling if -3 < r.exponent < 3 and r.exponent), ()
    best = min(telling, key=lambda root: _miss(epsilon, root))
    return (best,), tuple(Root(k, 4.0**k, True) for k in (8, 9))


def _root(epsilon: float, exponent: int, precision: Precision) -> Root | None:
    power = 4.0**exponent
    if power <= epsilon:
        return None
    below = _stored(power - epsilon, precision)
    added = _stored(epsilon, precision)
    kept = [
        Root(exponent, variance, _single(variance, epsilon, exponent))
        for variance in (below, _next(below, precision))
        if _stored(variance + added, precision) == power
    ]
    exact = [r for r in kept if r.exact]
    return min(exact or kept, key=lambda root: _miss(epsilon, root), default=None)


def _stored(number: float, precision: Precision) -> float:
    return float(precision.round(np.array([number], precision.dtype))[0])


def _next(number: float, precision: Precision) -> float:
    """The number above, of those that are stored."""
    last = 2.0 ** (np.floor(np.log2(number)) - precision.stored + 1)
    return float(number + last)


def _single(variance: float, epsilon: float, exponent: int) -> bool:
    """Whether the reciprocal root is exact in single precision, however exactly it is computed."""
    return bool(np.float32(1 / np.sqrt(variance + epsilon)) == np.float32(2.0**-exponent))


def _miss(epsilon: float, root: Root) -> float:
    return abs((root.variance + epsilon) / 4.0**root.exponent - 1)
