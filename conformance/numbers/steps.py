"""Results in whole steps: what each kind of node makes of them without rounding anything.

A result is *stepped* when all its values are multiples of one step, a power of two times an odd
number, few enough of them for the precision to hold each value exactly.  :data:`KEPT` has a rule
for every kind that keeps its input in steps.

Arrays are channels x height x width; a vector is a map of one pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm, prod
from typing import Any

import numpy as np

from conformance.graph.model import Node
from conformance.kinds.arrays import by_offset, pad
from conformance.numbers.precision import Precision

#: Kinds whose result is in the steps of their inputs.
PASSING = frozenset({"relu", "max_pool", "concat", "add", "flatten", "pad", "upsample"})

#: Steps so small that a response normalisation that starts at 1 passes on what is made of them:
#: its square is lost beside 1 even in float64.
TINY = Fraction(1, 1 << 30)

#: From here on tanh is 1 to the last digit of float64; a step of the power of two above saturates.
SATURATED, LOUD = 20.0, 32

#: Binary digits of what float32 sums.
SUMMED = 24

#: Where a factor is a ratio of integers, the larger of them is at most this.
RATIO = 1000


class Rounds(Exception):
    """The node's arithmetic rounds, whatever it is given; the message says why."""


@dataclass(frozen=True)
class Stepped:
    """A result and the step that all its values are multiples of.

    Where bfloat16 has rounded values below zero, ``above`` is the step of those above it.
    """

    values: np.ndarray
    step: Fraction
    above: Fraction | None = None

    @property
    def levels(self) -> float:
        """The largest absolute value, in steps."""
        return float(np.abs(self.values).max(initial=0)) / float(self.step)

    @property
    def bits(self) -> float:
        """An upper bound of the binary digits of any value."""
        return float(np.log2(max(1.0, self.levels * odd(self.step))))


def odd(number: Fraction | int) -> int:
    """The odd factor of an integer or of the numerator of a step."""
    n = abs(Fraction(number).numerator) or 1
    return n // (n & -n)


def common(a: Fraction, b: Fraction) -> Fraction:
    """The largest step that both are multiples of."""
    return Fraction(
        gcd(a.numerator * b.denominator, b.numerator * a.denominator),
        a.denominator * b.denominator,
    )


def ratio(factor: float) -> Fraction:
    """The ratio of small integers that a factor is written as.  Raises :class:`Rounds`."""
    found = Fraction(factor).limit_denominator(RATIO)
    if found and float(found) == factor:
        return found
    raise Rounds(f"a factor of {factor:.6g} is no ratio of small integers")


def finest(values: np.ndarray) -> Fraction:
    """The largest power of two that all values of a float32 array are multiples of."""
    bits = np.ascontiguousarray(values, np.float32).view(np.int32)
    bits = bits[(bits & 0x7F800000) != 0]
    if not bits.size:
        return Fraction(1)
    significand = (bits & 0x7FFFFF) | 0x800000
    last = np.log2((significand & -significand).astype(np.float64))
    return Fraction(2) ** int(((bits >> 23 & 0xFF) - 150 + last).min())


