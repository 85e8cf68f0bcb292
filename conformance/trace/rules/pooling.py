"""Pooling and everything that is one: windows, reductions over a map, steps, repetition."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, axis_of, name_of, resized
from conformance.graph.model import Node
from conformance.kinds.arrays import inside
from conformance.trace.evaluation import evaluate
from conformance.trace.meanings import (
    NO_PADDING,
    Affine,
    Algebra,
    Flow,
    Flowing,
    Padded,
    Padding,
    Plain,
    Step,
    together,
)
from conformance.trace.probes import leaves, same
from conformance.trace.recognise import Layer
from conformance.trace.rule import makes, rule
from conformance.trace.rules.algebra import recognised
from conformance.trace.walk import Spelling, Walk

POOLS = {"max": "max_pool", "sum": "sum_pool", "mean": "avg_pool"}
IDLE = (1, 1, (0, 0))
#: No number is less: it is written for minus infinity.
LOWEST = float(np.finfo(np.float32).min)


@rule("window")
def padded(walk: Walk, op: Step, x: Padded) -> Plain | None:
    """pool(pad(x)) -> pool(x), where the cells around x change nothing or are counted."""
    if (found := _windows(op, x.axes)) is None:
        return None
    kernel, _, own = found
    if op["reduce"] == "max":
        if isinstance(x.fill, str):
            # A window that reaches beyond the edge has the edge in it: no maximum changes.
            beyond = zip(x.padding, kernel, strict=True)
            takes_in = own == NO_PADDING and all(max(side) < length for side, length in beyond)
        else:
            takes_in = x.fill <= LOWEST or x.fill == 0 and _non_negative(walk, x.node)
    else:
        takes_in = x.fill == 0 and own == NO_PADDING
    return _pooled(walk, op, x.plain, around=x.padding) if takes_in else None


@rule("window")
def pool(walk: Walk, op: Step, x: Flow) -> Plain | None:
    """window(x) -> max_pool, avg_pool."""
    return _pooled(walk, op, walk.placed(x)) if _windows(op, x.axes) else None


@rule("window")
def pool_of_algebra(walk: Walk, op: Step, x: Algebra) -> Plain | None:
    flow = recognised(walk, x)
    return None if flow is None else pool(walk, op, flow)


def _windows(op: Step, axes: Axes) -> tuple[tuple[int, int], tuple[int, int], Padding] | None:
    """Kernel, stride and padding of a window over height and width; None for any other."""
    spatial: dict[str, Any] = {}
    rows = zip(op["size"], op["stride"], op["padding"], strict=True)
    for axis, (size, stride, pad) in zip(axes, rows, strict=True):
        if (name := name_of(axis)) in ("H", "W"):
            spatial[name] = (size, stride, tuple(pad))
        elif (size, stride, tuple(pad)) != IDLE:
            return None
    if op["reduce"] not in POOLS or not spatial:
        return None
    kernel, stride, padding = zip(spatial.get("H", IDLE), spatial.get("W", IDLE), strict=True)
    return kernel, stride, padding


def _pooled(walk: Walk, op: Step, x: Plain, around: Padding | None = None) -> Plain:
    found = _windows(op, x.axes)
    assert found is not None  # the rules have looked
    kernel, stride, padding = found
    if around is not None:
        padding = together(padding, around)
    attributes: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    if (kind := POOLS[op["reduce"]]) == "avg_pool":
        counted = bool(op.attributes.get("count_padding", True))
        attributes["count_include_pad"] = counted or around is not None
    return make(walk, kind, attributes, x.node, resized(x.axes, op.shape), op.value)


@rule("reduce")
def over_the_map(walk: Walk, op: Step, x: Flow) -> Plain | None:
    """mean(x, height and width) -> global_avg_pool."""
    return _reduced(walk, op, walk.placed(x))


@rule("reduce")
def over_the_map_of_algebra(walk: Walk, op: Step, x: Algebra) -> Plain | None:
    """A sum over batch or channels is a step of some algebra; one over the map, a pooling."""
    axes = x.base.axes
    inside = len(axes) == len(walk.shape(x)) and all(
        name in "HW" for axis in op["axes"] for name, _ in axes[axis]
    )
    flow = recognised(walk, x, final=inside)
    return None if flow is None else _reduced(walk, op, flow)


def _reduced(walk: Walk, op: Step, x: Plain) -> Plain | None:
    over = set(op["axes"])
    reduced = [atom for axis in op["axes"] for atom in x.axes[axis]]
    if op["reduce"] not in POOLS or any(name not in "HW" for name, _ in reduced):
        return None
    if prod(n for _, n in reduced) != prod(walk.shape(x)[axis] for axis in over):
        return None  # an axis without a name
    axes = tuple(
        () if i in over else axis for i, axis in enumerate(x.axes) if op["keep"] or i not in over
    )
    sizes = dict(reduced)
    kernel = (sizes.get("H", 1), sizes.get("W", 1))
    attributes: dict[str, Any] = {"kernel": kernel, "stride": kernel, "padding": NO_PADDING}
    if (kind := POOLS[op["reduce"]]) == "avg_pool":
        attributes["count_include_pad"] = True
    return make(walk, kind, attributes, x.node, axes, op.value)


def make(
    walk: Walk, kind: str, attributes: dict[str, Any], source: int, axes: Axes, value: int
) -> Plain:
    """A pooling node, by its shortest name; a window of one that goes everywhere is none."""
    source, attributes = _in_steps(walk, kind, attributes, source)
    before = walk.nodes[source].shape
    spelling: Spelling = ()
    if attributes["kernel"] == (1, 1) and _takes_in_nothing(attributes["padding"]):
        if attributes["stride"] == (1, 1) and attributes["padding"] == NO_PADDING:
            return Plain(source, axes, value)
        if kind != "max_pool":
            spelling = (("kind", kind, "max_pool"),)
        kind = "max_pool"
        attributes = {name: attributes[name] for name in ("kernel", "stride", "padding")}
    whole = attributes["kernel"] == before[:2] and attributes["padding"] == NO_PADDING
    if kind != "sum_pool" and whole:
        attributes["stride"] = attributes["kernel"]
    if kind == "avg_pool":
        kind, attributes = _average(attributes, before)
    flow = walk.node(kind, attributes, (source,), axes, value, spelling=spelling)
    if whole:
        walk.of(flow).shape = (1, 1, before[-1])
    return flow


def _in_steps(
    walk: Walk, kind: str, attributes: dict[str, Any], source: int
) -> tuple[int, dict[str, Any]]:
    """An average of averages of the same number of cells is one: of the columns, then the rows."""
    inner = walk.nodes[source]
    if {kind, inner.kind} != {"avg_pool"} or attributes["padding"] != NO_PADDING:
        return source, attributes
    before, window = walk.nodes[inner.inputs[0]].shape, inner.attributes["kernel"]
    tiled = window == inner.attributes["stride"] and not any(before[i] % window[i] for i in (0, 1))
    if not tiled or inner.attributes["padding"] != NO_PADDING:
        return source, attributes
    wider = {
        name: tuple(window[i] * attributes[name][i] for i in (0, 1))
        for name in ("kernel", "stride")
    }
    return inner.inputs[0], attributes | wider


def _takes_in_nothing(padding: Padding) -> bool:
    """Whether no cell stands around the map; some of its own may be cut."""
    return max(cells for side in padding for cells in side) <= 0


def _average(attributes: dict[str, Any], before: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """An average over the whole map is global; one that pads nothing counts no padding."""
    if attributes["padding"] == NO_PADDING:
        if attributes["kernel"] == before[:2]:
            return "global_avg_pool", {}
        attributes = attributes | {"count_include_pad": False}
    return "avg_pool", attributes


def averaged(walk: Walk, x: Affine) -> Plain | None:
    """sum(window) / its size -> avg_pool."""
    node = walk.of(x)
    if node.kind != "sum_pool" or x.offset is not None or x.slope is None:
        return None
    if leaves(walk.tape, x.slope.value):
        return None
    before = walk.nodes[node.inputs[0]].shape
    counted = _counts_padding(1 / evaluate(walk.tape, x.slope.value, {}), node, x.axes, before)
    if counted is None:
        return None
    attributes = node.attributes | {"count_include_pad": counted}
    source, attributes = _in_steps(walk, "avg_pool", attributes, node.inputs[0])
    node.inputs = (source,)
    node.kind, node.attributes = _average(attributes, walk.nodes[source].shape)
    if node.kind == "global_avg_pool":
        node.shape = (1, 1, node.shape[-1])
    node.value, node.axes = x.value, x.axes  # it may have been turned before it was divided
    return x.plain


def _counts_padding(
    divisor: np.ndarray, node: Node, axes: Axes, before: tuple[int, ...]
) -> bool | None:
    """Whether a window's sum is divided by its size (True) or by the cells inside (False)."""
    size = prod(node.attributes["kernel"])
    if same(divisor, np.full(divisor.shape, float(size))):
        return True
    counts = inside(np.empty((1, *before)), node.attributes | {"count_include_pad": False})
    if np.ndim(counts) == 0:  # nothing is padded
        return None
    counts, shape = counts[0, :, :, 0], [1] * len(axes)
    for name, length in zip("HW", counts.shape, strict=True):
        if (axis := axis_of(axes, name)) is None:
            return None
        shape[axis] = length
    divisor = divisor.reshape((1,) * (len(shape) - divisor.ndim) + divisor.shape)
    try:
        return False if same(*np.broadcast_arrays(divisor, counts.reshape(shape))) else None
    except ValueError:
        return None


