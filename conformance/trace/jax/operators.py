"""What a primitive of JAX is in the words of the tape: a function a row.

Each takes the walk, the equation's parameters, its first result's shape and its operands.  It
returns a value (or a list, one for each result), or None where the tape has no words.  What is one
call of the tape's is spelt in the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import ClosedJaxpr

from conformance.trace import composed
from conformance.trace.evaluation import BINARY, UNARY
from conformance.trace.jax.execution import is_floating
from conformance.trace.tape import Tape

if TYPE_CHECKING:
    from conformance.trace.jax.walk import Value, Walk

Json = dict[str, Any]
Shape = tuple[int, ...]
Translation = Callable[..., "int | list[int] | None"]

EXTREMA = {"gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal"}
COMPARISONS = EXTREMA | {"eq": "equal", "ne": "not_equal"}


# Layers.


def convolution(walk: Walk, params: Json, shape: Shape, x: Value, kernel: Value) -> int | None:
    """A convolution of two spatial axes that spreads no cells apart."""
    numbers = params["dimension_numbers"]
    padding = [(int(low), int(high)) for low, high in params["padding"]]
    if len(shape) != 4 or set(params["lhs_dilation"]) != {1} or min(map(min, padding)) < 0:
        return None
    if params["batch_group_count"] != 1:
        return None
    return walk.tape.conv(
        walk.of(x), walk.of(kernel),
        lhs=numbers.lhs_spec, rhs=numbers.rhs_spec, out=numbers.out_spec,
        stride=params["window_strides"], padding=padding, dilation=params["rhs_dilation"],
        groups=params["feature_group_count"],
    )  # fmt: skip


def product(walk: Walk, params: Json, shape: Shape, left: Value, right: Value) -> int:
    """A product over some axes."""
    summed, batch = params["dimension_numbers"]
    operands = walk.of(left), walk.of(right)
    return composed.contraction(walk.tape, "dot_general", operands, summed, batch)


def window(walk: Walk, params: Json, shape: Shape, x: Value, *, reduce: str) -> int | None:
    """A sum or a maximum of every window without holes."""
    if set(params["base_dilation"]) != {1} or set(params["window_dilation"]) != {1}:
        return None
    size, stride = params["window_dimensions"], params["window_strides"]
    return walk.tape.window(walk.of(x), reduce, size, stride, params["padding"])


def any_window(walk: Walk, params: Json, shape: Shape, x: Value, start: Value) -> int | None:
    """A window reduction by a function of the port's own, if that is a sum or a maximum."""
    inner = params["jaxpr"]
    inner = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
    body = [equation.primitive.name for equation in inner.eqns]
    if body == ["add"] and _is_constant(start, 0.0):
        return window(walk, params, shape, x, reduce="sum")
    if body == ["max"] and _is_constant(start, -math.inf):
        return window(walk, params, shape, x, reduce="max")
    return None


# Algebra.


def extremum(
    walk: Walk, params: Json, shape: Shape, left: Value, right: Value, *, word: str
) -> int:
    """The larger or smaller of two; infinity takes no part."""
    nothing = -math.inf if word == "max" else math.inf
    for kept, other in ((left, right), (right, left)):
        if _is_constant(other, nothing):
            return walk.of(kept)
    return walk.tape.elementwise(word, walk.of(left), walk.of(right))


def select(walk: Walk, params: Json, shape: Shape, which: Value, *cases: Value) -> int | None:
    """A choice that is settled, a mask, the larger or smaller of two, or any other choice."""
    if len(cases) != 2:
        return None
    tape, (no, yes) = walk.tape, cases
    if which.constant:
        mask = np.broadcast_to(np.asarray(which.array), shape)
        if mask.all() or not mask.any():
            return walk.of(yes if mask.all() else no)
        if _is_constant(no, 0):
            return tape.elementwise("mul", walk.of(yes), tape.constant(mask.astype(float)))
        if _is_constant(yes, 0):
            return tape.elementwise("mul", walk.of(no), tape.constant((~mask).astype(float)))
    if which.comparison is not None and which.comparison[0] in EXTREMA:
        how, left, right = which.comparison
        if how in ("lt", "le"):
            left, right = right, left
        if _is(yes, left) and _is(no, right):
            return tape.elementwise("max", walk.of(left), walk.of(right))
        if _is(yes, right) and _is(no, left):
            return tape.elementwise("min", walk.of(left), walk.of(right))
    return tape.select(walk.of(which), walk.of(yes), walk.of(no))


def zeros_and_ones(walk: Walk, params: Json, shape: Shape, mask: Value) -> int | None:
    """A mask as numbers."""
    value, tape = walk.of(mask), walk.tape
    made = tape[value].name in COMPARISONS.values() and is_floating(params["new_dtype"])
    return tape.select(value, tape.constant(1.0), tape.constant(0.0)) if made else None


# Layout.


def pad(walk: Walk, params: Json, shape: Shape, x: Value, fill: Value) -> int | None:
    """Cells of one number around an array, or a crop; none between its own."""
    config = [tuple(map(int, axis)) for axis in params["padding_config"]]
    if any(interior for _, _, interior in config) or not fill.constant:
        return None
    padding, number = [(low, high) for low, high, _ in config], complex(np.asarray(fill.array))
    return None if number.imag else walk.tape.pad(walk.of(x), padding, number.real)


