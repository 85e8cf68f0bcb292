"""Stored values: which array of the port one is read from, and by which steps."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from conformance.graph.axes import Axes, Axis, axis_of, vector_steps
from conformance.graph.model import Node, Parameter
from conformance.trace.evaluation import LAYOUT, evaluate
from conformance.trace.meanings import Stored
from conformance.trace.probes import leaves
from conformance.trace.tape import Tape


def constant(tape: Tape, x: Stored) -> float | None:
    """The one number that a stored value repeats, if it is that."""
    if leaves(tape, x.value):
        return 0.0 if tape.vanishes(x.value) else None
    try:
        array = evaluate(tape, x.value, {})
    except KeyError:
        return None
    first = np.ravel(array)[:1]
    return float(first[0]) if first.size and (array == first[0]).all() else None


def along(axes: Axes, array: np.ndarray, name: str = "C") -> np.ndarray:
    """One value a channel, or one value, from an array that broadcasts against ``axes``.

    Raises :class:`ValueError` where it varies over any other axis than the one of this name.
    """
    array = array.reshape((1,) * (len(axes) - array.ndim) + array.shape)
    channel = axis_of(axes, name)
    first = array[tuple(slice(None) if i == channel else slice(0, 1) for i in range(array.ndim))]
    if not (array == first).all():
        raise ValueError("varies over the image")
    return np.ravel(first)


def array_of(tape: Tape, value: int) -> tuple[Parameter, np.ndarray | None] | None:
    """The one stored array that a value is a layout of, and a mask of zeros and ones."""
    op = tape[value]
    if op.name == "parameter":
        return Parameter(op.attributes["handle"], op.shape), None
    if op.name == "mul":
        return _masked(tape, value)
    if op.name not in LAYOUT or (found := array_of(tape, op.inputs[0])) is None:
        return None
    parameter, mask = found
    step: tuple[str, tuple[int, ...]]
    if op.name in ("transpose", "reverse"):
        step = (op.name, tuple(op.attributes["axes"]))
    elif prod(op.shape) == prod(tape[op.inputs[0]].shape):
        step = ("reshape", op.shape)
    else:
        return None
    if mask is not None:
        mask = evaluate(tape, value, {op.inputs[0]: mask})
    return replace(parameter, steps=(*parameter.steps, step)), mask


def made_in_call(tape: Tape, value: int) -> str | None:
    """How weights come about that are no stored array.

    None where a stored array goes into them, or where all are alike: that is a sum.
    """
    if leaves(tape, value):
        return None
    if leaves(tape, value, "random"):
        return "drawn in every call"
    try:
        array = evaluate(tape, value, {})
    except KeyError:
        return None
    return None if len(np.unique(array)) < 3 else "constants in the code"


def _masked(tape: Tape, value: int) -> tuple[Parameter, np.ndarray | None] | None:
    """A stored array of which some entries are multiplied away."""
    op = tape[value]
    for kept, other in (op.inputs, op.inputs[::-1]):
        if leaves(tape, other):
            continue
        try:
            found, factors = array_of(tape, kept), evaluate(tape, other, {})
        except KeyError:  # it is drawn at random
            continue
        if found is None or found[1] is not None or tape[kept].shape != op.shape:
            continue
        if np.isin(factors, (0, 1)).all():
            whole = factors.all()  # as vmap writes a bias: by one
            return found[0], None if whole else np.broadcast_to(factors, op.shape)
    return None


def narrow(tape: Tape, x: Stored) -> tuple[int, tuple[int, ...]]:
    """A stored value before it was repeated over the image, and its shape among ones."""
    op = tape[x.value]
    inside = tape[op.inputs[0]].shape if op.name == "broadcast" else op.shape
    if prod(inside) == prod(op.shape):
        return x.value, op.shape
    shape = [1] * len(op.shape)
    for axis, size in zip(op.attributes["axes"], inside, strict=True):
        shape[axis] = size
    return op.inputs[0], tuple(shape)


def fill(node: Node, slot: str, parameter: Parameter, axis: Axis) -> None:
    """Give a node a slot with one number for every cell of ``axis``."""
    length = prod(size for _, size in axis)
    steps = (*parameter.steps, ("reshape", (length,)), *vector_steps(axis))
    node.parameters[slot] = (replace(parameter, steps=steps),)
    node.slots[slot] = (length,)
