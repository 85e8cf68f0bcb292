"""Operators that are several primitives: spelt out once, for every framework that has them.

Each is a function of the tape and its operands' values, and returns the value of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from math import pi, prod, sqrt

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
    "hard sigmoid": lambda tape, x: div(tape, FORMULAS["relu6"](tape, add(tape, x, 3.0)), 6.0),
    "hard swish": lambda tape, x: mul(tape, x, FORMULAS["hard sigmoid"](tape, x)),
    "mish": lambda tape, x: mul(tape, x, _apply("tanh", tape, _apply("softplus", tape, x))),
    "gelu": lambda tape, x: mul(tape, x, _normal(tape, x)),
    "log sigmoid": lambda tape, x: _apply(
        "neg", tape, _apply("softplus", tape, _apply("neg", tape, x))
    ),
    "lerp": lambda tape, x, y, weight: add(tape, x, mul(tape, sub(tape, y, x), weight)),
}


def _normal(tape: Tape, x: int) -> int:
    """The share of a standard normal variable that lies below."""
    return mul(tape, add(tape, _apply("erf", tape, mul(tape, x, sqrt(0.5))), 1.0), 0.5)


def power(tape: Tape, x: int, exponent: float) -> int:
    """A constant power; the second is a product."""
    if exponent == 2:
        return mul(tape, x, x)
    return _apply("pow", tape, x, float(exponent))


def clamp(tape: Tape, x: int, low: int | None, high: int | None) -> int:
    """Nothing below the one bound, nothing above the other; a bound that is None is none."""
    x = x if low is None else tape.elementwise("max", x, low)
    return x if high is None else tape.elementwise("min", x, high)


def leaky_relu(tape: Tape, x: int, slope: float) -> int:
    """A number, or a share of it where it is negative."""
    share = mul(tape, x, float(slope))
    if 0 <= slope <= 1:
        return tape.elementwise("max", x, share)
    return tape.select(_apply("greater", tape, x, 0.0), x, share)


def gelu_by_tanh(tape: Tape, x: int) -> int:
    """Hendrycks and Gimpel, arXiv:1606.08415, section 2."""
    cube = mul(tape, mul(tape, mul(tape, x, x), x), 0.044715)
    inner = mul(tape, add(tape, x, cube), sqrt(2 / pi))
    return mul(tape, mul(tape, x, 0.5), add(tape, _apply("tanh", tape, inner), 1.0))


def elu(tape: Tape, x: int, alpha: float = 1, scale: float = 1, below: float = 1) -> int:
    """What is positive times ``scale``; below that ``scale`` times an exponential that ends in
    minus ``alpha``, and falls the faster the larger ``below`` is."""
    least = _apply("min", tape, mul(tape, x, float(below)), 0.0)
    fallen = mul(tape, FORMULAS["expm1"](tape, least), float(alpha * scale))
    return add(tape, mul(tape, _apply("relu", tape, x), float(scale)), fallen)


def soft_shrink(tape: Tape, x: int, least: float) -> int:
    """Numbers brought nearer to zero by ``least``, as far as there."""
    left = _apply("relu", tape, sub(tape, _apply("abs", tape, x), float(least)))
    return mul(tape, _apply("sign", tape, x), left)


def layer_norm(tape: Tape, x: int, gamma: int, beta: int, epsilon: float) -> int:
    """A norm of the last axis; -1 stands for an absent gamma or beta."""
    last = (len(tape[x].shape) - 1,)
    centred = sub(tape, x, tape.reduce(x, "mean", last, keep=True))
    steadied = add(tape, variance(tape, x, last, keep=True), float(epsilon))
    x = mul(tape, centred, _apply("rsqrt", tape, steadied))
    x = x if gamma < 0 else mul(tape, x, gamma)
    return x if beta < 0 else add(tape, x, beta)


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
    count = prod(tape[x].shape) // max(prod(tape[total].shape), 1) - correction
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


def contraction(
    tape: Tape, name: str, operands: tuple[int, int], summed: Sequence[Sequence[int]],
    batch: Sequence[Sequence[int]] = ((), ()),
) -> int:  # fmt: skip
    """A sum of products over some axes of each operand; what is left of the first stands first.

    A product for each of a batch, whose axes stand before all others, is unknown under a ``name``,
    except for where its axes come from.
    """
    shapes = [tape[x].shape for x in operands]
    gone = [{*some, *alike} for some, alike in zip(summed, batch, strict=True)]
    first, second = (
        [axis for axis in range(len(shape)) if axis not in axes]
        for shape, axes in zip(shapes, gone, strict=True)
    )
    if batch[0] or not summed[0]:
        origin = (*batch[0], *first, *[-1] * len(second)), (*batch[1], *[-1] * len(first), *second)
        sizes = [shapes[0][i] for i in (*batch[0], *first)] + [shapes[1][i] for i in second]
        return tape.unknown(name, operands, sizes, origin=origin)
    (x, along), (y, into) = (
        _merged(tape, x, rest, axes)
        for x, rest, axes in zip(operands, (first, second), summed, strict=True)
    )
    return tape.dot(x, y, (along, into))


def _merged(tape: Tape, x: int, rest: Sequence[int], axes: Sequence[int]) -> tuple[int, int]:
    """A value with some axes as one last axis, in the order given, and which that is."""
    if len(axes) == 1:
        return x, int(axes[0])
    turned = tape.transpose(x, (*rest, *axes))
    shape = tape[turned].shape[: len(rest)]
    return tape.reshape(turned, (*shape, prod(tape[turned].shape[len(rest) :]))), len(rest)
