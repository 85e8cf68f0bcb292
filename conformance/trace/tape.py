"""The tape: what a model computes, primitive by primitive, before anything is recognised.

A tracer walks its framework's own record of the computation and calls the methods of
:class:`Tape`; a value is the index of the operation that made it.  Axes are the framework's
own, always as numbers counted from 0; which axis is height or channel is worked out later.

The primitives and their attributes:

=================  =======================================================================
conv               ``lhs`` (batch, channel, height, width axes of the input), ``rhs`` (out, in,
                   height, width axes of the kernel), ``out`` (as lhs), ``stride``,
                   ``padding`` ((top, bottom), (left, right)), ``dilation``, ``groups``
dot                ``contract`` (axis of the left, axis of the right operand); the result has
                   the left operand's other axes, then the right one's
window             ``reduce`` max | sum | mean; ``size``, ``stride``, ``padding`` for every axis;
                   ``count_padding`` (mean only: padding cells are in the divisor)
reduce             ``reduce`` sum | max | min | mean; ``axes``; ``keep`` (as length 1)
batch_norm         x, gamma, beta, mean, variance (-1 for an absent slot); ``axis``, ``epsilon``;
                   ``momentum`` (the share of the old statistics that is kept; in training
                   only) and ``unbiased`` (of the running variance)
group_norm         x, gamma, beta; ``groups`` of the second axis, ``epsilon``
dropout            ``rate`` (the share that is dropped)
random             no operand: uniform in [0, 1)
select             condition, value where true, value where false
less less_equal greater greater_equal equal not_equal    numpy broadcasting
lrn                ``axis``, ``n``, ``k``, ``alpha`` (of the plain sum), ``beta``
upsample           ``factor`` (of height, of width): every pixel repeated
adaptive_avg_pool  ``size`` (rows, columns): means of windows that divide the map into so many
add sub mul div max min pow               numpy broadcasting
neg exp log tanh logistic sqrt rsqrt abs sign relu is_finite  one operand
erf erfc elu selu softplus softsign       one operand
reshape            to the shape given
transpose          ``axes`` as in numpy.transpose
broadcast          ``axes``: where the operand's axes go in the shape given
concat softmax     ``axis``
pad                ``padding`` for every axis, ``value``; "edge" repeats the outermost cells
slice              ``start``, ``stop``, ``step`` for every axis
take               ``axis``, ``indices``
reverse            ``axes``
=================  =======================================================================

Anything else is written under its framework's name with ``unknown=True``; nothing is dropped.
A cast, a copy and an identity write nothing, nor does a step that changes nothing: a slice of
everything, a padding of zero cells, a reshape to the same shape, a product with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.graph.model import Where
from conformance.graph.reach import reached

Shape = tuple[int, ...]
Pads = Sequence[tuple[int, int]]


@dataclass(slots=True)
class Operation:
    """One line of the tape."""

    name: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    where: Where = Where()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a model besides what it computes: seen on the way, held against it."""

    attribute: str
    expected: Any
    found: Any
    hint: str = ""
    where: Where = Where()
    #: The tape's value at which it was seen; None where it is of no single one.
    value: int | None = None
    #: All of it in words, where "is found, expected …" says too little.
    said: str = ""


