"""What an aten operator is in the words of the tape: a function a row.

Each takes the recorder, the operator's outputs (for their shapes) and its arguments, in aten's
order and with aten's defaults.  It returns a value for each output (an int stands for one), or
None where the tape has no words.  What is one call of the tape's is spelt in the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from conformance.trace import composed
from conformance.trace.torch.activations import ACTIVATIONS
from conformance.trace.torch.hollow import both_floating
from conformance.trace.torch.layout import LAYOUTS, Translation, of_one
from conformance.trace.torch.windows import WINDOWS, positions, spread

if TYPE_CHECKING:
    from conformance.trace.torch.recorder import Recorder, Value

#: They make a tensor like another one, and read nothing of it but that.
CONSTANTS = frozenset(
    "empty_like zeros_like ones_like full_like new_empty new_zeros new_ones new_full".split()
)


def translation(operator: Any) -> Translation | None:
    """The row of an operator, if the tape has words for it."""
    if operator.namespace != "aten":
        return None
    name = operator.overloadpacket.__name__
    name = name.rstrip("_") if operator._schema.is_mutable else name
    return TABLE.get(f"{name}.{operator._overloadname}") or TABLE.get(name)


# Layers.


def convolution(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, weight: Tensor, bias: Tensor | None,
    stride: list[int], padding: list[int], dilation: list[int], transposed: bool,
    output_padding: list[int], groups: int,
) -> int | None:  # fmt: skip
    """A convolution of two spatial axes, and its bias."""
    if transposed or outputs[0].ndim != 4:
        return None
    tape, axes = recorder.tape, (0, 1, 2, 3)
    value = tape.conv(
        recorder.of(x), recorder.of(weight), lhs=axes, rhs=axes, out=axes,
        stride=spread(stride, 2), padding=[(p, p) for p in spread(padding, 2)],
        dilation=spread(dilation, 2), groups=groups,
    )  # fmt: skip
    if bias is None:
        return value
    by_channel = tape.reshape(recorder.of(bias), (outputs[0].shape[1], 1, 1))
    return tape.elementwise("add", value, by_channel)


def batch_of_products(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, y: Tensor
) -> int | None:
    """A product of one matrix for all, on either side, or of a batch of one."""
    tape = recorder.tape
    if len(x) > 1 and (right := _one_for_all(recorder, y)) is not None:
        return tape.dot(recorder.of(x), right, (2, 0))
    if len(x) > 1 and (left := _one_for_all(recorder, x)) is not None:
        return tape.transpose(tape.dot(left, recorder.of(y), (1, 1)), (1, 0, 2))
    if len(x) != 1:
        return None
    left, right = (tape.reshape(recorder.of(each), each.shape[1:]) for each in (x, y))
    return tape.reshape(tape.dot(left, right, (1, 0)), outputs[0].shape)


def _one_for_all(recorder: Recorder, x: Tensor) -> int | None:
    """The matrix that a batch repeats: torch spreads weights over images or rows of pixels."""
    tape, value, size = recorder.tape, recorder.of(x), prod(x.shape[1:])
    while tape[value].name in ("reshape", "broadcast") and prod(tape[value].shape) != size:
        (value,) = tape[value].inputs
    alone = x.stride(0) == 0 and prod(tape[value].shape) == size
    return tape.reshape(value, x.shape[1:]) if alone else None


def dense(
    recorder: Recorder, outputs: list[Tensor], bias: Tensor, x: Tensor, y: Tensor, *,
    beta: float = 1, alpha: float = 1,
) -> int | None:  # fmt: skip
    """A product of matrices, and its bias."""
    if (beta, alpha) != (1, 1):
        return None
    product = recorder.tape.dot(recorder.of(x), recorder.of(y), (1, 0))
    return recorder.tape.elementwise("add", product, recorder.of(bias))


def batch_norm(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, weight: Tensor | None,
    bias: Tensor | None, mean: Tensor | None, variance: Tensor | None, training: bool,
    momentum: float, eps: float, *_: Any,
) -> list[Value] | None:  # fmt: skip
    """A batch norm; its momentum is the share of the new, its running variance unbiased."""
    if not training and (mean is None or variance is None):
        return None
    base = _by_image(x) if training else None
    # A norm of each image has its running statistics repeated for all.
    if base is not None and (mean is None or recorder.tape[recorder.of(mean)].name != "parameter"):
        found = instance_norm(recorder, base, weight, bias, eps)
        return [recorder.tape.reshape(found, outputs[0].shape), None, None]
    slots = [-1 if p is None else recorder.of(p) for p in (x, weight, bias, mean, variance)]
    kept = 1 - momentum if training else None
    value = recorder.tape.batch_norm(*slots, axis=1, epsilon=eps, momentum=kept, unbiased=True)
    return [value, None, None]


def _by_image(x: Tensor) -> Tensor | None:
    """The maps of which x is a view with a channel for every one of every image."""
    base = x._base
    if base is None or base.ndim != x.ndim or x.ndim < 3 or x.shape[0] != 1:
        return None
    same = x.shape[1] == base.shape[0] * base.shape[1] and x.shape[2:] == base.shape[2:]
    return base if same else None


def instance_norm(
    recorder: Recorder, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> int:
    """Every map by its own statistics; PyTorch repeats gamma and beta for every image."""
    tape, slots = recorder.tape, [recorder.of(x)]
    for vector in (weight, bias):
        value = -1 if vector is None else recorder.of(vector)
        while value >= 0 and tape[value].name in ("reshape", "broadcast"):
            (value,) = tape[value].inputs
        slots.append(value)
    return tape.group_norm(*slots, groups=x.shape[1], epsilon=eps)


def layer_norm(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, shape: Sequence[int],
    weight: Tensor | None, bias: Tensor | None, eps: float,
) -> list[Value] | None:  # fmt: skip
    """A norm of the last axis, or of all that belongs to an image; None where the weights are as
    many as that."""
    image, gamma, beta = (-1 if p is None else recorder.of(p) for p in (x, weight, bias))
    if len(shape) == 1:
        return [composed.layer_norm(recorder.tape, image, gamma, beta, eps), None, None]
    if tuple(shape) != tuple(x.shape[1:]) or weight is not None:
        return None
    return [recorder.tape.group_norm(image, gamma, beta, groups=1, epsilon=eps), None, None]


def repeat(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, times: Sequence[int]
) -> int | None:
    """A vector so many times, one after the other."""
    if x.ndim != 1 or len(times) != 1:
        return None
    tape = recorder.tape
    return tape.reshape(tape.broadcast(recorder.of(x), (times[0], len(x))), (times[0] * len(x),))


def group_norm(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, weight: Tensor | None,
    bias: Tensor | None, images: int, channels: int, pixels: int, groups: int, eps: float,
) -> list[Value]:  # fmt: skip
    """A norm by the statistics of groups of channels."""
    slots = [-1 if p is None else recorder.of(p) for p in (x, weight, bias)]
    return [recorder.tape.group_norm(*slots, groups=groups, epsilon=eps), None, None]


def dropout(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, rate: float, training: bool | None
) -> list[Value]:
    """Dropout in training; elsewhere nothing."""
    value = recorder.of(x)
    return [recorder.tape.dropout(value, rate) if training else value, None]


def upsample_nearest(recorder: Recorder, outputs: list[Tensor], x: Tensor, *_: Any) -> int | None:
    """Every pixel repeated, a whole number of times."""
    pairs = list(zip(outputs[0].shape[2:], x.shape[2:], strict=True))
    factor = pairs[0][0] // pairs[0][1], pairs[1][0] // pairs[1][1]
    if any(n != m * times for (n, m), times in zip(pairs, factor, strict=True)):
        return None
    return recorder.tape.upsample(recorder.of(x), factor, (2, 3))


# Algebra.


def reduction(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: int | Sequence[int] | None = None,
    keepdim: bool = False, *, dtype: Any = None, word: str,
) -> list[Value]:  # fmt: skip
    """A reduction of some axes, or of all; of a maximum also its position."""
    dims = [dim] if isinstance(dim, int) else dim or range(x.ndim)
    axes = sorted(d % x.ndim for d in dims)
    value = recorder.tape.reduce(recorder.of(x), word, axes, keepdim)
    return [value, *positions(recorder, f"{word}.indices", x, outputs)]


def variance(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: Sequence[int] | None = None,
    correction: float | None = 1, keepdim: bool = False,
) -> int:  # fmt: skip
    """The variance over some axes; PyTorch's is unbiased unless asked otherwise."""
    axes = sorted(d % x.ndim for d in (dim if dim else range(x.ndim)))
    less = 1 if correction is None else correction
    return composed.variance(recorder.tape, recorder.of(x), axes, less, keepdim)


