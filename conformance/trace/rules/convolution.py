"""Convolutions and dense layers: kernels, biases, connection tables."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, Axis, name_of, vector_steps
from conformance.graph.model import Node, Parameter
from conformance.graph.towers import in_turn
from conformance.trace.evaluation import LAYOUT
from conformance.trace.meanings import (
    NO_PADDING,
    Affine,
    Algebra,
    Chosen,
    Flowing,
    Padded,
    Padding,
    Plain,
    Step,
    Stored,
    together,
)
from conformance.trace.probes import leaves
from conformance.trace.rule import rule
from conformance.trace.rules.algebra import resolved
from conformance.trace.rules.columns import convolution_of
from conformance.trace.stored import along, array_of, fill, made_in_call, narrow
from conformance.trace.walk import Spelling, Walk


@rule("conv")
def padded(walk: Walk, op: Step, x: Padded, kernel: Stored) -> Plain | None:
    """conv(pad(x)) -> conv(x): a convolution takes in the zeros around what it reads."""
    return convolution(walk, op, x.plain, kernel, around=x.padding) if x.fill == 0 else None


@rule("conv")
def of_some_channels(walk: Walk, op: Step, x: Chosen, kernel: Stored) -> Plain | None:
    """conv(x[channels]) -> conv(x) with a connection table, where some are left out."""
    if len(set(x.channels)) == walk.of(x).shape[-1]:
        return None
    return convolution(walk, op, x.plain, kernel, chosen=x.channels)


@rule("conv")
def of_algebra(walk: Walk, op: Step, x: Algebra, kernel: Stored) -> Plain | Algebra | None:
    """Algebra ends here: its last operation may be a padding.  By constants it goes on."""
    if not any(leaves(walk.tape, kernel.value, name) for name in ("parameter", "random")):
        return Algebra(x.base, op.value)
    found: Plain | None = walk.by_rule(op, [resolved(walk, x), kernel])
    return found


@rule("conv")
def conv(walk: Walk, op: Step, x: Flowing, kernel: Stored) -> Plain | None:
    return convolution(walk, op, walk.placed(x), kernel)


def convolution(
    walk: Walk,
    op: Step,
    x: Plain,
    kernel: Stored,
    around: Padding = NO_PADDING,
    chosen: tuple[int, ...] | None = None,
) -> Plain | None:
    """conv(x, stored kernel) -> conv, its kernel as height x width x inputs x outputs."""
    order = _spatial_order(x.axes, op["lhs"])
    if order is None or (order != [0, 1] and not walk.any("conv")):
        walk.reads_as = walk.reads_as or _letters(x.axes, op["lhs"])
    if order is None or (stored := _kernel(walk, kernel)) is None:
        return None
    parameter, mask, how = stored
    out, into, *spatial = op["rhs"]
    permutation = (*(spatial[i] for i in order), into, out)
    shape = tuple(walk.shape(kernel)[i] for i in permutation)
    height, width = (op["padding"][i] for i in order)
    attributes = {
        "kernel": shape[:2],
        "stride": tuple(op["stride"][i] for i in order),
        "padding": together((height, width), around),
        "dilation": tuple(op["dilation"][i] for i in order),
        "groups": op["groups"],
        "bias": False,
    }
    if how:
        attributes["weights"] = how
    turned = order != [0, 1] and walk.any("conv")
    spelling: Spelling = (("kernel", "width x height", "height x width"),) if turned else ()
    region = None
    if mask is not None or chosen is not None:
        if op["groups"] != 1 or (mask is not None and chosen is not None):
            return None
        if mask is not None:
            table = _table(mask.transpose(permutation))
        else:
            assert chosen is not None
            table = (tuple(sorted(chosen)),) * shape[3]
            region = (*(tuple(range(n)) for n in shape[:2]), chosen, tuple(range(shape[3])))
            shape = (*shape[:2], walk.of(x).shape[-1], shape[3])
        if table is None:
            return None
        attributes["table"] = table
    steps = (*parameter.steps, ("transpose", permutation))
    read = (replace(parameter, steps=steps, region=region),)
    source, attributes = _of_every_other(walk, x.node, attributes)
    return walk.node(
        "conv", attributes, (source,), _axes(op.shape, op["out"], order), op.value,
        {} if how else {"kernel": read}, {} if how else {"kernel": shape}, spelling=spelling,
    )  # fmt: skip


def _of_every_other(
    walk: Walk, source: int, attributes: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """A step in front of a convolution of single pixels is a part of its stride."""
    step = walk.nodes[source]
    alone = {step.attributes.get("kernel"), attributes.get("kernel")} == {(1, 1)}
    padding = {step.attributes.get("padding"), attributes.get("padding")}
    if step.kind != "max_pool" or not alone or padding != {NO_PADDING}:
        return source, attributes
    both = zip(step.attributes["stride"], attributes["stride"], strict=True)
    return step.inputs[0], attributes | {"stride": tuple(a * b for a, b in both)}


def _spatial_order(axes: Axes, spec: tuple[int, ...]) -> list[int] | None:
    """Which of an operation's two spatial axes is the height and which the width."""
    batch, channel, *spatial = spec
    names = [name_of(axes[axis], name) for axis, name in zip(spatial, "HW", strict=True)]
    if name_of(axes[batch], "N") != "N" and len(axes[batch]) > 1:
        return None  # rows, or maps, are images of their own
    if name_of(axes[channel], "C") != "C" or sorted(names) != ["H", "W"]:
        return None
    return [names.index("H"), names.index("W")]


