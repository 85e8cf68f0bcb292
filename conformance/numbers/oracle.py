"""The oracle: NumPy executes a neutral graph, node by node, in any floating-point precision.

It knows no framework and shares no arithmetic with one except the BLAS below a matrix product.
Arrays are batch x height x width x channels, kernels height x width x inputs x outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np

from conformance.graph.model import Graph, Node
from conformance.numbers.chunks import each
from conformance.numbers.precision import FLOAT64, Precision

#: A slot's array for a node of the graph, in neutral layout.
Slots = Callable[[int, str], np.ndarray]

#: Rows of a convolution are unfolded into about this many numbers at a time: what a cache holds.
UNFOLDED = 1 << 20


class CannotCompute(Exception):
    """The graph holds an operation that the vocabulary has no word for."""


class Oracle:
    """Results of a graph's nodes for one batch, computed on demand and forgotten when used up.

    ``precision`` is that of whatever a framework may store: parameters, results, and the steps
    between them where an operation has several.
    """

    def __init__(
        self, graph: Graph, slots: Slots, image: np.ndarray, precision: Precision = FLOAT64
    ):
        self.graph, self.slots, self.precision = graph, slots, precision
        self.dtype = np.dtype(precision.dtype)
        self.results: dict[int, np.ndarray] = {}
        self.image = self.stored(image)
        self.pending = [len(readers) for readers in graph.consumers()]
        self.done: set[int] = set()

    def result(self, index: int) -> np.ndarray:
        """What node ``index`` computes; :class:`CannotCompute` if an unknown node is needed."""
        stack = [index]
        while stack:
            current = stack[-1]
            missing = [i for i in self.graph.nodes[current].inputs if i not in self.results]
            if current in self.results:
                stack.pop()
            elif missing:
                stack.extend(missing)
            else:
                self._compute(current)
                stack.pop()
        return self.results[index]

    def release(self, index: int) -> None:
        """Say that the result of a node is not asked for again; frees what nothing needs."""
        self.done.add(index)
        self._forget(index)

    def parameters(self, index: int) -> dict[str, np.ndarray]:
        """The arrays in a node's slots, in this oracle's precision."""
        names = self.graph.nodes[index].parameters
        return {name: self.stored(self.slots(index, name)) for name in names}

    def stored(self, x: np.ndarray) -> np.ndarray:
        """What is kept of numbers that a framework may store."""
        return self.precision.round(x.astype(self.dtype, copy=False))

    def add(self, x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """A sum, into ``out`` if there is one, that a framework may store."""
        return self.stored(np.add(x, y, out=out))

    def _forget(self, index: int) -> None:
        if index in self.done and not self.pending[index]:
            self.results.pop(index, None)

    def _compute(self, index: int) -> None:
        node = self.graph.nodes[index]
        inputs = [self.results[i] for i in node.inputs]
        if node.kind not in OPERATIONS:
            raise CannotCompute(f"no rule for {node.kind} at {node.where}")
        slots = self.parameters(index)
        with np.errstate(all="ignore"):
            result = OPERATIONS[node.kind](self, node, slots, *inputs)
        self.results[index] = shaped(self.stored(np.asarray(result)), node.shape)
        for source in node.inputs:
            self.pending[source] -= 1
            self._forget(source)


def shaped(result: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A result in its node's shape where the two differ by axes of length 1 only.

    A map of one pixel may be a vector on its way to the next node: that is no node of its own.
    """
    longer = [[n for n in each if n != 1] for each in (result.shape[1:], shape)]
    return result.reshape(len(result), *shape) if longer[0] == longer[1] else result


def pad(x: np.ndarray, padding: Any, fill: float = 0.0) -> np.ndarray:
    """Pad height and width; a negative padding crops."""
    (top, bottom), (left, right) = padding
    if not (top or bottom or left or right):
        return x
    h, w = x.shape[1:3]
    x = x[:, max(0, -top) : h + min(0, bottom), max(0, -left) : w + min(0, right)]
    grow = [(max(0, p), max(0, q)) for p, q in padding]
    return np.pad(x, ((0, 0), *grow, (0, 0)), constant_values=fill)


