"""Layers that one operation names, and sums of two results."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from conformance.graph.axes import name_of, named
from conformance.trace.meanings import Absent, Algebra, Flow, Flowing, Plain, Step, Stored
from conformance.trace.rule import rule
from conformance.trace.rules.affine import normalised
from conformance.trace.rules.algebra import recognised
from conformance.trace.stored import constant
from conformance.trace.walk import AXES, Walk

#: What a probability is before and after its logarithm is taken, or taken back.
PROBABILITIES = {"log": ("softmax", "log_softmax"), "exp": ("log_softmax", "softmax")}
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "max": "relu"}


@rule("input")
def image(walk: Walk, op: Step) -> Plain:
    return walk.node("input", {}, (), named(op.shape, op["axes"]), op.value)


@rule("relu", "tanh", "logistic")
def activation(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    """An activation of algebra without a name is a step of it; relu(relu(x)) -> relu(x)."""
    if isinstance(x, Algebra) and recognised(walk, x) is None:
        return None
    if ACTIVATIONS[op.name] == "relu" and (within := _within(walk, x, low=0.0)):
        return within
    flow = walk.placed(x)
    return walk.node(ACTIVATIONS[op.name], {}, (flow.node,), flow.axes, op.value)


@rule("max", commutes=True)
def at_least(walk: Walk, op: Step, x: Flowing, least: Stored) -> Plain | None:
    """max(min(x, high), low) -> clip(x, low, high); max(x, 0) -> relu(x); max(x, low) -> clip."""
    if (low := constant(walk.tape, least)) is None:
        return None
    if found := _within(walk, x, low=low) or _clipped(walk, op, x, low=low):
        return found
    return _bounded(walk, op, x, low, None) if low else activation(walk, op, x)


@rule("min", commutes=True)
def at_most(walk: Walk, op: Step, x: Flowing, most: Stored) -> Plain | None:
    """min(x, high) -> clip(x, None, high); of a relu clip(x, 0, high), which is ReLU6 for 6."""
    if (high := constant(walk.tape, most)) is None:
        return None
    found = _within(walk, x, high=high) or _clipped(walk, op, x, high=high)
    return found or _bounded(walk, op, x, None, high)


def _within(
    walk: Walk, x: Flowing, low: float | None = None, high: float | None = None
) -> Plain | None:
    """What a bound does not change: max(relu(x), 0) -> relu(x), min(x, inf) -> x."""
    flow = recognised(walk, x) if isinstance(x, Algebra) else walk.placed(x)
    if flow is None or low == -inf or high == inf:
        return flow
    node = walk.of(flow)
    has = {"relu": {"low": 0.0}, "clip": node.attributes}.get(node.kind, {})
    least, most = has.get("low"), has.get("high")
    below = low is not None and least is not None and low <= least
    above = high is not None and most is not None and high >= most
    return flow if below or above else None


def _clipped(
    walk: Walk, op: Step, x: Flowing, low: float | None = None, high: float | None = None
) -> Plain | None:
    """The other bound of what has one already, where nothing else reads that."""
    flow = recognised(walk, x) if isinstance(x, Algebra) else walk.placed(x)
    if flow is None or not walk.sole(x):
        return None
    node = walk.of(flow)
    if node.kind not in ("relu", "clip"):
        return None
    has = {"low": 0.0, "high": None} if node.kind == "relu" else node.attributes
    if has["low" if high is None else "high"] is not None:
        return None  # it is cut off twice on one side
    low, high = (has["low"], high) if low is None else (low, has["high"])
    if low is None or high is None or low > high:
        return None
    return walk.node("clip", {"low": low, "high": high}, node.inputs, flow.axes, op.value)


def _bounded(
    walk: Walk, op: Step, x: Flowing, low: float | None, high: float | None
) -> Plain | None:
    if isinstance(x, Algebra) and recognised(walk, x) is None:
        return None
    return _same_shape(walk, op, "clip", {"low": low, "high": high}, walk.placed(x))


@rule("batch_norm")
def batch_norm(walk: Walk, op: Step, x: Flowing, *slots: Stored | Absent) -> Plain | None:
    attributes = {"epsilon": op["epsilon"]}
    if (kept := op.attributes.get("momentum")) is not None:
        attributes |= {"statistics": "batch", "momentum": kept, "unbiased": op["unbiased"]}
    flow = walk.placed(x)
    axis = flow.axes[op["axis"] % len(flow.axes)]
    if len(axis) > 1 and "C" not in dict(axis):
        return None  # every pixel for itself
    return normalised(walk, flow, attributes, _given(slots), op.value, name_of(axis) or "C")


@rule("group_norm")
def group_norm(walk: Walk, op: Step, x: Flowing, *slots: Stored | Absent) -> Plain | None:
    """group_norm(x) of channels in the second axis -> group_norm."""
    flow = walk.placed(x)
    if name_of(flow.axes[1], "") != "C":
        return None
    attributes = {"groups": op["groups"], "epsilon": op["epsilon"]}
    return normalised(walk, flow, attributes, _given(slots), op.value, kind="group_norm")


def _given(slots: Sequence[Stored | Absent]) -> dict[str, int]:
    """The values of a norm's slots that it has."""
    named = zip(("gamma", "beta", "mean", "variance"), slots, strict=False)
    return {slot: stored.value for slot, stored in named if isinstance(stored, Stored)}


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
    """softmax(x) -> softmax; along another axis than the channels it says which."""
    flow = walk.placed(x)
    if not (name := name_of(flow.axes[op["axis"] % len(flow.axes)], "C")):
        return None
    attributes = {} if name == "C" else {"axis": AXES[name]}
    return _same_shape(walk, op, "softmax", attributes, flow)


@rule("log", "exp")
def log_softmax(walk: Walk, op: Step, x: Plain) -> Plain | None:
    """log(softmax(x)) -> log_softmax(x); exp(log_softmax(x)) -> softmax(x)."""
    node, (before, then) = walk.of(x), PROBABILITIES[op.name]
    if node.kind != before:
        return None
    return walk.node(then, node.attributes, node.inputs, x.axes, op.value)


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


@rule("reduce")
def sum_of_stacked(walk: Walk, op: Step, x: Flow) -> Plain | None:
    """sum(stack(x, y)) -> x + y."""
    made, over = walk.tape[x.value], tuple(op["axes"])
    if made.name != "concat" or op["reduce"] != "sum" or len(over) != 1:
        return None
    parts = [walk.means[value] for value in made.inputs]
    flows = [walk.placed(part) for part in parts if isinstance(part, Flowing)]
    if made.attributes["axis"] % len(made.shape) != over[0] or len(flows) < len(parts):
        return None
    first, *others = flows
    if any(flow.axes != first.axes for flow in others):
        return None
    # Of a batch of one and the new axis either may be taken for the other.
    left = [axis for i, axis in enumerate(first.axes) if i != over[0]]
    if first.axes[over[0]] == (("N", 1),) and () in left:
        left[left.index(())] = first.axes[over[0]]
    elif first.axes[over[0]] != ():
        return None
    if op["keep"]:
        left.insert(over[0], ())
    axes = tuple(left)
    for place, other in enumerate(others, 1):
        value = op.value if place == len(others) else -1
        inputs = (first.node, other.node)
        first = walk.node("add", {}, inputs, axes, value, where=op.where)
    return first


def _of_one(left: Flowing, right: Flowing) -> bool:
    """Whether a sum is algebra of one node, and not of two results or of one taken twice."""
    both = isinstance(left, Flow) and isinstance(right, Flow)
    return not both and left.node == right.node