def _letters(axes: Axes, spec: tuple[int, ...]) -> dict[str, str]:
    """For each axis of a map the one that a convolution takes it for."""
    read = {name_of(axes[axis]): letter for axis, letter in zip(spec[1:], "CHW", strict=True)}
    return read if sorted(read) == ["C", "H", "W"] else {}


def _table(used: np.ndarray) -> tuple[tuple[int, ...], ...] | None:
    """For each map, the maps that a masked kernel connects it with."""
    if not (used == used[:1, :1]).all():
        return None
    return tuple(tuple(map(int, np.flatnonzero(column))) for column in used[0, 0].T)


def _axes(shape: tuple[int, ...], spec: tuple[int, ...], order: list[int]) -> Axes:
    batch, channel, *spatial = spec
    result: list[Axis] = [()] * len(shape)
    result[batch] = (("N", shape[batch]),)
    result[channel] = (("C", shape[channel]),)
    for name, i in zip("HW", order, strict=True):
        result[spatial[i]] = ((name, shape[spatial[i]]),)
    return tuple(result)


@rule("dot")
def dense(walk: Walk, op: Step, x: Flowing, kernel: Stored) -> Plain | None:
    """x · kernel -> dense; on every pixel of a map it is a 1x1 convolution."""
    along, into = op["contract"]
    return _dot(walk, op, x, kernel, along, into, last=True)


@rule("dot")
def dense_from_the_left(walk: Walk, op: Step, kernel: Stored, x: Flowing) -> Plain | None:
    """kernel · x -> dense."""
    into, along = op["contract"]
    return _dot(walk, op, x, kernel, along, into, last=False)


@rule("conv")
@rule("dot", commutes=True)
def by_computed_weights(walk: Walk, op: Step, x: Flowing, kernel: Stored) -> Plain | None:
    """A kernel that is no stored array in some layout, but made of some, or drawn."""
    some = any(leaves(walk.tape, kernel.value, name) for name in ("parameter", "random"))
    if isinstance(x, Algebra) and not some:
        return None  # a step of it, such as the sum of neighbours that an LRN divides by
    made = some and not array_of(walk.tape, kernel.value) and not _moved(walk, kernel.value)
    return walk.opaque(op.value, [walk.placed(x)], "weights" if made else "")