def deviation(*given: Any, **more: Any) -> int:
    """The root of the variance."""
    return given[0].tape.elementwise("sqrt", variance(*given, **more))


def with_mean(function: Callable[..., int]) -> Translation:
    """A moment of some axes, and their mean."""

    def both(
        recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: Any = None,
        correction: float | None = 1, keepdim: bool = False,
    ) -> list[Value]:  # fmt: skip
        mean = reduction(recorder, outputs[1:], x, dim, keepdim, word="mean")
        return [function(recorder, outputs, x, dim, correction, keepdim), mean[0]]

    return both


def clamp(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, low: Any = None, high: Any = None
) -> int:
    """A number held between two bounds."""
    value = recorder.of(x)
    bounds = [None if bound is None else recorder.of(bound) for bound in (low, high)]
    return composed.clamp(recorder.tape, value, *bounds)


def index_put(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, places: Sequence[Tensor | None],
    new: Tensor, accumulate: bool = False,
) -> int | None:  # fmt: skip
    """One number where a mask of the whole tensor says so: x[x < 0] = 0."""
    mask = places[0]
    if accumulate or new.numel() != 1 or mask is None or len(places) > 1:
        return None
    if mask.dtype != torch.bool or mask.shape != x.shape:
        return None
    number = recorder.tape.reshape(recorder.of(new), ())
    return recorder.tape.select(recorder.of(mask), number, recorder.of(x))


