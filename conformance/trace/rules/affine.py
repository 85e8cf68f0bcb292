"""Affine maps: biases, normalisations by stored statistics, scales, subsampling.

What is added to a result or multiplied with it stays pending, since only the whole map tells a
batch norm from a scale.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import axis_of
from conformance.graph.model import Parameter
from conformance.trace.evaluation import evaluate
from conformance.trace.meanings import (
    Affine,
    Algebra,
    Chosen,
    Flow,
    Flowing,
    Padded,
    Plain,
    Step,
    Stored,
    line,
)
from conformance.trace.norms import Linear, Normalisation, coefficients
from conformance.trace.probes import leaves
from conformance.trace.recognise import Layer
from conformance.trace.rule import makes, places, rule
from conformance.trace.rules.algebra import recognised
from conformance.trace.rules.convolution import biased, give_bias
from conformance.trace.rules.pooling import averaged
from conformance.trace.stored import along, array_of, constant, fill
from conformance.trace.walk import AXES, Walk


@rule("add", commutes=True)
def shifted(walk: Walk, op: Step, x: Flowing, b: Stored) -> Plain | Affine | None:
    """x + b -> a bias of x, or an affine map of it."""
    if (flow := _base(walk, x, b)) is None:
        return None
    if found := biased(walk, flow, b, op.value):
        return found
    if isinstance(flow, Plain) and not walk.of(flow).known and array_of(walk.tape, b.value):
        return walk.opaque(op.value, [flow])  # of a layer that no rule reads, it is the bias
    slope, offset = line(flow)
    moved = b if offset is None else walk.side("add", offset, b)
    whole = Affine(flow.node, flow.axes, op.value, slope, moved)
    if array_of(walk.tape, b.value) and slope and leaves(walk.tape, slope.value):
        # The parameter that is added last completes a normalisation or a subsampling.
        return map_of(walk, whole) or whole
    return whole


@rule("sub")
def lowered(walk: Walk, op: Step, x: Flowing, b: Stored) -> Affine | None:
    """x - b -> an affine map of x."""
    if (flow := _base(walk, x, b)) is None:
        return None
    slope, offset = line(flow := _apart(walk, flow, b))
    moved = walk.side("neg", b) if offset is None else walk.side("sub", offset, b)
    return Affine(flow.node, flow.axes, op.value, slope, moved)


@rule("sub")
def lowered_from(walk: Walk, op: Step, b: Stored, x: Flowing) -> Affine | None:
    """b - x -> an affine map of x."""
    if (flow := _base(walk, x, b)) is None:
        return None
    slope, offset = line(flow)
    minus = walk.side("neg", slope or walk.number(1.0))
    moved = b if offset is None else walk.side("sub", b, offset)
    return Affine(flow.node, flow.axes, op.value, minus, moved)


@rule("neg")
def negated(walk: Walk, op: Step, x: Flowing) -> Plain | Affine | None:
    """-x -> x times -1."""
    return _scaled(walk, op, x, walk.number(-1.0), "mul")


@rule("mul", commutes=True)
def multiplied(walk: Walk, op: Step, x: Flowing, by: Stored) -> Plain | Affine | None:
    """x by -> an affine map of x."""
    return _scaled(walk, op, x, by, "mul")


@rule("div")
def divided(walk: Walk, op: Step, x: Flowing, by: Stored) -> Plain | Affine | None:
    """x / by -> an affine map of x."""
    return _scaled(walk, op, x, by, "div")


def _scaled(walk: Walk, op: Step, x: Flowing, by: Stored, how: str) -> Plain | Affine | None:
    if (flow := _base(walk, x, by)) is None:
        return None
    if array_of(walk.tape, by.value) is None:
        flow = _apart(walk, flow, by)
    slope, offset = line(flow)
    if slope and offset and constant(walk.tape, by) not in (None, 1.0, -1.0):
        # A number after a whole norm is a scale of its own.
        slope, offset = line(flow := _complete(walk, flow) or flow)
    whole = Affine(
        flow.node, flow.axes, op.value,
        walk.side(how, slope or walk.number(1.0), by),
        None if offset is None else walk.side(how, offset, by),
    )  # fmt: skip
    # A window's sum that has just been divided by its size is an average from here on.
    return averaged(walk, whole) or whole


def _apart(walk: Walk, x: Plain | Affine, by: Stored) -> Plain | Affine:
    """A map by constants is a scale of its own where a norm's algebra begins behind it."""
    if not isinstance(x, Affine) or x.slope is None or not leaves(walk.tape, by.value):
        return x
    sides = [side.value for side in (x.slope, x.offset) if side is not None]
    return x if any(leaves(walk.tape, side) for side in sides) else walk.placed(x)