def _moved(walk: Walk, value: int) -> bool:
    """Whether a value is a part of one stored array, and no number of it is computed."""
    while (op := walk.tape[value]).name in LAYOUT | {"slice", "take"}:
        (value,) = op.inputs
    return op.name == "parameter"


def _kernel(walk: Walk, kernel: Stored) -> tuple[Parameter, np.ndarray | None, str] | None:
    """The stored array that a kernel is, a mask on it, and how it comes about if it is none."""
    if stored := array_of(walk.tape, kernel.value):
        return *stored, ""
    how = made_in_call(walk.tape, kernel.value)
    return (Parameter("", walk.shape(kernel)), None, how) if how else None


def _dot(
    walk: Walk, op: Step, x: Flowing, kernel: Stored, along: int, into: int, last: bool
) -> Plain | None:
    if isinstance(x, Algebra) and (found := convolution_of(walk, op, x, kernel, along, into, last)):
        return found
    if (stored := _kernel(walk, kernel)) is None:
        return None
    flow, (parameter, mask, how) = walk.placed(x), stored
    if mask is not None or len(walk.shape(kernel)) != 2:
        return None
    contracted = flow.axes[along]
    kept = [axis for i, axis in enumerate(flow.axes) if i != along]
    inputs = prod(size for _, size in contracted)
    outputs = walk.shape(kernel)[1 - into]
    if how and (side := name_of(contracted)) in ("H", "W"):  # such as JAX's image.resize
        left: Axis = ((side, outputs),)
        axes = (*kept, left) if last else (left, *kept)
        return walk.node("unknown:resize", {}, (flow.node,), axes, op.value)
    steps = (*parameter.steps, ("transpose", (into, 1 - into)))
    if order := vector_steps(contracted):
        sizes = order[0][1]
        steps += (
            ("reshape", (*sizes, outputs)),
            ("transpose", (*order[1][1], len(sizes))),
            ("reshape", (inputs, outputs)),
        )
    made: Axis = (("C", outputs),)
    axes = (*kept, made) if last else (made, *kept)
    attributes: dict[str, Any] = {"bias": False}
    shape: tuple[int, ...] = (inputs, outputs)
    if on_a_map := any(name != "N" and size != 1 for axis in kept for name, size in axis):
        if [name for name, _ in contracted] != ["C"]:
            return None
        shape = (1, 1, *shape)
        steps = (*steps, ("reshape", shape))
        attributes = {
            "kernel": (1, 1), "stride": (1, 1), "padding": NO_PADDING, "dilation": (1, 1),
            "groups": 1, "bias": False,
        }  # fmt: skip
    if how:
        attributes["weights"] = how
    source, attributes = _of_every_other(walk, flow.node, attributes)
    return walk.node(
        "conv" if on_a_map else "dense", attributes, (source,), axes, op.value,
        {} if how else {"kernel": (replace(parameter, steps=steps),)},
        {} if how else {"kernel": shape},
    )  # fmt: skip


def biased(walk: Walk, x: Plain | Affine, b: Stored, value: int) -> Plain | None:
    """conv(x) + b -> conv(x, b), where nothing else reads conv(x); dense layers alike."""
    node = walk.of(x)
    if not isinstance(x, Plain) or node.kind not in ("conv", "dense") or node.attributes["bias"]:
        return None
    source, shape = narrow(walk.tape, b)
    if walk.readers[x.value] > 1 or (stored := array_of(walk.tape, source)) is None:
        return None
    length = node.shape[-1]
    if prod(shape) != length or stored[1] is not None:
        return None
    try:
        along(x.axes, np.arange(length).reshape(shape))
    except ValueError:
        return None
    give_bias(node, stored[0])
    node.value, node.axes = value, x.axes
    return Plain(x.node, x.axes, value)


def give_bias(node: Node, parameter: Parameter) -> None:
    """Make a stored vector the bias of a convolution or dense layer."""
    fill(node, "bias", parameter, (("C", node.shape[-1]),))
    node.attributes["bias"] = True


