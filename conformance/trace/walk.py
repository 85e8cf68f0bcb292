"""What a value of the tape means, and the bookkeeping of the walk that finds it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, axis_of, named, reshaped, shape_of, vector_steps
from conformance.graph.model import Node, Parameter, Where
from conformance.trace import recognise
from conformance.trace.tape import LAYOUT, Operation, Tape, evaluate

Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))


@dataclass(frozen=True, slots=True)
class Flow:
    """A node's result, with at most one thing still to be placed."""

    node: int
    axes: Axes
    value: int
    slope: int | None = None
    offset: int | None = None
    padding: Padding = NO_PADDING
    fill: float | str = 0.0
    channels: tuple[int, ...] | None = None

    @property
    def plain(self) -> bool:
        return (
            self.slope is None
            and self.offset is None
            and self.padding == NO_PADDING
            and self.channels is None
        )


@dataclass(frozen=True, slots=True)
class Local:
    """Algebra of one plain flow, not recognised yet."""

    base: Flow
    value: int


class Walk:
    """The nodes found so far, and what each value of the tape means: None for a side value."""

    def __init__(self, tape: Tape) -> None:
        self.tape = Tape()
        self.tape.operations = list(tape.operations)
        self.outputs = tape.outputs
        self.updates = tape.updates
        self.length = len(tape)
        self.nodes: list[Node] = []
        self.meaning: dict[int, Flow | Local | None] = {}
        self.placed: dict[int, Flow] = {}
        self.nameless: set[int] = set()
        self.readers = [0] * len(tape)
        for operation in tape.operations:
            for value in operation.inputs:
                if value >= 0:
                    self.readers[value] += 1

    def _split(self, op: Operation) -> tuple[list[int], list[int]]:
        flowing = [i for i in op.inputs if self.meaning[i] is not None]
        return flowing, [i for i in op.inputs if self.meaning[i] is None]

    def _constant(self, value: int) -> float | None:
        """The one number that a side value repeats, if it is that."""
        if recognise.leaves(self.tape, value):
            return None
        try:
            array = evaluate(self.tape, value, {})
        except KeyError:
            return None
        first = np.ravel(array)[:1]
        return float(first[0]) if first.size and (array == first[0]).all() else None

    def _number(self, number: float) -> int:
        return self._remember(self.tape.constant(number))

    def _side(self, name: str, *inputs: int) -> int:
        shape = np.broadcast_shapes(*(self.tape[i].shape for i in inputs))
        return self._remember(self.tape.emit(name, inputs, shape))

    def _remember(self, value: int) -> int:
        self.meaning[value] = None
        return value

    def _slope(self, flow: Flow) -> int:
        return self._number(1.0) if flow.slope is None else flow.slope

    def _ramp(self, value: int) -> np.ndarray:
        shape = self.tape[value].shape
        return np.arange(prod(shape), dtype=float).reshape(shape)

    def _vector(self, axes: Axes, array: np.ndarray) -> np.ndarray:
        """One value a channel, or one value, from an array that broadcasts against ``axes``."""
        array = array.reshape((1,) * (len(axes) - array.ndim) + array.shape)
        channel = axis_of(axes, "C")
        first = array[
            tuple(slice(None) if i == channel else slice(0, 1) for i in range(array.ndim))
        ]
        if not (array == first).all():
            raise ValueError("varies over the image")
        return np.ravel(first)

    def _stored(self, value: int) -> tuple[Parameter, np.ndarray | None] | None:
        """The one stored array that a side value is a layout of, and a mask of zeros and ones."""
        op = self.tape[value]
        if op.name == "parameter":
            return Parameter(op.attributes["handle"], op.shape), None
        if op.name == "mul":
            for kept, other in (op.inputs, op.inputs[::-1]):
                if recognise.leaves(self.tape, other):
                    continue
                found, factors = self._stored(kept), evaluate(self.tape, other, {})
                if found is None or found[1] is not None or self.tape[kept].shape != op.shape:
                    continue
                if np.isin(factors, (0, 1)).all():
                    return found[0], np.broadcast_to(factors, op.shape)
            return None
        if op.name not in LAYOUT or (found := self._stored(op.inputs[0])) is None:
            return None
        parameter, mask = found
        if op.name == "transpose":
            step = ("transpose", tuple(op.attributes["axes"]))
        elif op.name == "reverse":
            step = ("reverse", tuple(op.attributes["axes"]))
        elif prod(op.shape) == prod(self.tape[op.inputs[0]].shape):
            step = ("reshape", op.shape)
        else:
            return None
        if mask is not None:
            mask = evaluate(self.tape, value, {op.inputs[0]: mask})
        return replace(parameter, steps=(*parameter.steps, step)), mask

    def _slot(self, node: Node, slot: str, parameter: Parameter, axis: Any) -> None:
        length = prod(size for _, size in axis)
        steps = (*parameter.steps, ("reshape", (length,)), *vector_steps(axis))
        node.parameters[slot] = (replace(parameter, steps=steps),)
        node.slots[slot] = (length,)

    def _non_negative(self, index: int) -> bool:
        """Whether a node cannot be negative, so that padding with zero is padding with nothing."""
        node = self.nodes[index]
        if node.kind in ("relu", "sigmoid", "softmax"):
            return True
        if node.kind in ("max_pool", "avg_pool", "concat", "lrn", "global_avg_pool", "flatten"):
            return all(self._non_negative(i) for i in node.inputs)
        return False

    def _node(
        self,
        kind: str,
        attributes: dict[str, Any],
        inputs: tuple[int, ...],
        axes: Axes,
        value: int,
        parameters: Mapping[str, tuple[Parameter, ...]] | None = None,
        slots: Mapping[str, tuple[int, ...]] | None = None,
        where: Where | None = None,
    ) -> Flow:
        where = where or self.tape[value].where
        # Two components tell a file from another and say nothing of the machine it lies on.
        where = replace(where, line="/".join(where.line.split("/")[-2:]))
        self.nodes.append(
            Node(
                kind,
                attributes,
                inputs,
                shape_of(axes),
                dict(parameters or {}),
                dict(slots or {}),
                where,
                value,
                axes,
            )  # fmt: skip
        )
        return Flow(len(self.nodes) - 1, axes, value)

    def _opaque(self, value: int, sources: list[int]) -> Flow:
        op = self.tape[value]
        axes = self.nodes[sources[0]].axes
        if tuple(prod(size for _, size in axis) for axis in axes) != op.shape:
            axes = reshaped(axes, op.shape) or _rescaled(axes, op.shape) or guess(op.shape)
        return self._node(f"unknown:{op.name}", dict(op.attributes), tuple(sources), axes, value)


def _rescaled(axes: Axes, shape: tuple[int, ...]) -> Axes | None:
    """The same axes with another height and width; None if anything else is different."""
    if len(axes) != len(shape):
        return None
    result: list[Any] = []
    for axis, size in zip(axes, shape, strict=True):
        if len(axis) == 1 and axis[0][0] in ("H", "W"):
            result.append(((axis[0][0], size),))
        elif prod(n for _, n in axis) == size:
            result.append(axis)
        else:
            return None
    return tuple(result)


def guess(shape: tuple[int, ...]) -> Axes:
    names = {4: "NHWC", 2: "NC", 1: "C"}.get(len(shape))
    if names is None:
        return tuple((("C", n),) if n == max(shape) else () for n in shape)
    return named(shape, names)


def name_of(axis: Any, default: str) -> str:
    return axis[0][0] if len(axis) == 1 else default if not axis else ""


def channels_of(shape: tuple[int, ...]) -> int:
    return shape[-1]


def every(count: int) -> tuple[int, ...]:
    return tuple(range(count))
