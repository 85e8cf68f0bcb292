"""Layout: which axis is which is followed; what is cut, padded or put side by side is named."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import name_of, reshaped, resized, spatial_order, transposed
from conformance.graph.model import Node
from conformance.trace.meanings import (
    NO_PADDING,
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
    together,
)
from conformance.trace.rule import places, rule
from conformance.trace.rules.algebra import recognised
from conformance.trace.rules.columns import laid_out
from conformance.trace.rules.convolution import side_by_side
from conformance.trace.stored import constant
from conformance.trace.walk import AXES, Spelling, Walk


def settled(walk: Walk, x: Flowing) -> Plain | None:
    """A plain flow whose axes can be moved; None for algebra that may go on."""
    return recognised(walk, x) if isinstance(x, Algebra) else walk.placed(x)


@rule("reshape")
def reshape(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    """reshape(x) -> x, or flatten where it merges a map's axes."""
    if (flow := settled(walk, x)) is None or (axes := reshaped(flow.axes, op.shape)) is None:
        return None
    merged = next((a for a in axes if len([atom for atom in a if atom[0] != "N"]) > 1), None)
    beside = {name for axis in axes if axis != merged for name, _ in axis}
    if merged and merged not in flow.axes and "C" not in beside:
        attributes = {"order": spatial_order(merged)}
        return walk.node("flatten", attributes, (flow.node,), axes, op.value)
    return Plain(flow.node, axes, op.value)