def part(walk: Walk, params: Json, shape: Shape, x: Value) -> int:
    """A slice of every axis."""
    starts, stops = params["start_indices"], params["limit_indices"]
    steps = params["strides"] or (1,) * len(shape)
    spans = [range(*map(int, span)) for span in zip(starts, stops, steps, strict=True)]
    if x.index is None and x.stacked and len(spans[x.stacked[0]]) == 1:
        axis, parts = x.stacked
        one = walk.of(parts[spans[axis].start])
        del spans[axis]
        return walk.tape.reshape(walk.tape.slice(one, spans), shape)
    return walk.tape.slice(walk.of(x), spans)


def dynamic_part(walk: Walk, params: Json, shape: Shape, x: Value, *starts: Value) -> int | None:
    """A slice that starts at places that are known."""
    if not all(start.constant for start in starts):
        return None
    value, spans = walk.of(x), []
    for start, size, n in zip(starts, shape, walk.tape[value].shape, strict=True):
        first = min(max(int(start.array), 0), n - size)
        spans.append(range(first, first + size))
    return walk.tape.slice(value, spans)


def split(walk: Walk, params: Json, shape: Shape, x: Value) -> list[int]:
    """The parts of one axis."""
    value, begin, parts = walk.of(x), 0, []
    for size in params["sizes"]:
        parts.append(walk.tape.part(value, params["axis"], range(begin, begin + size)))
        begin += size
    return parts


def gather(walk: Walk, params: Json, shape: Shape, x: Value, indices: Value) -> int | None:
    """Whole slices along one axis, or some that follow one another, at places that are known."""
    numbers, before = params["dimension_numbers"], walk.tape[walk.of(x)].shape
    axes = tuple(numbers.start_index_map)
    if not indices.constant or not axes or axes != tuple(range(axes[0], axes[0] + len(axes))):
        return None
    whole = tuple(1 if i in axes else n for i, n in enumerate(before))
    places = np.moveaxis(np.asarray(indices.array), -1, 0)
    taken = range(axes[0], axes[0] + places[0].ndim)
    others = tuple(i for i in range(len(shape)) if i not in taken)
    sides = before[axes[0] : axes[-1] + 1]
    if (
        tuple(params["slice_sizes"]) != whole
        or tuple(numbers.collapsed_slice_dims) != axes
        or tuple(numbers.offset_dims) != others
        or places.min(initial=0) < 0
        or any(each.max(initial=0) >= n for each, n in zip(places, sides, strict=True))
    ):
        return None
    flat = walk.tape.reshape(
        walk.of(x), (*before[: axes[0]], math.prod(sides), *before[axes[-1] + 1 :])
    )
    return walk.tape.take(flat, axes[0], np.ravel_multi_index(tuple(places), sides))


def _is_constant(value: Value, number: float) -> bool:
    return value.constant and bool(np.all(np.asarray(value.array) == number))


def _is(a: Value, b: Value) -> bool:
    """Whether two operands are one value, or the same number."""
    if a.constant and b.constant:
        first, second = np.asarray(a.array), np.asarray(b.array)
        return bool((first == first.flat[0]).all() and (second == first.flat[0]).all())
    return a is b


def algebra(function: Callable[..., int]) -> Translation:
    """A primitive without parameters, by a function of the tape and its operands' values."""
    return lambda walk, params, shape, *operands: function(walk.tape, *map(walk.of, operands))


def primitive(word: str) -> Translation:
    """A primitive that the tape has as well."""
    return algebra(lambda tape, *operands: tape.elementwise(word, *operands))


def by(function: Callable[..., int], *names: str) -> Translation:
    """A primitive of one operand, by a function of the tape, its value and these parameters."""
    return lambda walk, params, shape, x: function(
        walk.tape, walk.of(x), *(params[name] for name in names)
    )


TABLE: dict[str, Translation] = {
    **{word: primitive(word) for word in (set(UNARY) | set(BINARY)) - {"relu", "max", "min"}},
    "max": partial(extremum, word="max"),
    "min": partial(extremum, word="min"),
    "add_any": primitive("add"),
    **{word: algebra(composed.FORMULAS[word]) for word in ("square", "log1p", "expm1", "exp2")},
    "integer_pow": by(composed.power, "y"),
    "clamp": algebra(lambda tape, low, x, high: composed.clamp(tape, x, low, high)),
    "select_n": select,
    "convert_element_type": zeros_and_ones,
    "conv_general_dilated": convolution,
    "dot_general": product,
    "reduce_window_sum": partial(window, reduce="sum"),
    "reduce_window_max": partial(window, reduce="max"),
    "reduce_window": any_window,
    "cumsum": by(composed.running_sum, "axis", "reverse"),
    "reduce_sum": by(lambda tape, x, axes: tape.reduce(x, "sum", axes), "axes"),
    "reduce_max": by(lambda tape, x, axes: tape.reduce(x, "max", axes), "axes"),
    "reduce_min": by(lambda tape, x, axes: tape.reduce(x, "min", axes), "axes"),
    **dict.fromkeys(
        ("reshape", "squeeze", "expand_dims"),
        lambda walk, params, shape, x: walk.tape.reshape(walk.of(x), shape),
    ),
    "broadcast_in_dim": by(Tape.broadcast, "shape", "broadcast_dimensions"),
    "transpose": by(Tape.transpose, "permutation"),
    "rev": by(Tape.reverse, "dimensions"),
    "concatenate": lambda walk, params, shape, *parts: walk.tape.concat(
        [walk.of(part) for part in parts], params["dimension"]
    ),
    "pad": pad,
    "slice": part,
    "dynamic_slice": dynamic_part,
    "split": split,
    "gather": gather,
}