def cells(node: Node, before: tuple[int, ...]) -> set[int]:
    """How many values the windows of an average hold, those of a border included."""
    if node.kind == "global_avg_pool":
        return {prod(before[:-1])}
    a = node.attributes
    if a["count_include_pad"]:
        return {prod(a["kernel"])}
    sides = []
    for size, kernel, stride, (low, high) in zip(
        before, a["kernel"], a["stride"], a["padding"], strict=False
    ):
        first = np.arange((size + low + high - kernel) // stride + 1) * stride - low
        sides.append(np.minimum(first + kernel, size) - np.maximum(first, 0))
    return {int(i * j) for i in set(sides[0]) for j in set(sides[1])}


def saturates(values: np.ndarray, exact: bool = False) -> bool:
    """Whether tanh of these is -1, 0 or 1 in any precision; what is inexact needs a margin."""
    size = np.abs(values)
    return bool(((size >= SATURATED + (not exact)) | (exact & (size == 0))).all())


# One rule a kind.  Each is given the precision, the node and its inputs, and returns the result;
# where that is not the exact one in any arithmetic it raises Rounds.


def _windows(x: np.ndarray, node: Node, combine: Any = np.add, fill: float = 0.0) -> np.ndarray:
    return by_offset(pad(x, node.attributes["padding"], fill), node.attributes, combine)


def _average(precision: Precision, node: Node, x: Stepped) -> Stepped:
    a, size = node.attributes, x.values.shape[1:]
    inside = np.ones((1, *size), np.float32)
    count = _windows(inside, node)
    if a["count_include_pad"]:
        count = np.full_like(count, prod(a["kernel"]))
    total, largest = _windows(x.values, node), _windows(np.abs(x.values), node).max()
    return _divided(precision, total, largest, count, x, lcm(*cells(node, (*size, 0))))


def _mean(precision: Precision, node: Node, x: Stepped) -> Stepped:
    count = np.float32(prod(x.values.shape[1:]))
    total, largest = (
        each.sum(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
        for each in (x.values, np.abs(x.values))
    )
    return _divided(precision, total, largest.max(), count, x, int(count))


def _divided(
    precision: Precision, total: np.ndarray, largest: float, count: Any, x: Stepped, most: int
) -> Stepped:
    """Sums over counts; a framework may keep what it sums in the precision that it stores.

    Where exact sums do not come out even in bfloat16, their quotient is rounded once.
    """
    bits = min(SUMMED, precision.stored)
    if largest / float(x.step) * odd(x.step) > 2**bits:
        raise Rounds(f"sums of its windows need more than {bits} bits")
    if odd(most) == 1 or x.step.numerator % odd(most) == 0:
        return Stepped(total / count, x.step / most)
    if precision.stored >= SUMMED:
        raise Rounds(f"its sums are no multiples of {most}")
    kept = precision.round(total / count)
    return Stepped(kept, finest(kept))


def _sum(precision: Precision, node: Node, *xs: Stepped) -> Stepped:
    total = xs[0].values
    for x in xs[1:]:
        total = total + x.values
    return Stepped(total, _step(xs))


def _step(xs: tuple[Stepped, ...]) -> Fraction:
    step = xs[0].step
    for x in xs[1:]:
        step = common(step, x.step)
    return step


def _padded(precision: Precision, node: Node, x: Stepped) -> Stepped:
    a = node.attributes
    if a["value"]:
        raise Rounds(f"it pads with {a['value']}")
    return Stepped(np.pad(x.values, (a.get("channels", (0, 0)), *a["padding"])), x.step)


def _repeated(precision: Precision, node: Node, x: Stepped) -> Stepped:
    height, width = node.attributes["factor"]
    return Stepped(x.values.repeat(height, axis=1).repeat(width, axis=2), x.step)


def _scaled(precision: Precision, node: Node, x: Stepped) -> Stepped:
    a = node.attributes
    if np.ndim(a["factor"]) or "offset" in a or node.slots:
        raise Rounds("it scales each channel by itself")
    factor = float(a["factor"])
    try:
        by = ratio(factor)
    except Rounds:
        if x.bits > 1 or odd(x.step) > 1:
            raise
        # A power of two times any factor is exact: it is that factor, as the precision has it.
        stored = precision.round(np.array([factor], precision.dtype))[0]
        if (kept := np.float32(stored)) != stored:
            raise
        return Stepped(x.values * kept, x.step * Fraction(float(kept)))
    step = x.step * by
    if step.denominator & (step.denominator - 1):
        raise Rounds(f"what it scales is no multiple of {by.denominator}")
    values = np.rint(x.values / float(x.step)) * np.float32(step)
    written = np.array([factor], precision.dtype)
    for each in (written, precision.round(written)):  # a framework may keep either
        product = precision.round(x.values.astype(precision.dtype) * each)
        if x.bits <= precision.stored and not np.array_equal(product, values):
            raise Rounds(f"a product with {factor:.6g} rounds to another number than {by} of it")
    return Stepped(values, step)


def _saturated(precision: Precision, node: Node, x: Stepped) -> Stepped:
    if not saturates(x.values, exact=True):
        raise Rounds("tanh rounds where it is not saturated")
    return Stepped(np.sign(x.values), Fraction(1))


#: How a kind without weights keeps its inputs in steps.  Others than these, and those with
#: weights in :mod:`conformance.numbers.integers`, round.
KEPT: dict[str, Callable[..., Stepped]] = {
    "relu": lambda precision, node, x: Stepped(np.maximum(x.values, 0), x.above or x.step),
    "max_pool": lambda precision, node, x: Stepped(
        _windows(x.values, node, np.maximum, -np.inf), x.step
    ),
    "avg_pool": _average,
    "global_avg_pool": _mean,
    "add": _sum,
    "concat": lambda precision, node, *xs: Stepped(
        np.concatenate([x.values for x in xs]), _step(xs)
    ),
    "flatten": lambda precision, node, x: Stepped(vector(x.values), x.step),
    "pad": _padded,
    "upsample": _repeated,
    "scale": _scaled,
    "tanh": _saturated,
}


def vector(values: np.ndarray) -> np.ndarray:
    """A map as one vector, in neutral order: its channels next to each other."""
    return np.ascontiguousarray(values.transpose(1, 2, 0)).reshape(-1, 1, 1)