@rule("concat")
def in_groups(walk: Walk, op: Step, *parts: Flowing) -> Plain | None:
    """concat(conv(x[some], W[some]), conv(x[others], W[others])) -> conv(x, W) in groups."""
    made = [Step.of(part.value, walk.tape[part.value]) for part in parts]
    first = made[0]
    given = [{**each.attributes, "name": each.name} for each in made]
    if first.name != "conv" or first["groups"] != 1 or any(each != given[0] for each in given):
        return None
    x, kernel = (_joined(walk, [each.inputs[i] for each in made], first, i) for i in (0, 1))
    if x is None or kernel is None or op["axis"] != first["out"][1]:
        return None
    source, stored = walk.means[x], walk.means[kernel]
    if not isinstance(source, Flowing) or not isinstance(stored, Stored):
        return None
    attributes = first.attributes | {"groups": len(parts)}
    whole = replace(op, name="conv", inputs=(x, kernel), attributes=attributes)
    return convolution(walk, whole, walk.placed(source), stored)


def _joined(walk: Walk, values: list[int], conv: Step, operand: int) -> int | None:
    """The value that these are all of, each the next slice: of channels, of outputs of a kernel."""
    axis = conv["rhs"][0] if operand else conv["lhs"][1]
    slices = [walk.tape[value] for value in values]
    if len({(each.name, each.inputs) for each in slices}) != 1 or slices[0].name != "slice":
        return None
    (source,) = slices[0].inputs
    left, start = walk.tape[source].shape, 0
    for each in slices:
        begins, steps = each.attributes["start"], each.attributes["step"]
        if begins[axis] != start or set(steps) != {1} or sum(begins) != start:
            return None
        start += each.shape[axis]
    others = {(*each.shape[:axis], *each.shape[axis + 1 :]) for each in slices}
    alone = others == {(*left[:axis], *left[axis + 1 :])} and len({s.shape for s in slices}) == 1
    return source if alone and start == left[axis] else None


def side_by_side(
    walk: Walk, parts: tuple[Flowing, ...], flows: list[Plain], axes: Axes, value: int
) -> Plain | None:
    """concat(conv(x[some]), conv(x[others]), …) -> conv(x) with a table, or later in groups."""
    nodes = [walk.of(flow) for flow in flows]
    first = nodes[0]
    if not all(n.kind == "conv" for n in nodes) or not any("table" in n.attributes for n in nodes):
        return None
    alike = [
        {k: v for k, v in n.attributes.items() if k != "table"} | {"inputs": n.inputs}
        for n in nodes
    ]
    if any(a != alike[0] for a in alike) or any(walk.readers[x.value] != 1 for x in parts):
        return None
    if in_turn(nodes, walk.nodes[first.inputs[0]].shape[-1]):
        return None  # towers
    inputs = walk.nodes[first.inputs[0]].shape[-1]
    table: list[tuple[int, ...]] = []
    parameters: dict[str, tuple[Parameter, ...]] = {slot: () for slot in first.parameters}
    for node in nodes:
        width = node.shape[-1]
        maps = node.attributes.get("table", (tuple(range(inputs)),) * width)
        whole = (*(tuple(range(n)) for n in node.slots["kernel"][:2]), maps[0], tuple(range(width)))
        for slot, pieces in node.parameters.items():
            for piece in pieces:
                *before, out = piece.region or whole[0 if slot == "kernel" else 3 :]
                region = (*before, tuple(len(table) + i for i in out))
                parameters[slot] += (replace(piece, region=region),)
        table.extend(maps)
    slots: dict[str, tuple[int, ...]] = {"kernel": (*first.slots["kernel"][:2], inputs, len(table))}
    if "bias" in first.slots:
        slots["bias"] = (len(table),)
    attributes = first.attributes | {"table": tuple(table)}
    return walk.node("conv", attributes, first.inputs, axes, value, parameters, slots, first.where)