class Tape:
    """What one model computes for one input size, in order of execution.

    Every method that is named after a primitive writes it at ``where`` and returns its value.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.outputs: tuple[int, ...] = ()
        #: Stored arrays that a training step replaces, by handle, and the value that replaces them.
        self.updates: dict[str, int] = {}
        #: Where in the port the operation is that is being written down.
        self.where = Where()
        #: What is wrong besides what is computed, as layers in a plain list, and what is not wrong.
        self.faults: list[Fault] = []
        self.noted: list[Fault] = []
        #: Every stored array of the model, read or not, as far as the tracer knows: its shape.
        self.stored: dict[str, Shape] = {}
        #: Stored arrays that the model says are not trained, and others like them are.
        self.frozen: frozenset[str] = frozenset()
        #: Values that the port computes or stores in less than float32, and in what.
        self.lowered: dict[int, str] = {}
        #: What a tracer read the tape from, to run it again; only that tracer looks into it.
        self.source: Any = None

    def behind(self, values: Iterable[int]) -> set[int]:
        """These values and all that they are computed from; -1 is none."""
        return reached(values, lambda value: self[value].inputs)

    # Where values come from.

    def input(self, shape: Iterable[int], axes: str) -> int:
        """An image batch; ``axes`` spells its layout, for example ``NCHW``."""
        return self._append(Operation("input", (), tuple(shape), {"axes": axes}))

    def parameter(self, handle: str, shape: Iterable[int]) -> int:
        """A stored array of the port, trainable or not, under the port's own name."""
        return self._append(Operation("parameter", (), tuple(shape), {"handle": handle}))

    def constant(self, array: Any) -> int:
        """A value written into the model's code; kept in float64 unless it is integral."""
        array = np.asarray(array)
        if array.dtype.kind not in "biu":
            array = array.astype(np.float64)
        return self._append(Operation("constant", (), array.shape, {"array": array}))

    def random(self, shape: Iterable[int], seeded: bool = False) -> int:
        """Numbers drawn anew in every call, uniform in [0, 1); ``seeded`` are the same in each."""
        return self.emit("random", (), shape, **({"seeded": True} if seeded else {}))

    # Layers.

    def conv(
        self, x: int, kernel: int, *, lhs: Sequence[int], rhs: Sequence[int], out: Sequence[int],
        stride: Sequence[int], padding: Pads, dilation: Sequence[int], groups: int,
    ) -> int:  # fmt: skip
        """A convolution of two spatial axes."""
        image, weights = self[x].shape, self[kernel].shape
        shape = [0] * 4
        shape[out[0]], shape[out[1]] = image[lhs[0]], weights[rhs[0]]
        for i in range(2):
            reach = dilation[i] * (weights[rhs[2 + i]] - 1) + 1
            room = image[lhs[2 + i]] + sum(padding[i]) - reach
            shape[out[2 + i]] = room // stride[i] + 1
        return self.emit(
            "conv", (x, kernel), shape, lhs=tuple(lhs), rhs=tuple(rhs), out=tuple(out),
            stride=tuple(stride), padding=_pairs(padding), dilation=tuple(dilation), groups=groups,
        )  # fmt: skip

    def dot(self, left: int, right: int, contract: tuple[int, int]) -> int:
        """The sum of products over one axis of each operand."""
        on_left, on_right = contract
        a, b = self[left].shape, self[right].shape
        shape = (*a[:on_left], *a[on_left + 1 :], *b[:on_right], *b[on_right + 1 :])
        return self.emit("dot", (left, right), shape, contract=(on_left, on_right))

    def window(
        self, x: int, reduce: str, size: Sequence[int], stride: Sequence[int], padding: Pads,
        count_padding: bool | None = None,
    ) -> int:  # fmt: skip
        """A reduction of every window; what is given for the last axes holds for them only."""
        rest = len(self[x].shape) - len(size)
        size, stride = (1,) * rest + tuple(size), (1,) * rest + tuple(stride)
        padding = ((0, 0),) * rest + _pairs(padding)
        sides = zip(self[x].shape, size, stride, padding, strict=True)
        shape = [(n + before + after - k) // s + 1 for n, k, s, (before, after) in sides]
        return self.emit(
            "window", (x,), shape, reduce=reduce, size=size, stride=stride, padding=padding,
            count_padding=count_padding,
        )  # fmt: skip

    def reduce(self, x: int, reduce: str, axes: Iterable[int], keep: bool = False) -> int:
        """A reduction of whole axes."""
        axes = tuple(map(int, axes))
        kept = enumerate(self[x].shape)
        shape = [1 if i in axes else n for i, n in kept if keep or i not in axes]
        return self.emit("reduce", (x,), shape, reduce=reduce, axes=axes, keep=keep)

    def batch_norm(
        self, x: int, gamma: int, beta: int, mean: int, variance: int, *, axis: int,
        epsilon: float, momentum: float | None = None, unbiased: bool = False,
    ) -> int:  # fmt: skip
        """A batch norm; with a momentum it is one in training."""
        return self._like(
            x, "batch_norm", gamma, beta, mean, variance,
            axis=axis, epsilon=epsilon, momentum=momentum, unbiased=unbiased,
        )  # fmt: skip

    def group_norm(self, x: int, gamma: int, beta: int, *, groups: int, epsilon: float) -> int:
        """A norm of groups of the second axis, the channels, each image by itself."""
        return self._like(x, "group_norm", gamma, beta, groups=groups, epsilon=epsilon)

    def dropout(self, x: int, rate: float) -> int:
        """Dropout in training."""
        return self._like(x, "dropout", rate=rate)

    def lrn(self, x: int, axis: int, n: int, k: float, alpha: float, beta: float) -> int:
        """A local response normalisation over neighbouring channels."""
        return self._like(x, "lrn", axis=axis, n=n, k=k, alpha=alpha, beta=beta)

    def softmax(self, x: int, axis: int) -> int:
        """A softmax over one axis, counted from either end."""
        return self._like(x, "softmax", axis=axis % len(self[x].shape))

    def upsample(self, x: int, factor: tuple[int, int], spatial: tuple[int, int]) -> int:
        """Every pixel repeated, along the two spatial axes."""
        times = dict(zip(spatial, factor, strict=True))
        shape = [n * times.get(axis, 1) for axis, n in enumerate(self[x].shape)]
        return self.emit("upsample", (x,), shape, factor=factor)

    def adaptive_mean(self, x: int, size: tuple[int, int], spatial: tuple[int, int]) -> int:
        """The means of windows that divide the two spatial axes into so many."""
        counts = dict(zip(spatial, size, strict=True))
        shape = [counts.get(axis, n) for axis, n in enumerate(self[x].shape)]
        return self.emit("adaptive_avg_pool", (x,), shape, size=size)

    # Algebra.

    def elementwise(self, name: str, *operands: int) -> int:
        """A primitive of one or two operands, or a choice, applied to every element."""
        shapes = [self[operand].shape for operand in operands]
        shape = shapes[0] if len(set(shapes)) == 1 else np.broadcast_shapes(*shapes)
        for x, y in (operands, operands[::-1]) if name in ("add", "mul") else ():
            # 0 sum(y) is added so that y has a gradient; zeros are there to be added to.
            idle = self._is_one(y) if name == "mul" else self.vanishes(y, self[y].shape == shape)
            if idle and self[x].shape == shape:
                return x
        return self.emit(name, operands, shape)

    def _is_one(self, value: int) -> bool:
        op = self[value]
        return op.name == "constant" and bool(np.all(op.attributes["array"] == 1))

    def vanishes(self, value: int, written: bool = False) -> bool:
        """Whether a value is zero whatever it is made of: a product with zeros, a sum of such.

        With ``written`` only zeros that are written down are, or a part of such.
        """
        op = self[value]
        if op.name == "constant":
            return not np.any(op.attributes["array"])
        if op.name in ("reshape", "transpose", "broadcast", "slice"):
            return self.vanishes(op.inputs[0], written)
        if op.name in ("reduce", "neg") and not written:
            return self.vanishes(op.inputs[0])
        if op.name == "mul" and not written:
            return any(self[i].name == "constant" and self.vanishes(i) for i in op.inputs)
        return op.name == "add" and not written and all(self.vanishes(i) for i in op.inputs)

    def select(self, condition: int, true: int, false: int) -> int:
        """Where the condition holds the one value, elsewhere the other."""
        return self.elementwise("select", condition, true, false)

    # Layout: a step that moves nothing is not written down.

    def reshape(self, x: int, shape: Iterable[int]) -> int:
        """The same numbers in another shape."""
        shape, before = tuple(map(int, shape)), self[x]
        if before.name == "reshape" and self[before.inputs[0]].shape == shape:
            return before.inputs[0]  # there and back
        return x if shape == before.shape else self.emit("reshape", (x,), shape)

    def transpose(self, x: int, axes: Iterable[int]) -> int:
        """The axes in another order."""
        before = self[x].shape
        axes = tuple(int(axis) % len(before) for axis in axes)
        if axes == tuple(range(len(before))):
            return x
        return self.emit("transpose", (x,), [before[axis] for axis in axes], axes=axes)

    def broadcast(self, x: int, shape: Iterable[int], axes: Iterable[int] | None = None) -> int:
        """The same numbers repeated along new axes or axes of length 1; NumPy's unless given."""
        shape, before = tuple(map(int, shape)), self[x].shape
        if shape == before:
            return x
        axes = range(len(shape) - len(before), len(shape)) if axes is None else axes
        return self.emit("broadcast", (x,), shape, axes=tuple(axes))

    def concat(self, parts: Sequence[int], axis: int) -> int:
        """Values one after the other along an axis, counted from either end."""
        axis %= len(self[parts[0]].shape)
        parts = [part for part in parts if self[part].shape[axis]] or parts[:1]
        shapes = [self[part].shape for part in parts]
        shape = list(shapes[0])
        shape[axis] = sum(each[axis] for each in shapes)
        return self.emit("concat", parts, shape, axis=axis)

    def stack(self, parts: Sequence[int], axis: int) -> int:
        """Values one after the other along a new axis."""
        shape = self[parts[0]].shape
        axis %= len(shape) + 1
        thin = (*shape[:axis], 1, *shape[axis:])
        return self.concat([self.reshape(part, thin) for part in parts], axis)

    def pad(self, x: int, padding: Pads, value: float | str = 0.0) -> int:
        """Cells around the last axes; a negative number of them crops."""
        rest = len(self[x].shape) - len(padding)
        sides = [*zip(self[x].shape, ((0, 0),) * rest + _pairs(padding), strict=True)]
        x = self.slice(x, [range(max(0, -a), n - max(0, -b)) for n, (a, b) in sides])
        cells = tuple((max(0, a), max(0, b)) for _, (a, b) in sides)
        shape = [n + a + b for n, (a, b) in sides]
        return self.emit("pad", (x,), shape, padding=cells, value=value) if np.any(cells) else x

    def slice(self, x: int, parts: Sequence[range]) -> int:
        """The part that a range of indices selects on every axis; a range may run backwards."""
        forward = [part if part.step > 0 else part[::-1] for part in parts]
        x, forward = self._inside(x, forward)
        if forward != [range(n) for n in self[x].shape]:
            ends = [(part.start, part.stop, part.step) for part in forward]
            start, stop, step = zip(*ends, strict=True)
            x = self.emit("slice", (x,), map(len, forward), start=start, stop=stop, step=step)
        return self.reverse(x, (axis for axis, part in enumerate(parts) if part.step < 0))

    def _inside(self, x: int, parts: list[range]) -> tuple[int, list[range]]:
        """What of some values joined a slice is a part of: the one, or some of them joined."""
        if self[x].name != "concat":
            return x, parts
        axis, start = self[x].attributes["axis"], 0
        chosen, some = parts[axis], []
        for piece in self[x].inputs:
            stop = start + self[piece].shape[axis]
            if len(chosen) and start <= chosen[0] and chosen[-1] < stop:
                moved = range(chosen.start - start, chosen.stop - start, chosen.step)
                return piece, [*parts[:axis], moved, *parts[axis + 1 :]]
            if start < chosen.stop and chosen.start < stop:
                inside = range(max(chosen.start, start) - start, min(chosen.stop, stop) - start)
                some.append((piece, inside))
            start = stop
        if chosen.step != 1 or len(chosen) == start or not some:
            return x, parts
        joined = self.concat([self.part(piece, axis, inside) for piece, inside in some], axis)
        return joined, [*parts[:axis], range(len(chosen)), *parts[axis + 1 :]]

    def part(self, x: int, axis: int, indices: range) -> int:
        """The part that a range of indices selects on one axis."""
        parts = [range(n) for n in self[x].shape]
        parts[axis] = indices
        return self.slice(x, parts)

    def row(self, x: int, axis: int, index: int) -> int:
        """What one index selects on one axis, without that axis."""
        shape = self[x].shape
        index %= shape[axis]
        part = self.part(x, axis, range(index, index + 1))
        return self.reshape(part, (*shape[:axis], *shape[axis + 1 :]))

    def take(self, x: int, axis: int, indices: Any) -> int:
        """The places of one axis that are listed, in the shape of the list."""
        before = self[x].shape
        shape = (*before[:axis], *np.shape(indices), *before[axis + 1 :])
        return self.emit("take", (x,), shape, axis=axis, indices=indices)

    def reverse(self, x: int, axes: Iterable[int]) -> int:
        """Some axes from their end to their beginning."""
        axes = tuple(int(axis) % len(self[x].shape) for axis in axes)
        return self._like(x, "reverse", axes=axes) if axes else x

    def _like(self, x: int, name: str, *others: int, **attributes: Any) -> int:
        """An operation of x, and of others, whose result has the shape of x."""
        return self.emit(name, (x, *others), self[x].shape, **attributes)

    def unknown(
        self, name: str, operands: Iterable[int], shape: Iterable[int], **attributes: Any
    ) -> int:
        """An unsupported operation, under its framework's name."""
        return self.emit(name, operands, shape, **attributes, unknown=True)

    def emit(
        self, name: str, inputs: Iterable[int], shape: Iterable[int], **attributes: Any
    ) -> int:
        """Write an operation down and return its value."""
        shape = tuple(int(n) for n in shape)
        return self._append(Operation(name, tuple(inputs), shape, attributes, self.where))

    def _append(self, operation: Operation) -> int:
        self.operations.append(operation)
        return len(self.operations) - 1

    @property
    def parameters(self) -> dict[str, Shape]:
        """The shape of every stored array that is read, by its handle."""
        read = (op for op in self.operations if op.name == "parameter")
        return {op.attributes["handle"]: op.shape for op in read}

    def __getitem__(self, value: int) -> Operation:
        return self.operations[value]

    def __len__(self) -> int:
        return len(self.operations)


def _pairs(padding: Pads) -> tuple[tuple[int, int], ...]:
    return tuple((int(before), int(after)) for before, after in padding)
