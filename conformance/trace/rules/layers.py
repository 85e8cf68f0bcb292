"""Layers that one operation names, and sums of two results."""

from __future__ import annotations

from typing import Any

from conformance.graph.axes import named
from conformance.trace.meanings import Absent, Algebra, Flow, Flowing, Plain, Step, Stored
from conformance.trace.recognise import in_training
from conformance.trace.rule import rule
from conformance.trace.rules.affine import normalised
from conformance.trace.rules.algebra import recognised
from conformance.trace.rules.axes import name_of
from conformance.trace.stored import constant
from conformance.trace.walk import Walk

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "max": "relu"}


@rule("input")
def image(walk: Walk, op: Step) -> Plain:
    return walk.node("input", {}, (), named(op.shape, op["axes"]), op.value)


@rule("relu", "tanh", "logistic")
def activation(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    """An activation of algebra without a name is a step of it."""
    if isinstance(x, Algebra) and recognised(walk, x) is None:
        return None
    flow = walk.placed(x)
    return walk.node(ACTIVATIONS[op.name], {}, (flow.node,), flow.axes, op.value)


@rule("max", commutes=True)
def at_least_zero(walk: Walk, op: Step, x: Flowing, least: Stored) -> Plain | None:
    """max(x, 0) -> relu(x)."""
    return activation(walk, op, x) if constant(walk.tape, least) == 0.0 else None


@rule("min", commutes=True)
def at_most_six(walk: Walk, op: Step, x: Flow, most: Stored) -> Plain | None:
    """min(relu(x), 6) -> relu6(x)."""
    flow = walk.placed(x)
    rectified = walk.of(flow)
    if rectified.kind != "relu" or constant(walk.tape, most) != 6.0:
        return None
    return walk.node("relu6", {}, rectified.inputs, flow.axes, op.value)


@rule("log")
def logarithm(walk: Walk, op: Step, x: Flow) -> Plain | None:
    """log(softmax(x)) -> log_softmax(x)."""
    flow = walk.placed(x)
    before = walk.of(flow)
    if before.kind != "softmax":
        return None
    return walk.node("log_softmax", {}, before.inputs, flow.axes, op.value)


@rule("batch_norm")
def batch_norm(walk: Walk, op: Step, x: Flowing, *slots: Stored | Absent) -> Plain | None:
    attributes = {"epsilon": op["epsilon"]}
    if "momentum" in op.attributes:
        attributes |= in_training(op["momentum"], op["unbiased"])
    given = zip(("gamma", "beta", "mean", "variance"), slots, strict=True)
    values = {slot: stored.value for slot, stored in given if isinstance(stored, Stored)}
    return normalised(walk, walk.placed(x), attributes, values, op.value)


@rule("dropout")
def dropout(walk: Walk, op: Step, x: Flowing) -> Plain:
    return _same_shape(walk, op, "dropout", {"rate": op["rate"]}, walk.placed(x))


@rule("lrn")
def lrn(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    """lrn(x) along the channels -> lrn."""
    flow = walk.placed(x)
    if name_of(flow.axes[op["axis"]]) != "C":
        return None
    attributes = {name: op[name] for name in ("n", "k", "alpha", "beta")}
    return _same_shape(walk, op, "lrn", attributes, flow)


@rule("softmax")
def softmax(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    """softmax(x) along the channels -> softmax."""
    flow = walk.placed(x)
    if name_of(flow.axes[op["axis"] % len(flow.axes)], "C") != "C":
        return None
    return _same_shape(walk, op, "softmax", {}, flow)


def _same_shape(walk: Walk, op: Step, kind: str, attributes: dict[str, Any], x: Plain) -> Plain:
    return walk.node(kind, attributes, (x.node,), x.axes, op.value)


@rule("add")
def add(walk: Walk, op: Step, left: Flowing, right: Flowing) -> Plain | None:
    """x + y of two results -> add; x + f(x) is algebra of x."""
    if _of_one(left, right):
        return None
    a, b = walk.placed(left), walk.placed(right)
    if walk.of(a).shape != walk.of(b).shape:
        return None
    return walk.node("add", {}, (a.node, b.node), a.axes, op.value)


def _of_one(left: Flowing, right: Flowing) -> bool:
    if isinstance(left, Flow) and isinstance(right, Flow):
        return left.value == right.value
    return left.node == right.node