def windows(x: np.ndarray, kernel: Any, stride: Any, dilation: Any = (1, 1)) -> np.ndarray:
    """A view of batch x rows x columns x channels x kernel height x kernel width."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))
    return views[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]


def convolve(x: np.ndarray, kernel: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    """Cross-correlation, as every framework's convolution is, by one matrix product a strip."""
    groups, (kh, kw, into, out) = attributes["groups"], kernel.shape
    x = pad(x, attributes["padding"])
    view = windows(x, (kh, kw), attributes["stride"], attributes["dilation"])
    batch, height, width = view.shape[:3]
    shares = kernel.reshape(kh * kw * into, groups, out // groups)
    result = np.empty((groups, batch, height, width, out // groups), x.dtype)
    strip = max(1, UNFOLDED // (width * len(shares)))

    def multiply(part: tuple[int, int, int]) -> None:
        g, n, start = part
        rows = view[n, start : start + strip, :, g * into : (g + 1) * into]
        # The unfolded rows run through the kernel's height, width and channels.
        columns = rows.transpose(0, 1, 3, 4, 2).reshape(-1, len(shares))
        place = result[g, n, start : start + strip].reshape(len(columns), -1)
        np.matmul(columns, shares[:, g], out=place)

    each(multiply, product(range(groups), range(batch), range(0, height, strip)))
    return np.moveaxis(result, 0, 3).reshape(batch, height, width, out)


def _conv(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    read = o.precision.read
    y = convolve(read(x), read(slots["kernel"]), node.attributes)
    return o.stored(y) + slots["bias"] if "bias" in slots else y


def _dense(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    read = o.precision.read
    y = read(x.reshape(len(x), -1)) @ read(slots["kernel"])
    return o.stored(y) + slots["bias"] if "bias" in slots else y


def _max_pool(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    return by_offset(pad(x, a["padding"], -np.inf), a, np.maximum)


def by_offset(x: np.ndarray, a: dict[str, Any], combine: Any) -> np.ndarray:
    """Combine the window's cells one offset at a time: no unfolded copy."""
    (kh, kw), (sh, sw) = a["kernel"], a["stride"]
    rows, columns = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    result: np.ndarray | None = None
    for i in range(kh):
        for j in range(kw):
            cell = x[:, i : i + (rows - 1) * sh + 1 : sh, j : j + (columns - 1) * sw + 1 : sw]
            result = cell.copy() if result is None else combine(result, cell, out=result)
    assert result is not None
    return result


def _avg_pool(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    total = by_offset(pad(x, a["padding"]), a, o.add)
    if a["padding"] == ((0, 0), (0, 0)) or a["count_include_pad"]:
        return total / x.dtype.type(prod(a["kernel"]))
    inside = pad(np.ones((1, *x.shape[1:3], 1), x.dtype), a["padding"])
    return total / by_offset(inside, a, np.add)


def _subsample(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    y = by_offset(pad(x, a["padding"]), a, o.add) / x.dtype.type(a["divisor"])
    y = o.stored(o.stored(y) * slots["coefficient"])
    return y + slots["bias"] if "bias" in slots else y


def _rbf(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    return (o.stored(x.reshape(len(x), 1, -1) - slots["centres"]) ** 2).sum(axis=2)


def _batch_norm(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    kind = x.dtype.type
    if node.attributes.get("statistics") == "batch":
        mean, variance = map(o.stored, batch_statistics(x))
    else:
        mean, variance = slots.get("mean", kind(0)), slots["variance"]
    scale = slots.get("gamma", kind(1)) / np.sqrt(variance + kind(node.attributes["epsilon"]))
    return o.stored(o.stored(x - mean) * o.stored(scale)) + slots.get("beta", kind(0))


def batch_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel over the batch and the map; the variance is biased."""
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


def running_statistics(
    node: Node, slots: dict[str, np.ndarray], x: np.ndarray
) -> dict[str, np.ndarray]:
    """What a training step on the input ``x`` makes of a norm's running mean and variance.

    The share ``momentum`` of the old one is kept; ``unbiased`` says whether the variance that
    flows in is that of a sample, count / (count - 1) times the batch's own.
    """
    mean, variance = batch_statistics(x)
    count, kind = x.size // x.shape[-1], x.dtype.type
    if node.attributes["unbiased"]:
        variance = variance * kind(count / (count - 1))
    kept = kind(node.attributes["momentum"])
    flowing = {"mean": mean, "variance": variance}
    return {
        slot: kept * slots[slot] + (1 - kept) * new
        for slot, new in flowing.items()
        if slot in slots
    }


def _lrn(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    n, kind = int(a["n"]), x.dtype.type
    # For an even n the window holds one more channel below than above, as in the papers' sum.
    squares = np.pad(o.stored(x * x), [(0, 0)] * (x.ndim - 1) + [(n // 2, (n - 1) // 2)])
    total = o.stored(np.sum([squares[..., i : i + x.shape[-1]] for i in range(n)], axis=0))
    root = o.stored(kind(a["k"]) + o.stored(kind(a["alpha"]) * total))
    return x / o.stored(root ** kind(a["beta"]))


def _softmax(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    e = o.stored(np.exp(x - x.max(axis=-1, keepdims=True)))
    return e / e.sum(axis=-1, keepdims=True)


def _scale(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    y = x * np.asarray(node.attributes["factor"], x.dtype)
    y = o.stored(y) * slots["gamma"] if "gamma" in slots else y
    if "offset" in node.attributes:
        y = o.stored(y) + np.asarray(node.attributes["offset"], x.dtype)
    return o.stored(y) + slots["beta"] if "beta" in slots else y


def _pad(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    y = pad(x, a["padding"], a["value"])
    channels = a.get("channels", (0, 0))
    return np.pad(y, ((0, 0), (0, 0), (0, 0), channels), constant_values=a["value"])


def _upsample(o: Oracle, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    height, width = node.attributes["factor"]
    return x.repeat(height, axis=1).repeat(width, axis=2)


OPERATIONS: dict[str, Any] = {
    "input": lambda o, node, slots: o.image,
    "conv": _conv,
    "dense": _dense,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_avg_pool": lambda o, node, slots, x: x.mean(axis=(1, 2), keepdims=True),
    "subsample": _subsample,
    "rbf": _rbf,
    "batch_norm": _batch_norm,
    "lrn": _lrn,
    "relu": lambda o, node, slots, x: np.maximum(x, 0),
    "tanh": lambda o, node, slots, x: np.tanh(x),
    "sigmoid": lambda o, node, slots, x: 1 / (1 + o.stored(np.exp(-x))),
    "softmax": _softmax,
    "add": lambda o, node, slots, x, y: x + y,
    "concat": lambda o, node, slots, *xs: np.concatenate(xs, axis=-1),
    "scale": _scale,
    # A mask that keeps everything: what is kept is scaled, so that the rate is seen.
    "dropout": lambda o, node, slots, x: x / x.dtype.type(1 - node.attributes["rate"]),
    "flatten": lambda o, node, slots, x: x.reshape(len(x), -1),
    "pad": _pad,
    "upsample": _upsample,
}