def _complete(walk: Walk, x: Plain | Affine) -> Plain | None:
    """An affine map by parameters as the node that it is already."""
    assert isinstance(x, Affine) and x.slope is not None
    if not leaves(walk.tape, x.slope.value):
        return None
    if placed := map_of(walk, x):
        walk.named[x.value] = placed
    return placed


def _base(walk: Walk, x: Flowing, by: Stored) -> Plain | Affine | None:
    """The flow that an affine map by ``by`` may be hung on, or None."""
    if leaves(walk.tape, by.value, "random"):
        return None
    flow: Flow | None = recognised(walk, x, final=False) if isinstance(x, Algebra) else x
    if isinstance(flow, Padded | Chosen):
        flow = walk.placed(flow)
    shape = walk.shape(x)
    if flow is None or np.broadcast_shapes(shape, walk.shape(by)) != shape:
        return None
    if not walk.sole(x):
        flow = walk.placed(x)
    assert isinstance(flow, Plain | Affine)
    return flow


@places(Affine)
def map_of(walk: Walk, x: Affine) -> Plain | None:
    """slope x + offset -> batch_norm, scale or subsample, whichever the parameters make of it."""
    if found := averaged(walk, x):
        return found
    slope, offset = (None if side is None else side.value for side in (x.slope, x.offset))
    if walk.of(x).kind == "input" and (prepared := _by_constants(walk, x)):
        return prepared  # the mean of a set of images, which a port may keep as a buffer
    for name in AXES:
        try:
            algebra = coefficients(walk.tape, slope, offset, partial(along, x.axes, name=name))
            if algebra is None:
                return _by_constants(walk, x)  # of channels, which are tried first
        except (ValueError, KeyError):
            continue  # it varies over another axis
        if isinstance(algebra, Linear):
            return _linear(walk, x, algebra, name)
        return _norm(walk, x, algebra, name)
    return None


def _norm(walk: Walk, x: Affine, algebra: Normalisation, name: str) -> Plain | None:
    slots = dict(algebra.slots)
    if (bias := slots.pop("bias", None)) is not None:
        # A bias that only shows in a batch norm's algebra belongs to the convolution before.
        node, stored = walk.of(x), array_of(walk.tape, bias)
        if node.kind not in ("conv", "dense") or node.attributes["bias"] or stored is None:
            return None
        give_bias(node, stored[0])
        node.value = -1  # the tape never holds the biased result by itself
    return normalised(walk, x.plain, {"epsilon": algebra.epsilon}, slots, x.value, name)


def normalised(
    walk: Walk,
    x: Plain,
    attributes: dict[str, Any],
    slots: dict[str, int],
    value: int,
    name: str = "C",
    kind: str = "batch_norm",
) -> Plain | None:
    """A norm of x whose slots are these values; None if one is no vector of channels.

    Where it takes another axis than the channels for them, an attribute says so.
    """
    channel = axis_of(x.axes, name)
    if name != "C":
        attributes = attributes | {"axis": AXES[name]}
    parameters: dict[str, Parameter] = {}
    for slot, source in slots.items():
        stored = array_of(walk.tape, source)
        if stored is None or stored[1] is not None:
            return None
        parameters[slot] = stored[0]
    if channel is None:
        return None
    made = walk.node(kind, attributes, (x.node,), x.axes, value)
    for slot, parameter in parameters.items():
        fill(walk.of(made), slot, parameter, x.axes[channel])
    return made