@rule("broadcast")
def broadcast(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    """broadcast(x) -> x, where it repeats nothing."""
    return reshape(walk, op, x) if prod(op.shape) == prod(walk.shape(x)) else None


@rule("transpose")
def transpose_pending(walk: Walk, op: Step, x: Padded | Chosen) -> Padded | Chosen:
    """Cells around x and channels of it belong to named axes, wherever those come to lie."""
    return replace(x, axes=transposed(x.axes, op["axes"]), value=op.value)


@rule("transpose")
def transpose(walk: Walk, op: Step, x: Flowing) -> Plain | None:
    if (flow := settled(walk, x)) is None:
        return None
    return Plain(flow.node, transposed(flow.axes, op["axes"]), op.value)


@rule("concat")
def zeros_beside(walk: Walk, op: Step, *parts: Flowing | Stored) -> Padded | Plain | None:
    """concat(x, zeros) -> pad(x): channels of zeros are a padding of the channels."""
    zero = [is_zero(walk, part) for part in parts]
    if zero.count(False) != 1 or len(parts) == 1:
        return None
    at, axis = zero.index(False), op["axis"] % len(op.shape)
    widths = [walk.tape[i].shape[axis] for i in op.inputs]
    padding = [(0, 0)] * len(op.shape)
    padding[axis] = (sum(widths[:at]), sum(widths[at + 1 :]))
    x = parts[at]
    return None if isinstance(x, Stored) else _padded(walk, op, x, tuple(padding), 0.0)


def is_zero(walk: Walk, x: Flowing | Stored) -> bool:
    """Whether a value is zero whatever the image: zeros, or a map times zero."""
    if isinstance(x, Stored):
        return constant(walk.tape, x) == 0.0
    if isinstance(x, Affine):
        without = x.offset is None or is_zero(walk, x.offset)
        return without and x.slope is not None and is_zero(walk, x.slope)
    if not isinstance(x, Plain):
        return False
    return zeros(walk.of(x))


def zeros(node: Node) -> bool:
    """Whether a node's result is zero whatever it reads."""
    return node.kind == "scale" and node.attributes == {"factor": 0.0} and "beta" not in node.slots


@rule("concat")
def channels_together(walk: Walk, op: Step, *parts: Chosen) -> Plain | Chosen | None:
    """concat(x[some channels], x[others]) -> x[all of them]."""
    axis = op["axis"] % len(op.shape)
    same = {(part.node, name_of(part.axes[axis])) for part in parts}
    if len(same) != 1 or name_of(parts[0].axes[axis]) != "C":
        return None
    chosen = tuple(c for part in parts for c in part.channels)
    first = parts[0]
    axes = tuple((("C", len(chosen)),) if i == axis else a for i, a in enumerate(first.axes))
    if chosen == tuple(range(walk.of(first).shape[-1])):
        return Plain(first.node, axes, op.value)
    return Chosen(first.node, axes, op.value, chosen)


@rule("concat")
def added_to_some(walk: Walk, op: Step, *parts: Flow) -> Plain | None:
    """concat(x[some channels] + y, x[the others]) -> x + pad(y)."""
    axis = op["axis"] % len(op.shape)
    flows = [_some_of(walk, part) for part in parts]
    sources = {source for source, _, _ in flows}
    order = [c for _, channels, _ in flows for c in channels]
    added = [(channels, y) for _, channels, y in flows if y is not None]
    (source, *others) = sources
    if others or source < 0 or not added:
        return None
    in_order = order == list(range(walk.nodes[source].shape[-1]))
    if (
        not in_order
        or any(part.axes[:axis] != walk.nodes[source].axes[:axis] for part in parts)
        or name_of(walk.nodes[source].axes[axis]) != "C"
    ):
        return None
    channels, ys = zip(*added, strict=True)
    width = sum(map(len, channels))
    first, behind = channels[0][0], len(order) - channels[0][0] - width
    whole, y = walk.nodes[source], ys[0]
    if channels[-1][-1] != first + width - 1:  # some between them are left as they were
        return None
    if len(ys) > 1:
        axes = tuple((("C", width),) if i == axis else a for i, a in enumerate(whole.axes))
        y = walk.node("concat", {}, ys, axes, -1, where=op.where).node
    if first or behind:
        given = {"padding": NO_PADDING, "channels": (first, behind), "value": 0.0}
        y = walk.node("pad", given, (y,), whole.axes, -1, where=op.where).node
    return walk.node("add", {}, (source, y), whole.axes, op.value)


def _some_of(walk: Walk, part: Flow) -> tuple[int, tuple[int, ...], int | None]:
    """Of which node a flow is which channels, and what is added to them."""
    if isinstance(part, Chosen):
        return part.node, part.channels, None
    node = walk.of(part)
    if not isinstance(part, Plain) or node.kind != "add" or node.parameters:
        return -1, (), None
    taken = [i for i in node.inputs if walk.nodes[i].kind == "unknown:take"]
    others = [i for i in node.inputs if i not in taken]
    if len(taken) != 1 or len(others) != 1:
        return -1, (), None
    some = walk.nodes[taken[0]]
    return some.inputs[0], some.attributes["channels"], others[0]


@rule("concat")
def prepared_one_by_one(walk: Walk, op: Step, *parts: Flow) -> Plain | None:
    """concat(a x[some channels] + b, …) -> a scale of x, by constants a and b."""
    taken = [walk.of(part) for part in parts]
    given = [(part, *line(part)) for part in parts if isinstance(part, Plain | Affine)]
    if len(given) != len(parts) or any(node.kind != "unknown:take" for node in taken):
        return None
    chosen = [node.attributes["channels"] for node in taken]
    sides = [
        [constant(walk.tape, side or walk.number(default)) for _ in some]
        for some, (_, slope, offset) in zip(chosen, given, strict=True)
        for side, default in ((slope, 1.0), (offset, 0.0))
    ]
    factors, offsets = sum(sides[::2], []), sum(sides[1::2], [])
    order, sources = sum(chosen, ()), {node.inputs for node in taken}
    axis = op["axis"] % len(op.shape)
    if len(sources) != 1 or None in factors + offsets or name_of(parts[0].axes[axis], "C") != "C":
        return None
    ((source,),) = sources
    if not permuted(order, walk.nodes[source]):
        return None
    axes = tuple((("C", len(order)),) if i == axis else a for i, a in enumerate(parts[0].axes))
    if order != tuple(range(len(order))):
        source = walk.node("channel_order", {"order": order}, (source,), axes, -1).node
    attributes = {"factor": tuple(factors), "offset": tuple(offsets)}
    return walk.node("scale", attributes, (source,), axes, op.value)


@rule("concat")
def concat(walk: Walk, op: Step, *parts: Flowing) -> Plain | Algebra | None:
    """concat(concat(x, y), z) along the channels -> concat(x, y, z); of one part, that part."""
    axis = op["axis"] % len(op.shape)
    windows = laid_out(walk, op.value)
    if windows and windows.node not in [x.node for x in parts if isinstance(x, Plain)]:
        return windows
    flows = [walk.placed(x) for x in parts]
    new = any(name == "C" for each in flows[0].axes for name, _ in each)  # stacked, not widened
    name = name_of(flows[0].axes[axis], "" if new else "C")
    if any(name_of(flow.axes[axis], "C") != name for flow in flows) or not name:
        return None
    if len(flows) == 1:
        return Plain(flows[0].node, flows[0].axes, op.value)
    axes = tuple(((name, op.shape[axis]),) if i == axis else a for i, a in enumerate(flows[0].axes))
    if name != "C":
        attributes = {"axis": AXES[name]}
        return walk.node("concat", attributes, [flow.node for flow in flows], axes, op.value)
    if merged := side_by_side(walk, parts, flows, axes, op.value):
        return merged
    nested = [walk.of(f).kind == "concat" and not walk.of(f).attributes for f in flows]
    inputs = [
        i
        for flow, inner in zip(flows, nested, strict=True)
        for i in (walk.of(flow).inputs if inner else (flow.node,))
    ]
    spelling: Spelling = (("inputs", "concatenated in steps", "at once"),) if any(nested) else ()
    return walk.node("concat", {}, inputs, axes, op.value, spelling=spelling)


@rule("pad")
def pad(walk: Walk, op: Step, x: Flowing) -> Padded | Plain | None:
    """pad(x): what reads it decides what the cells around x are; pad(pad(x)) -> pad(x)."""
    return _padded(walk, op, x, op["padding"], op["value"])


def _padded(
    walk: Walk, op: Step, x: Flowing, cells: tuple[Any, ...], fill: float | str
) -> Padded | Plain | None:
    inner, flow = NO_PADDING, None
    if isinstance(x, Padded) and x.fill == fill:
        inner, flow = x.padding, x.plain
    if (flow := flow or settled(walk, x)) is None:
        return None
    padding: dict[str, tuple[int, int]] = {}
    for axis, (before, after) in zip(flow.axes, cells, strict=True):
        if (name := name_of(axis)) in ("H", "W", "C"):
            padding[name] = (int(before), int(after))
        elif (before, after) != (0, 0):
            return None
    axes = resized(flow.axes, op.shape, ("H", "W", "C"))
    around = together(inner, (padding.get("H", (0, 0)), padding.get("W", (0, 0))))
    beside = padding.get("C", (0, 0))
    if beside != (0, 0):
        attributes = {"padding": around, "channels": beside, "value": fill}
        return walk.node("pad", attributes, (flow.node,), axes, op.value)
    if around == NO_PADDING:
        return Plain(flow.node, axes, op.value)
    return Padded(flow.node, axes, op.value, around, fill)


@places(Padded)
def cells_around(walk: Walk, x: Padded) -> Plain:
    attributes = {"padding": x.padding, "value": x.fill}
    kind = "unknown:pad" if x.fill == "edge" else "pad"
    return walk.node(kind, attributes, (x.node,), x.axes, x.value)


@rule("slice")
def channels_of(walk: Walk, op: Step, x: Flow) -> Plain | Chosen | None:
    """x[..., start:stop:step] -> some channels of x."""
    sizes = zip(walk.shape(x), op.shape, strict=True)
    changed = [i for i, (before, after) in enumerate(sizes) if before != after]
    if isinstance(x, Plain) and walk.of(x).kind.startswith("unknown:"):
        return walk.opaque(op.value, [x])
    if len(changed) != 1 or name_of(x.axes[changed[0]]) != "C":
        return None
    axis = changed[0]
    return _chosen(
        walk, op, x, axis, tuple(range(op["start"][axis], op["stop"][axis], op["step"][axis]))
    )


@rule("take")
def take(walk: Walk, op: Step, x: Flow) -> Plain | Chosen | None:
    """x[..., indices] -> some channels of x; all of an axis in their order are x."""
    if [*np.ravel(op["indices"])] == [*range(walk.shape(x)[op["axis"]])]:
        flow = walk.placed(x)
        return Plain(flow.node, flow.axes, op.value) if op.shape == walk.shape(x) else None
    if name_of(x.axes[op["axis"]]) != "C":
        return None
    return _chosen(walk, op, x, op["axis"], tuple(int(i) for i in np.ravel(op["indices"])))


def _chosen(walk: Walk, op: Step, x: Flow, axis: int, chosen: tuple[int, ...]) -> Plain | Chosen:
    flow = walk.placed(x)
    if chosen == tuple(range(walk.of(flow).shape[-1])):
        return Plain(flow.node, flow.axes, op.value)
    axes = tuple((("C", len(chosen)),) if i == axis else a for i, a in enumerate(flow.axes))
    return Chosen(flow.node, axes, op.value, chosen)


@rule("reverse")
def reverse(walk: Walk, op: Step, x: Flow) -> Plain | Chosen | None:
    """x[..., ::-1] -> the channels of x in the opposite order."""
    if [name_of(x.axes[axis]) for axis in op["axes"]] != ["C"]:
        return None
    (axis,) = op["axes"]
    return _chosen(walk, op, x, axis, tuple(reversed(range(op.shape[axis]))))


def permuted(chosen: tuple[int, ...], node: Node) -> bool:
    """Whether all channels of a node are chosen, each once."""
    return sorted(chosen) == list(range(node.shape[-1]))


@places(Chosen)
def some_channels(walk: Walk, x: Chosen) -> Plain:
    whole = permuted(x.channels, walk.of(x))
    kind, attribute = ("channel_order", "order") if whole else ("unknown:take", "channels")
    return walk.node(kind, {attribute: x.channels}, (x.node,), x.axes, x.value)