def _non_negative(walk: Walk, index: int) -> bool:
    """Whether a node cannot be negative, so that padding with zero is padding with nothing."""
    node = walk.nodes[index]
    kept = node.has("keeps_sign") and all(_non_negative(walk, i) for i in node.inputs)
    return kept or node.has("non_negative")


@rule("slice")
def every_other_pixel(walk: Walk, op: Step, x: Flow) -> Plain | None:
    """x[::2, ::2] -> max_pool with a window of one pixel; what is before the first is cut."""
    before = walk.shape(x)
    changed = [i for i, (n, m) in enumerate(zip(before, op.shape, strict=True)) if n != m]
    starts, steps = op["start"], op["step"]
    if any(name_of(x.axes[i]) not in ("H", "W") or steps[i] == 1 for i in changed):
        return None
    if any(-((starts[i] - before[i]) // steps[i]) != op.shape[i] for i in changed):
        return None
    start = {name_of(x.axes[i]): starts[i] for i in changed}
    step = {name_of(x.axes[i]): steps[i] for i in changed}
    flow = walk.placed(x)
    axes = resized(flow.axes, op.shape)
    source, times = merging(walk, flow, "max_pool", "stride")
    cut = walk.of(flow).attributes["padding"] if source != flow.node else NO_PADDING
    top, left = (cut[i][0] - start.get(name, 0) * times[i] for i, name in enumerate("HW"))
    height, width = (step.get(name, 1) * times[i] for i, name in enumerate("HW"))
    attributes = {
        "kernel": (1, 1), "stride": (height, width), "padding": ((top, 0), (left, 0)),
    }  # fmt: skip
    return make(walk, "max_pool", attributes, source, axes, op.value)


def merging(walk: Walk, x: Plain, kind: str, attribute: str) -> tuple[int, tuple[int, int]]:
    """Where a step starts that goes on from another of its kind, and by how much that went.

    Every second row and then every second column is one step, as is twice twice as large.
    """
    node = walk.of(x)
    one_cell = node.attributes.get("kernel", (1, 1)) == (1, 1)
    if node.kind != kind or not one_cell or walk.readers[x.value] > 1:
        return x.node, (1, 1)
    return node.inputs[0], node.attributes[attribute]


@rule("adaptive_avg_pool")
def adaptive(walk: Walk, op: Step, x: Flowing) -> Plain:
    """adaptive_avg_pool(x) -> adaptive_avg_pool(x), where no windows of one size would do."""
    flow = walk.placed(x)
    axes = resized(flow.axes, op.shape)
    return walk.node("adaptive_avg_pool", {"size": op["size"]}, (flow.node,), axes, op.value)


@rule("upsample")
def upsample(walk: Walk, op: Step, x: Flowing) -> Plain:
    flow = walk.placed(x)
    return upsampled(walk, flow, tuple(op["factor"]), resized(flow.axes, op.shape), op.value)


def upsampled(walk: Walk, x: Plain, factor: tuple[int, int], axes: Axes, value: int) -> Plain:
    """Every pixel of x, repeated; of what is repeated already, more often."""
    source, before = merging(walk, x, "upsample", "factor")
    attributes = {"factor": (factor[0] * before[0], factor[1] * before[1])}
    return walk.node("upsample", attributes, (source,), axes, value)


@makes("max_pool")
@makes("avg_pool")
def side_by_side(walk: Walk, x: Algebra, layer: Layer) -> Plain:
    axes = resized(walk.of(x.base).axes, walk.shape(x))
    return make(walk, layer.kind, layer.attributes, x.node, axes, x.value)


@makes("upsample")
def repeated(walk: Walk, x: Algebra, layer: Layer) -> Plain:
    axes = resized(walk.of(x.base).axes, walk.shape(x))
    return upsampled(walk, x.base, layer.attributes["factor"], axes, x.value)