def sum_or_difference(
    recorder: Recorder, outputs: list[Tensor], x: Any, y: Any, alpha: float = 1, *, word: str
) -> int:
    """A sum, or a difference, with ``alpha`` times the second operand."""
    tape, second = recorder.tape, recorder.of(y)
    if alpha != 1:
        second = tape.elementwise("mul", second, recorder.of(alpha))
    return tape.elementwise(word, recorder.of(x), second)


def algebra(function: Callable[..., int]) -> Translation:
    """An operator whose arguments are all operands, by a function of the tape and their values."""
    return lambda recorder, outputs, *operands: function(recorder.tape, *map(recorder.of, operands))


def primitive(word: str) -> Translation:
    """An operator that the tape has as well."""
    return algebra(lambda tape, *operands: tape.elementwise(word, *operands))


def identity(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, *_: Any, **__: Any
) -> int | None:
    """A copy; a cast between floating types is one, and one of a mask is zeros and ones."""
    if x.dtype == torch.bool and outputs[0].is_floating_point():
        return recorder.tape.select(recorder.of(x), recorder.of(1.0), recorder.of(0.0))
    same = x.dtype == outputs[0].dtype or both_floating(x.dtype, outputs[0].dtype)
    return recorder.of(x) if same else None


SEVERAL: dict[str, Translation] = {
    "convolution": convolution,
    "mm mv dot": algebra(lambda tape, x, y: tape.dot(x, y, (len(tape[x].shape) - 1, 0))),
    "bmm": batch_of_products,
    "addmm": dense,
    "native_batch_norm cudnn_batch_norm miopen_batch_norm": batch_norm,
    "native_group_norm": group_norm,
    "native_layer_norm": layer_norm,
    "repeat": repeat,
    "native_dropout": dropout,
    "upsample_nearest2d": upsample_nearest,
    **WINDOWS,
    "mean": partial(reduction, word="mean"),
    "sum": partial(reduction, word="sum"),
    "amax max.dim max.default": partial(reduction, word="max"),
    "amin min.dim min.default": partial(reduction, word="min"),
    "var.correction": variance,
    "std.correction": deviation,
    "var_mean.correction": with_mean(variance),
    "std_mean.correction": with_mean(deviation),
    "cumsum": of_one(
        lambda tape, x, dim: composed.running_sum(tape, x, dim % len(tape[x].shape), False)
    ),
    "_softmax": of_one(lambda tape, x, dim, half: tape.softmax(x, dim)),
    "_log_softmax": of_one(lambda tape, x, dim, half: composed.log_softmax(tape, x, dim)),
    "clamp clamp_min": clamp,
    "hardtanh": lambda recorder, outputs, x, low=-1, high=1: clamp(recorder, outputs, x, low, high),
    "clamp_max": lambda recorder, outputs, x, high: clamp(recorder, outputs, x, None, high),
    **ACTIVATIONS,
    **{word: algebra(composed.FORMULAS[word]) for word in ("reciprocal", "lerp")},
    "add": partial(sum_or_difference, word="add"),
    "sub": partial(sum_or_difference, word="sub"),
    "rsub": lambda recorder, outputs, x, y, *alpha: sum_or_difference(
        recorder, outputs, y, x, *alpha, word="sub"
    ),
    "sigmoid": primitive("logistic"),
    **{
        word: primitive(name)
        for word, name in {
            "lt": "less",
            "le": "less_equal",
            "gt": "greater",
            "ge": "greater_equal",
            "where.self": "select",
        }.items()
    },
    "masked_fill": algebra(lambda tape, x, mask, fill: tape.select(mask, fill, x)),
    "index_put": index_put,
    "threshold": algebra(
        lambda tape, x, least, fill: tape.select(tape.elementwise("greater", x, least), x, fill)
    ),
    "maximum": primitive("max"),
    "minimum": primitive("min"),
    # A division that rounds has an overload of its own and stays unknown.
    "div.Tensor div.Scalar": primitive("div"),
    **{
        word: primitive(word)
        for word in "neg exp log tanh sqrt rsqrt abs sign relu mul pow".split()
    },
    "clone detach alias lift_fresh _to_copy": identity,
    **LAYOUTS,
}
TABLE = {name: row for names, row in SEVERAL.items() for name in names.split()}
