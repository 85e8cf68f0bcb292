"""Operators that are several primitives: spelt out once, for every framework that has them.

Each is a function of the tape and its operands' values, and returns the value of the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.trace.tape import Tape


def square(tape: Tape, x: int) -> int:
    """The product with itself."""
    return tape.elementwise("mul", x, x)


def squared_difference(tape: Tape, x: int, y: int) -> int:
    """The square of a difference."""
    return square(tape, tape.elementwise("sub", x, y))


def power(tape: Tape, x: int, exponent: float) -> int:
    """A constant power; the second is a product."""
    if exponent == 2:
        return square(tape, x)
    return tape.elementwise("pow", x, tape.constant(float(exponent)))


def reciprocal(tape: Tape, x: int) -> int:
    """One divided by it."""
    return tape.elementwise("div", tape.constant(1.0), x)


def log1p(tape: Tape, x: int) -> int:
    """The logarithm of one more."""
    return tape.elementwise("log", tape.elementwise("add", x, tape.constant(1.0)))


def expm1(tape: Tape, x: int) -> int:
    """The exponential, less one."""
    return tape.elementwise("sub", tape.elementwise("exp", x), tape.constant(1.0))


def exp2(tape: Tape, x: int) -> int:
    """Two to the power of it."""
    return tape.elementwise("pow", tape.constant(2.0), x)


def silu(tape: Tape, x: int) -> int:
    """The sigmoid linear unit, or swish."""
    return tape.elementwise("mul", x, tape.elementwise("logistic", x))


def clamp(tape: Tape, x: int, low: int | None, high: int | None) -> int:
    """Nothing below the one bound, nothing above the other; a bound that is None is none."""
    x = x if low is None else tape.elementwise("max", x, low)
    return x if high is None else tape.elementwise("min", x, high)


def relu6(tape: Tape, x: int) -> int:
    """A rectifier that ends at six."""
    return clamp(tape, tape.elementwise("relu", x), None, tape.constant(6.0))


def leaky_relu(tape: Tape, x: int, slope: float) -> int | None:
    """The larger of a number and a share of it; None for a slope where that is something else."""
    if not 0 <= slope <= 1:
        return None
    return tape.elementwise("max", x, tape.elementwise("mul", x, tape.constant(slope)))


def log_softmax(tape: Tape, x: int, axis: int) -> int:
    """The logarithm of a softmax."""
    return tape.elementwise("log", tape.softmax(x, axis))


def interpolation(tape: Tape, x: int, y: int, weight: int) -> int:
    """A share of the way from one value to another."""
    way = tape.elementwise("sub", y, x)
    return tape.elementwise("add", x, tape.elementwise("mul", way, weight))


def variance(
    tape: Tape, x: int, axes: Iterable[int], correction: float = 0, keep: bool = False
) -> int:
    """The mean squared distance from the mean, over one less per ``correction``."""
    axes = tuple(axes)
    mean = tape.reduce(x, "mean", axes, keep=True)
    total = tape.reduce(squared_difference(tape, x, mean), "sum", axes, keep)
    count = tape.size(x) // max(tape.size(total), 1) - correction
    return tape.elementwise("div", total, tape.constant(float(count)))


def sum_of(tape: Tape, terms: Sequence[int]) -> int:
    """Several terms, added from the first to the last."""
    total, *rest = terms
    for term in rest:
        total = tape.elementwise("add", total, term)
    return total


def running_sum(tape: Tape, x: int, axis: int, backwards: bool) -> int:
    """A window as long as the axis, over all that lies before (or after) each place."""
    shape = tape[x].shape
    before = (shape[axis] - 1, 0)
    size = [n if i == axis else 1 for i, n in enumerate(shape)]
    padding = [(0, 0)] * len(shape)
    padding[axis] = before[::-1] if backwards else before
    return tape.window(x, "sum", size, (1,) * len(shape), padding)
