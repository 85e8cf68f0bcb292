"""What the operations of a tape compute, in float64: as far as a recogniser has to probe them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.kinds.functions import FUNCTIONS, error_function, sigmoid, softmax

if TYPE_CHECKING:
    from conformance.trace.tape import Operation, Tape

UNARY: dict[str, Any] = {
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "logistic": sigmoid,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, 0),
    "erf": error_function,
    "is_finite": np.isfinite,
    "erfc": lambda x: 1 - error_function(x),
    **{name: FUNCTIONS[name] for name in ("elu", "selu", "softplus", "softsign")},
}
BINARY: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
    "pow": np.power,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}
LAYOUT = frozenset({"reshape", "transpose", "broadcast", "reverse"})


def evaluate(tape: Tape, value: int, known: dict[int, np.ndarray]) -> np.ndarray:
    """The value of an operation in float64, from the values in ``known`` and the constants.

    Only algebra and layout are evaluated: what a recogniser needs to probe a few operations.
    Raises :class:`KeyError` when it meets an input, a parameter or a primitive that is neither.
    """
    cache = dict(known)
    stack = [value]
    while stack:
        current = stack[-1]
        if current in cache:
            stack.pop()
            continue
        missing = [i for i in tape[current].inputs if i not in cache]
        if missing:
            stack.extend(missing)
            continue
        operands = [cache[i] for i in tape[current].inputs]
        with np.errstate(all="ignore"):
            cache[current] = _apply(tape[current], operands)
        stack.pop()
    return cache[value]


def _apply(operation: Operation, operands: list[np.ndarray]) -> np.ndarray:
    name, attributes = operation.name, operation.attributes
    if name == "constant":
        return np.asarray(attributes["array"])
    if name in UNARY or name in BINARY:
        return _elementwise(UNARY.get(name) or BINARY[name], operands)
    return np.asarray(_STRUCTURAL[name](operation, *operands))


def _elementwise(function: Any, operands: list[np.ndarray]) -> np.ndarray:
    """Apply to one cell along every axis on which all operands repeat themselves.

    A batch norm's algebra is often written on vectors broadcast to the whole image.
    """
    operands = list(np.broadcast_arrays(*operands))
    return np.broadcast_to(function(*different(*operands)), operands[0].shape)


def different(*arrays: np.ndarray) -> list[np.ndarray]:
    """One cell along every axis on which all of some arrays of one shape repeat themselves."""
    repeats = [all(x.strides[axis] == 0 for x in arrays) for axis in range(arrays[0].ndim)]
    one = tuple(slice(0, 1) if repeat else slice(None) for repeat in repeats)
    return [x[one] for x in arrays]


def _broadcast(operation: Operation, x: np.ndarray) -> np.ndarray:
    shape = [1] * len(operation.shape)
    for axis, size in zip(operation.attributes["axes"], x.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(x.reshape(shape), operation.shape)


def _reduce(operation: Operation, x: np.ndarray) -> np.ndarray:
    attributes = operation.attributes
    axes, how = tuple(attributes["axes"]), attributes["reduce"]
    functions: dict[str, Any] = {"sum": np.sum, "max": np.max, "min": np.min, "mean": np.mean}
    repeats = [axis in axes and x.strides[axis] == 0 for axis in range(x.ndim)]
    one = x[tuple(slice(0, 1) if repeat else slice(None) for repeat in repeats)]
    times = x.size // max(one.size, 1) if how == "sum" else 1
    return functions[how](one, axis=axes, keepdims=attributes["keep"]) * times


def _once(x: np.ndarray, idle: list[bool], function: Any) -> np.ndarray:
    """Apply to one cell along idle axes on which the operand repeats itself."""
    repeats = [i and stride == 0 for i, stride in zip(idle, x.strides, strict=True)]
    out = function(x[tuple(slice(0, 1) if repeat else slice(None) for repeat in repeats)])
    shape = [n if r else m for n, m, r in zip(x.shape, out.shape, repeats, strict=True)]
    return np.broadcast_to(out, shape)


def _pad(operation: Operation, x: np.ndarray) -> np.ndarray:
    padding, fill = operation.attributes["padding"], operation.attributes["value"]
    idle = [tuple(pair) == (0, 0) for pair in padding]
    if fill == "edge":
        return np.pad(x, padding, mode="edge")
    return _once(x, idle, lambda y: np.pad(y, padding, constant_values=fill))


def _window(operation: Operation, x: np.ndarray) -> np.ndarray:
    a = operation.attributes
    each = zip(a["size"], a["stride"], a["padding"], strict=True)
    idle = [(size, stride, tuple(pad)) == (1, 1, (0, 0)) for size, stride, pad in each]
    return _once(x, idle, lambda y: _windowed(a, y))


def _windowed(attributes: dict[str, Any], x: np.ndarray) -> np.ndarray:
    size, stride, padding = attributes["size"], attributes["stride"], attributes["padding"]
    fill = -np.inf if attributes["reduce"] == "max" else 0.0
    padded = np.pad(x.astype(float), padding, constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, size)
    views = views[tuple(slice(None, None, s) for s in stride)]
    axes = tuple(range(x.ndim, 2 * x.ndim))
    if attributes["reduce"] == "max":
        return views.max(axis=axes)
    total = views.sum(axis=axes)
    if attributes["reduce"] == "sum":
        return total
    if attributes.get("count_padding", True):
        return total / prod(size)
    return total / _windowed({**attributes, "reduce": "sum"}, np.ones(x.shape))


def _slice(operation: Operation, x: np.ndarray) -> np.ndarray:
    a = operation.attributes
    return x[tuple(slice(*s) for s in zip(a["start"], a["stop"], a["step"], strict=True))]


def _conv(operation: Operation, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution, cell by cell of a kernel that is mostly zeros."""
    a = operation.attributes
    x, kernel = x.transpose(a["lhs"]), kernel.transpose(a["rhs"])
    x = np.pad(x, ((0, 0), (0, 0), *a["padding"]))
    width, each = len(kernel) // a["groups"], x.shape[1] // a["groups"]
    room = [operation.shape[axis] for axis in a["out"][2:]]
    out = np.zeros((len(x), len(kernel), *room), np.result_type(x, kernel.dtype.type(0)))
    for o, i, *cell in np.argwhere(kernel):
        spans = (
            slice(at * d, at * d + (n - 1) * s + 1, s)
            for at, d, n, s in zip(cell, a["dilation"], room, a["stride"], strict=True)
        )
        out[:, o] += kernel[(o, i, *cell)] * x[:, o // width * each + i, *spans]
    return out.transpose(np.argsort(a["out"]))


_STRUCTURAL: dict[str, Any] = {
    "reshape": lambda o, x: x.reshape(o.shape),
    "select": lambda o, condition, x, y: np.where(condition, x, y),
    "transpose": lambda o, x: x.transpose(o.attributes["axes"]),
    "broadcast": _broadcast,
    "reverse": lambda o, x: np.flip(x, o.attributes["axes"]),
    "concat": lambda o, *xs: np.concatenate(xs, axis=o.attributes["axis"]),
    "pad": _pad,
    "slice": _slice,
    "take": lambda o, x: np.take(x, np.asarray(o.attributes["indices"]), o.attributes["axis"]),
    "reduce": _reduce,
    "window": _window,
    "softmax": lambda o, x: softmax(x, o.attributes["axis"]),
    "conv": _conv,
    "dot": lambda o, x, y: np.tensordot(x, y, axes=o.attributes["contract"]),
}
