"""Operators that are several primitives: spelt out once, for every framework that has them.

Each is a function of the tape and its operands' values, and returns the value of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce

from conformance.trace.tape import Tape


def _apply(name: str, tape: Tape, *operands: int | float) -> int:
    """A primitive of values, the integers, and numbers."""
    values = (tape.constant(x) if isinstance(x, float) else x for x in operands)
    return tape.elementwise(name, *values)


add, sub, mul, div = (partial(_apply, name) for name in ("add", "sub", "mul", "div"))

#: Operators of one formula, by the names under which frameworks have them.
FORMULAS: dict[str, Callable[..., int]] = {
    "square": lambda tape, x: mul(tape, x, x),
    "squared difference": lambda tape, x, y: FORMULAS["square"](tape, sub(tape, x, y)),
    "reciprocal": lambda tape, x: div(tape, 1.0, x),
    "log1p": lambda tape, x: _apply("log", tape, add(tape, x, 1.0)),
    "expm1": lambda tape, x: sub(tape, _apply("exp", tape, x), 1.0),
    "exp2": lambda tape, x: _apply("pow", tape, 2.0, x),
    "silu": lambda tape, x: mul(tape, x, _apply("logistic", tape, x)),
    "relu6": lambda tape, x: _apply("min", tape, _apply("relu", tape, x), 6.0),
    "lerp": lambda tape, x, y, weight: add(tape, x, mul(tape, sub(tape, y, x), weight)),
}


def power(tape: Tape, x: int, exponent: float) -> int:
    """A constant power; the second is a product."""
    if exponent == 2:
        return mul(tape, x, x)
    return _apply("pow", tape, x, float(exponent))


def clamp(tape: Tape, x: int, low: int | None, high: int | None) -> int:
    """Nothing below the one bound, nothing above the other; a bound that is None is none."""
    x = x if low is None else tape.elementwise("max", x, low)
    return x if high is None else tape.elementwise("min", x, high)


def leaky_relu(tape: Tape, x: int, slope: float) -> int | None:
    """The larger of a number and a share of it; None for a slope where that is something else."""
    if not 0 <= slope <= 1:
        return None
    return tape.elementwise("max", x, mul(tape, x, float(slope)))


def log_softmax(tape: Tape, x: int, axis: int) -> int:
    """The logarithm of a softmax."""
    return tape.elementwise("log", tape.softmax(x, axis))


def variance(
    tape: Tape, x: int, axes: Iterable[int], correction: float = 0, keep: bool = False
) -> int:
    """The mean squared distance from the mean, over one less per ``correction``."""
    axes = tuple(axes)
    mean = tape.reduce(x, "mean", axes, keep=True)
    total = tape.reduce(FORMULAS["squared difference"](tape, x, mean), "sum", axes, keep)
    count = tape.size(x) // max(tape.size(total), 1) - correction
    return div(tape, total, float(count))


def sum_of(tape: Tape, terms: Sequence[int]) -> int:
    """Several terms, added from the first to the last."""
    return reduce(partial(add, tape), terms)


def running_sum(tape: Tape, x: int, axis: int, backwards: bool) -> int:
    """A window as long as the axis, over all that lies before (or after) each place."""
    shape = tape[x].shape
    before = (shape[axis] - 1, 0)
    size = [n if i == axis else 1 for i, n in enumerate(shape)]
    padding = [(0, 0)] * len(shape)
    padding[axis] = before[::-1] if backwards else before
    return tape.window(x, "sum", size, (1,) * len(shape), padding)