@makes("batch_norm")
@makes("group_norm")
@makes("layer_norm")
def by_its_statistics(walk: Walk, x: Algebra, layer: Layer) -> Plain | None:
    attributes = dict(layer.attributes)
    name = attributes.pop("axis", "C")
    return normalised(walk, x.base, attributes, layer.slots, x.value, name, layer.kind)


def _linear(walk: Walk, x: Affine, algebra: Linear, name: str) -> Plain | None:
    """factor · coefficient · x + bias: a scale, or a window's sum by a coefficient."""
    if algebra.coefficient < 0 and algebra.bias < 0:
        if algebra.factor == 1:
            return x.plain
        return walk.node("scale", {"factor": algebra.factor}, (x.node,), x.axes, x.value)
    if completed := _completed(walk, x, algebra, name):
        return completed
    pooled = walk.of(x)
    if pooled.kind in ("sum_pool", "avg_pool") and algebra.coefficient >= 0:
        cells = prod(pooled.attributes["kernel"]) if pooled.kind == "avg_pool" else 1
        attributes = {k: pooled.attributes[k] for k in ("kernel", "stride", "padding")}
        attributes["divisor"] = cells / algebra.factor
        made = walk.node(
            "subsample", attributes, pooled.inputs, x.axes, x.value, where=pooled.where
        )
        roles = {"coefficient": algebra.coefficient, "bias": algebra.bias}
    else:
        attributes = {"factor": algebra.factor} | ({} if name == "C" else {"axis": AXES[name]})
        made = walk.node("scale", attributes, (x.node,), x.axes, x.value)
        roles = {"gamma": algebra.coefficient, "beta": algebra.bias}
    channel = axis_of(x.axes, name)
    for slot, source in roles.items():
        if source < 0:
            continue
        stored = array_of(walk.tape, source)
        if stored is None or channel is None:
            return None
        one = prod(stored[0].shape) == 1  # a scalar that all channels share
        fill(walk.of(made), slot, stored[0], (("C", 1),) if one else x.axes[channel])
    return made


def _completed(walk: Walk, x: Affine, algebra: Linear, name: str) -> Plain | None:
    """gamma norm(x) + beta, of a norm that has none of its own -> norm(x), as Caffe writes it."""
    norm, channel = walk.of(x), axis_of(x.axes, name)
    own = {"gamma", "beta"} if algebra.coefficient >= 0 else {"beta"}
    along_it = norm.attributes.get("axis", AXES["C"]) == AXES[name]
    if norm.kind != "batch_norm" or not along_it or own & norm.slots.keys() or channel is None:
        return None
    if algebra.factor != 1 or walk.readers[norm.value] != 1:
        return None
    stored, length = {}, x.axes[channel][0][1]
    for slot, source in (("gamma", algebra.coefficient), ("beta", algebra.bias)):
        array = array_of(walk.tape, source) if source >= 0 else None
        if array and array[1] is None and prod(array[0].shape) == length:
            stored[slot] = array[0]
        elif source >= 0:
            return None
    for slot, parameter in stored.items():
        fill(norm, slot, parameter, x.axes[channel])
    norm.value, norm.axes = x.value, x.axes
    return x.plain


def _by_constants(walk: Walk, x: Affine) -> Plain | None:
    """A map by numbers that differ from channel to channel: input normalisation.

    The numbers are constants, or stored arrays that have their values and are not trained.
    """
    attributes: dict[str, Any] = {}
    for name, side in (("factor", x.slope), ("offset", x.offset)):
        if side is None:
            continue
        stored = {i: walk.tape[i].attributes.get("array") for i in leaves(walk.tape, side.value)}
        if any(array is None for array in stored.values()):
            return None
        known = {i: np.asarray(array, np.float64) for i, array in stored.items()}
        try:
            vector = along(x.axes, evaluate(walk.tape, side.value, known))
        except (KeyError, ValueError):
            return None  # it is drawn at random, or varies over the image
        attributes[name] = tuple(map(float, vector)) if len(vector) > 1 else float(vector[0])
    attributes.setdefault("factor", 1.0)
    if attributes.get("offset") == 0.0:
        del attributes["offset"]
    if attributes == {"factor": 1.0}:
        return x.plain
    return walk.node("scale", attributes, (x.node,), x.axes, x.value)
