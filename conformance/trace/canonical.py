"""From a tape to the neutral graph: one walk, in which every value of the tape gets a meaning.

A value is either *side* (made of parameters and constants only), a *flow* (a node's result,
perhaps with an affine map, a padding or a choice of channels still to be placed), or *local*
(algebra of one node's result that no single primitive names, such as a hand-written LRN).
Pending things are placed when the next operation needs them, by which time it is known what
they are: a padding becomes part of a convolution, an affine map a bias or a batch norm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from conformance.trace import recognise
from conformance.trace.axes import (
    Axes,
    axis_of,
    named,
    reshaped,
    shape_of,
    spatial_order,
    transposed,
    vector_steps,
)
from conformance.trace.graph import Graph, Node, Parameter, Where
from conformance.trace.tape import BINARY, LAYOUT, UNARY, Operation, Tape, evaluate, window

Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))

#: Operations other than algebra and layout that may be steps of something with a name.
_ALGEBRA = frozenset({"window", "reduce", "pad", "slice", "concat", "select", "take"})

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


@dataclass(frozen=True, slots=True)
class Flow:
    """A node's result, with at most one thing still to be placed."""

    node: int
    axes: Axes
    value: int
    slope: int | None = None
    offset: int | None = None
    padding: Padding = NO_PADDING
    fill: float = 0.0
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


def canonical(tape: Tape) -> Graph:
    """The neutral graph of what the tape computes; unreachable operations are left out."""
    return _Walk(tape).graph()


class _Walk:
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

    def graph(self) -> Graph:
        for value in range(self.length):
            self.meaning[value] = self._meaning(value, self.tape[value])
        outputs = [self._place(value).node for value in self.outputs]
        self._follow_statistics()
        return _reachable(self.nodes, tuple(outputs))

    # What an operation means -----------------------------------------------------------------

    def _meaning(self, value: int, op: Operation) -> Flow | Local | None:
        if op.name == "input":
            axes = named(op.shape, op.attributes["axes"])
            return self._node("input", {}, (), axes, value)
        flowing = [i for i in op.inputs if i >= 0 and self.meaning[i] is not None]
        if not flowing:
            return None
        handler = getattr(self, f"_on_{op.name}", None)
        result = None
        if handler is not None and not op.attributes.get("unknown"):
            result = handler(value, op)
        return result or self._local(value, op, flowing) or self._unknown(value, op, flowing)

    def _on_conv(self, value: int, op: Operation) -> Flow | None:
        source, kernel = op.inputs[:2]
        flow = self.meaning[source]
        stored = self._stored(kernel) if self.meaning[kernel] is None else None
        if flow is None or stored is None:
            return None
        if isinstance(flow, Local) or flow.slope or flow.offset or flow.fill:
            flow = self._place(source)
        a = op.attributes
        batch, channel, *spatial = a["lhs"]
        names = [_name(flow.axes[axis], default) for axis, default in zip(spatial, "HW", strict=True)]
        if _name(flow.axes[channel], "C") != "C" or sorted(names) != ["H", "W"]:
            return None
        order = [names.index("H"), names.index("W")]
        pads = [a["padding"][i] for i in order]
        padding = tuple(
            (p[0] + q[0], p[1] + q[1]) for p, q in zip(pads, flow.padding, strict=True)
        )
        out, into, *kernel_spatial = a["rhs"]
        permutation = (*(kernel_spatial[i] for i in order), into, out)
        parameter, mask = stored
        steps = (*parameter.steps, ("transpose", permutation))
        shape = tuple(self.tape[kernel].shape[i] for i in permutation)
        groups = a["groups"]
        attributes = {
            "kernel": shape[:2],
            "stride": tuple(a["stride"][i] for i in order),
            "padding": padding,
            "dilation": tuple(a["dilation"][i] for i in order),
            "groups": groups,
            "bias": False,
        }
        region = None
        if mask is not None:
            used = mask.transpose(permutation)
            if not (used == used[:1, :1]).all() or groups != 1:
                return None
            table = tuple(tuple(map(int, np.flatnonzero(used[0, 0, :, o]))) for o in range(shape[3]))
            attributes["table"] = table
        if flow.channels is not None:
            if mask is not None or groups != 1:
                return None
            attributes["table"] = (tuple(sorted(flow.channels)),) * shape[3]
            region = (*map(_all, shape[:2]), flow.channels, _all(shape[3]))
            shape = (*shape[:2], _channels(self.nodes[flow.node].shape), shape[3])
        parameters = {"kernel": (replace(parameter, steps=steps, region=region),)}
        axes = self._axes(op.shape, a["out"], order)
        return self._node(
            "conv", attributes, (flow.node,), axes, value, parameters, {"kernel": shape}
        )

    def _on_dot(self, value: int, op: Operation) -> Flow | None:
        left, right = op.inputs
        on_left, on_right = op.attributes["contract"]
        if self.meaning[left] is None:
            left, right, on_left, on_right = right, left, on_right, on_left
        if self.meaning[right] is not None or (stored := self._stored(right)) is None:
            return None
        flow = self._place(left)
        parameter, mask = stored
        kept = [axis for i, axis in enumerate(flow.axes) if i != on_left]
        if mask is not None or len(self.tape[right].shape) != 2:
            return None
        contracted = flow.axes[on_left]
        inputs, outputs = prod(size for _, size in contracted), self.tape[right].shape[1 - on_right]
        steps = (*parameter.steps, ("transpose", (on_right, 1 - on_right)))
        if order := vector_steps(contracted):
            sizes = order[0][1]
            steps += (
                ("reshape", (*sizes, outputs)),
                ("transpose", (*order[1][1], len(sizes))),
                ("reshape", (inputs, outputs)),
            )
        out_axis = len(kept) if op.inputs[0] == left else 0
        out_axes = [*kept]
        out_axes.insert(out_axis, (("C", outputs),))
        if all(name == "N" or size == 1 for axis in kept for name, size in axis):
            parameters = {"kernel": (replace(parameter, steps=steps),)}
            return self._node(
                "dense", {"bias": False}, (flow.node,), tuple(out_axes), value, parameters,
                {"kernel": (inputs, outputs)},
            )  # fmt: skip
        if [name for name, _ in contracted] != ["C"]:
            return None
        # A dense layer on every pixel is a 1x1 convolution.
        parameters = {
            "kernel": (replace(parameter, steps=(*steps, ("reshape", (1, 1, inputs, outputs)))),)
        }
        attributes = {
            "kernel": (1, 1), "stride": (1, 1), "padding": NO_PADDING, "dilation": (1, 1),
            "groups": 1, "bias": False,
        }  # fmt: skip
        slots = {"kernel": (1, 1, inputs, outputs)}
        axes = tuple(out_axes)
        return self._node("conv", attributes, (flow.node,), axes, value, parameters, slots)

    def _on_window(self, value: int, op: Operation) -> Flow | None:
        flow = self.meaning[op.inputs[0]]
        a = op.attributes
        if flow is None or isinstance(flow, Local) and not self._recognised(op.inputs[0]):
            return None
        if isinstance(flow, Local) or flow.slope or flow.offset or flow.channels:
            flow = self._place(op.inputs[0])
        spatial = {}
        for axis, (size, stride, pad) in enumerate(
            zip(a["size"], a["stride"], a["padding"], strict=True)
        ):
            name = _name(flow.axes[axis], "")
            if name in ("H", "W"):
                spatial[name] = (size, stride, tuple(pad))
            elif (size, stride, tuple(pad)) != (1, 1, (0, 0)):
                return None
        if a["reduce"] not in ("max", "sum", "mean") or not spatial:
            return None
        trivial = (1, 1, (0, 0))
        (kh, sh, ph), (kw, sw, pw) = spatial.get("H", trivial), spatial.get("W", trivial)
        padding: Any = (ph, pw)
        include = bool(a.get("count_padding", True))
        if flow.padding != NO_PADDING:
            neutral = flow.fill == -np.inf or (flow.fill == 0 and self._non_negative(flow.node))
            zero = flow.fill == 0 and padding == NO_PADDING
            if not (neutral if a["reduce"] == "max" else zero):
                flow = self._place(op.inputs[0])
            else:
                padding = tuple(
                    (p[0] + q[0], p[1] + q[1]) for p, q in zip(padding, flow.padding, strict=True)
                )
                include = True
        attributes: dict[str, Any] = {"kernel": (kh, kw), "stride": (sh, sw), "padding": padding}
        kind = {"max": "max_pool", "sum": "sum_pool", "mean": "avg_pool"}[a["reduce"]]
        if kind == "avg_pool":
            attributes["count_include_pad"] = include
        axes = _resized(flow.axes, op.shape)
        return self._pool(kind, attributes, flow.node, axes, value)

    def _on_reduce(self, value: int, op: Operation) -> Flow | None:
        a = op.attributes
        source = self.meaning[op.inputs[0]]
        flow: Flow | None
        if isinstance(source, Local):
            # A sum over batch or channels is a step of some algebra; one over the map, a pooling.
            axes = source.base.axes
            inside = len(axes) == len(self.tape[op.inputs[0]].shape) and all(
                name in "HW" for axis in a["axes"] for name, _ in axes[axis]
            )
            flow = self._recognised(op.inputs[0], final=inside)
            if flow is None:
                return None
        else:
            flow = self._place(op.inputs[0])
        reduced = [atom for axis in a["axes"] for atom in flow.axes[axis]]
        if a["reduce"] == "min" or any(name not in "HW" for name, _ in reduced):
            return None
        axes = tuple(
            () if i in a["axes"] else axis
            for i, axis in enumerate(flow.axes)
            if a["keep"] or i not in a["axes"]
        )
        sizes = dict(reduced)
        kernel = (sizes.get("H", 1), sizes.get("W", 1))
        attributes: dict[str, Any] = {"kernel": kernel, "stride": kernel, "padding": NO_PADDING}
        kind = {"max": "max_pool", "sum": "sum_pool", "mean": "avg_pool"}[a["reduce"]]
        if kind == "avg_pool":
            attributes["count_include_pad"] = True
        return self._pool(kind, attributes, flow.node, axes, value)

    def _pool(
        self, kind: str, attributes: dict[str, Any], source: int, axes: Axes, value: int
    ) -> Flow:
        """A pooling node; what covers the whole map is global, what divides by one is nothing."""
        flow = self._node(kind, attributes, (source,), axes, value)
        node, before = self.nodes[flow.node], self.nodes[source].shape
        whole = attributes["kernel"] == tuple(before[:2]) and attributes["padding"] == NO_PADDING
        if kind != "sum_pool" and whole:
            attributes["stride"] = attributes["kernel"]
        if kind == "avg_pool":
            node.kind, node.attributes = _average(attributes, before)
        if whole:
            node.shape = (1, 1, _channels(before))
        return flow

    def _on_batch_norm(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        slots = dict(zip(("gamma", "beta", "mean", "variance"), op.inputs[1:], strict=True))
        attributes = {"epsilon": op.attributes["epsilon"]}
        if "momentum" in op.attributes:
            attributes |= _in_training(op.attributes["momentum"], op.attributes["unbiased"])
        return self._normalisation(
            flow, attributes, {s: v for s, v in slots.items() if v >= 0}, value
        )

    def _on_upsample(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        axes = _resized(flow.axes, op.shape)
        attributes = {"factor": tuple(op.attributes["factor"])}
        return self._node("upsample", attributes, (flow.node,), axes, value)

    def _on_dropout(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        attributes = {"rate": op.attributes["rate"]}
        return self._node("dropout", attributes, (flow.node,), flow.axes, value)

    def _on_lrn(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        if _name(flow.axes[op.attributes["axis"]], "") != "C":
            return None
        attributes = {name: op.attributes[name] for name in ("n", "k", "alpha", "beta")}
        return self._node("lrn", attributes, (flow.node,), flow.axes, value)

    def _on_softmax(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        axis = op.attributes["axis"] % len(flow.axes)
        if _name(flow.axes[axis], "C") != "C":
            return None
        return self._node("softmax", {}, (flow.node,), flow.axes, value)

    def _activation(self, value: int, op: Operation) -> Flow | None:
        if isinstance(self.meaning[op.inputs[0]], Local) and not self._recognised(op.inputs[0]):
            return None
        flow = self._place(op.inputs[0])
        return self._node(ACTIVATIONS[op.name], {}, (flow.node,), flow.axes, value)

    _on_relu = _on_tanh = _on_logistic = _activation

    def _on_max(self, value: int, op: Operation) -> Flow | None:
        flowing, side = self._split(op)
        if len(flowing) == 1 and self._constant(side[0]) == 0.0:
            relu = Operation("relu", (flowing[0],), op.shape, {}, op.where)
            return self._activation(value, relu)
        return None

    def _on_add(self, value: int, op: Operation) -> Flow | None:
        flowing, side = self._split(op)
        if len(flowing) == 1:
            flow = self._affine_base(flowing[0], side[0])
            if flow is None:
                return None
            if biased := self._bias(flow, side[0], value):
                return biased
            offset = side[0] if flow.offset is None else self._side("add", flow.offset, side[0])
            whole = replace(flow, offset=offset, value=value)
            if self._stored(side[0]) and flow.slope and recognise.leaves(self.tape, flow.slope):
                # The parameter that is added last completes a normalisation or a subsampling.
                return self._place_affine(whole) or whole
            return whole
        left, right = flowing
        if self._share_base(left, right):
            return None
        a, b = self._place(left), self._place(right)
        if self.nodes[a.node].shape != self.nodes[b.node].shape:
            return None
        return self._node("add", {}, (a.node, b.node), a.axes, value)

    def _on_sub(self, value: int, op: Operation) -> Flow | None:
        left, right = op.inputs
        if self.meaning[left] is not None and self.meaning[right] is None:
            flow = self._affine_base(left, right)
            if flow is None:
                return None
            offset = (
                self._side("neg", right)
                if flow.offset is None
                else self._side("sub", flow.offset, right)
            )
            return replace(flow, offset=offset, value=value)
        if self.meaning[left] is None:
            flow = self._affine_base(right, left)
            if flow is None:
                return None
            minus = self._side("neg", self._slope(flow))
            offset = left if flow.offset is None else self._side("sub", left, flow.offset)
            return replace(flow, slope=minus, offset=offset, value=value)
        return None

    def _on_neg(self, value: int, op: Operation) -> Flow | None:
        return self._scaled(op.inputs[0], "mul", self._number(-1.0), value)

    def _on_mul(self, value: int, op: Operation) -> Flow | None:
        flowing, side = self._split(op)
        return self._scaled(flowing[0], "mul", side[0], value) if side else None

    def _on_div(self, value: int, op: Operation) -> Flow | None:
        if self.meaning[op.inputs[1]] is not None:
            return None
        return self._scaled(op.inputs[0], "div", op.inputs[1], value)

    def _scaled(self, source: int, how: str, by: int, value: int) -> Flow | None:
        flow = self._affine_base(source, by)
        if flow is None:
            return None
        offset = None if flow.offset is None else self._side(how, flow.offset, by)
        return replace(
            flow, slope=self._side(how, self._slope(flow), by), offset=offset, value=value
        )

    def _on_reshape(self, value: int, op: Operation) -> Flow | None:
        flow = self._relayout(op.inputs[0])
        axes = flow and reshaped(flow.axes, op.shape)
        if flow is None or axes is None:
            return None
        merged = next((a for a in axes if len([x for x in a if x[0] != "N"]) > 1), None)
        if merged and merged not in flow.axes:
            attributes = {"order": spatial_order(merged)}
            return self._node("flatten", attributes, (flow.node,), axes, value)
        return replace(flow, axes=axes, value=value)

    def _on_transpose(self, value: int, op: Operation) -> Flow | None:
        flow = self._relayout(op.inputs[0])
        if flow is None:
            return None
        return replace(flow, axes=transposed(flow.axes, op.attributes["axes"]), value=value)

    def _on_broadcast(self, value: int, op: Operation) -> Flow | None:
        if prod(op.shape) != prod(self.tape[op.inputs[0]].shape):
            return None
        return self._on_reshape(value, op)

    def _on_concat(self, value: int, op: Operation) -> Flow | None:
        axis = op.attributes["axis"] % len(op.shape)
        if any(self.meaning[i] is None for i in op.inputs):
            return self._zeros_beside(value, op, axis)
        flows = [self._place(i) for i in op.inputs]
        if any(_name(flow.axes[axis], "C") != "C" for flow in flows):
            return None
        axes = tuple(
            (("C", op.shape[axis]),) if i == axis else a for i, a in enumerate(flows[0].axes)
        )
        if len(flows) == 1:
            return replace(flows[0], value=value)
        if merged := self._split_convolution(op.inputs, flows, axes, value):
            return merged
        return self._node("concat", {}, tuple(flow.node for flow in flows), axes, value)

    def _zeros_beside(self, value: int, op: Operation, axis: int) -> Flow | None:
        """Channels of zeros put beside a result are a padding of its channels."""
        flowing, side = self._split(op)
        if len(flowing) != 1 or any(self._constant(i) != 0.0 for i in side):
            return None
        at = op.inputs.index(flowing[0])
        widths = [self.tape[i].shape[axis] for i in op.inputs]
        padding = [(0, 0)] * len(op.shape)
        padding[axis] = (sum(widths[:at]), sum(widths[at + 1 :]))
        attributes = {"padding": tuple(padding), "value": 0.0}
        return self._on_pad(value, Operation("pad", (flowing[0],), op.shape, attributes, op.where))

    def _on_pad(self, value: int, op: Operation) -> Flow | None:
        flow = self.meaning[op.inputs[0]]
        if isinstance(flow, Local) or flow is None:
            return None
        if not flow.plain:
            flow = self._place(op.inputs[0])
        padding: dict[str, tuple[int, ...]] = {}
        for axis, pad in zip(flow.axes, op.attributes["padding"], strict=True):
            name = _name(axis, "")
            if name in ("H", "W", "C"):
                padding[name] = tuple(int(p) for p in pad)
            elif tuple(pad) != (0, 0):
                return None
        axes = tuple(
            tuple((n, op.shape[i]) for n, _ in axis) if _name(axis, "") in ("H", "W", "C") else axis
            for i, axis in enumerate(flow.axes)
        )
        both: Any = (padding.get("H", (0, 0)), padding.get("W", (0, 0)))
        fill = float(op.attributes["value"])
        if channels := padding.get("C", (0, 0)) != (0, 0) and padding["C"]:
            flow = self._place(op.inputs[0])
            attributes = {"padding": both, "channels": channels, "value": fill}
            return self._node("pad", attributes, (flow.node,), axes, value)
        return replace(flow, padding=both, fill=fill, axes=axes, value=value)

    def _on_slice(self, value: int, op: Operation) -> Flow | None:
        a, before = op.attributes, self.tape[op.inputs[0]].shape
        if op.shape == before:
            return replace(self._place(op.inputs[0]), value=value)
        changed = [i for i, (n, m) in enumerate(zip(before, op.shape, strict=True)) if n != m]
        flow = self.meaning[op.inputs[0]]
        if not isinstance(flow, Flow):
            return None
        if len(changed) == 1 and _name(flow.axes[changed[0]], "") == "C":
            axis = changed[0]
            chosen = range(a["start"][axis], a["stop"][axis], a["step"][axis])
            return self._choose(op, axis, tuple(chosen), value)
        if any(_name(flow.axes[i], "") not in ("H", "W") or a["start"][i] for i in changed):
            return None
        # Every s-th pixel from the first one on is pooling with a window of one pixel.
        strides = {_name(flow.axes[i], ""): a["step"][i] for i in changed}
        if any(-(-before[i] // a["step"][i]) != op.shape[i] for i in changed):
            return None
        flow = self._place(op.inputs[0])
        axes = tuple(
            tuple((n, op.shape[i]) for n, _ in axis) if i in changed else axis
            for i, axis in enumerate(flow.axes)
        )
        stride = (strides.get("H", 1), strides.get("W", 1))
        attributes = {"kernel": (1, 1), "stride": stride, "padding": NO_PADDING}
        return self._pool("max_pool", attributes, flow.node, axes, value)

    def _on_take(self, value: int, op: Operation) -> Flow | None:
        flow = self.meaning[op.inputs[0]]
        axis = op.attributes["axis"]
        if not isinstance(flow, Flow) or _name(flow.axes[axis], "") != "C":
            return None
        chosen = tuple(int(i) for i in np.ravel(op.attributes["indices"]))
        return self._choose(op, axis, chosen, value)

    # Pieces that several operations need ------------------------------------------------------

    def _choose(self, op: Operation, axis: int, chosen: tuple[int, ...], value: int) -> Flow:
        flow = self._place(op.inputs[0])
        axes = tuple((("C", len(chosen)),) if i == axis else a for i, a in enumerate(flow.axes))
        if chosen == tuple(range(_channels(self.nodes[flow.node].shape))):
            return replace(flow, value=value)
        return replace(flow, axes=axes, value=value, channels=chosen)

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

    def _relayout(self, source: int) -> Flow | None:
        flow = self.meaning[source]
        if isinstance(flow, Local) and self._recognised(source) is None:
            return None
        return self._place(source)

    def _affine_base(self, source: int, side: int) -> Flow | None:
        """The flow that an affine map by ``side`` may be hung on, or None."""
        flow = self.meaning[source]
        if recognise.leaves(self.tape, side, "random"):
            return None
        if isinstance(flow, Local):
            flow = self._recognised(source, final=False)
        if flow is None:
            return None
        if flow.padding != NO_PADDING or flow.channels is not None:
            flow = self._place(source)
        if np.broadcast_shapes(self.tape[source].shape, self.tape[side].shape) != (
            self.tape[source].shape
        ):
            return None
        if self.readers[source] > 1 or source in self.outputs:
            flow = self._place(source)
        return flow

    def _share_base(self, left: int, right: int) -> bool:
        a, b = self.meaning[left], self.meaning[right]
        if not isinstance(a, Local) and not isinstance(b, Local):
            return left == right
        base_a = a.base if isinstance(a, Local) else a
        base_b = b.base if isinstance(b, Local) else b
        return base_a is not None and base_b is not None and base_a.node == base_b.node

    def _bias(self, flow: Flow, side: int, value: int) -> Flow | None:
        """A parameter added to a convolution or dense result that nothing else reads."""
        node = self.nodes[flow.node]
        if not flow.plain or node.kind not in ("conv", "dense") or node.attributes["bias"]:
            return None
        if self.readers[flow.value] > 1 or (stored := self._stored(side)) is None:
            return None
        length = _channels(node.shape)
        if prod(self.tape[side].shape) != length or stored[1] is not None:
            return None
        try:
            self._vector(flow.axes, np.zeros(self.tape[side].shape) + self._ramp(side))
        except ValueError:
            return None
        self._slot(node, "bias", stored[0], ((("C", length),)))
        node.attributes["bias"] = True
        node.value = value
        return replace(flow, value=value)

    def _ramp(self, value: int) -> np.ndarray:
        shape = self.tape[value].shape
        return np.arange(prod(shape), dtype=float).reshape(shape)

    def _vector(self, axes: Axes, array: np.ndarray) -> np.ndarray:
        """One value a channel, or one value, from an array that broadcasts against ``axes``."""
        array = array.reshape((1,) * (len(axes) - array.ndim) + array.shape)
        channel = axis_of(axes, "C")
        first = array[tuple(slice(None) if i == channel else slice(0, 1) for i in range(array.ndim))]
        if not (array == first).all():
            raise ValueError("varies over the image")
        return np.ravel(first)

    def _slot(self, node: Node, slot: str, parameter: Parameter, axis: Any) -> None:
        length = prod(size for _, size in axis)
        steps = (*parameter.steps, ("reshape", (length,)), *vector_steps(axis))
        node.parameters[slot] = (replace(parameter, steps=steps),)
        node.slots[slot] = (length,)

    def _normalisation(
        self, flow: Flow, attributes: dict[str, Any], slots: dict[str, int], value: int
    ) -> Flow | None:
        channel = axis_of(flow.axes, "C")
        stored = {slot: self._stored(v) for slot, v in slots.items()}
        if channel is None or any(s is None or s[1] is not None for s in stored.values()):
            return None
        result = self._node("batch_norm", attributes, (flow.node,), flow.axes, value)
        for slot, found in stored.items():
            assert found is not None
            self._slot(self.nodes[result.node], slot, found[0], flow.axes[channel])
        return result

    def _stored(self, value: int) -> tuple[Parameter, np.ndarray | None] | None:
        """The one stored array that a side value is a layout of, and a mask of zeros and ones."""
        op = self.tape[value]
        if op.name == "parameter":
            return Parameter(op.attributes["handle"], op.shape), None
        if op.name == "mul":
            for kept, other in (op.inputs, op.inputs[::-1]):
                if recognise.leaves(self.tape, other):
                    continue
                found, mask = self._stored(kept), evaluate(self.tape, other, {})
                if found is None or found[1] is not None or self.tape[kept].shape != op.shape:
                    continue
                if np.isin(mask, (0, 1)).all():
                    return found[0], np.broadcast_to(mask, op.shape)
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

    def _split_convolution(
        self, inputs: tuple[int, ...], flows: list[Flow], axes: Axes, value: int
    ) -> Flow | None:
        """Convolutions of chosen channels side by side are one with a connection table."""
        nodes = [self.nodes[flow.node] for flow in flows]
        first = nodes[0]
        if not all(n.kind == "conv" for n in nodes) or not any("table" in n.attributes for n in nodes):
            return None
        alike = [
            {k: v for k, v in n.attributes.items() if k != "table"} | {"inputs": n.inputs}
            for n in nodes
        ]
        if any(a != alike[0] for a in alike) or any(self.readers[i] != 1 for i in inputs):
            return None
        channels = _channels(self.nodes[first.inputs[0]].shape)
        table: list[tuple[int, ...]] = []
        parameters: dict[str, tuple[Parameter, ...]] = {slot: () for slot in first.parameters}
        for node in nodes:
            width = _channels(node.shape)
            maps = node.attributes.get("table", (_all(channels),) * width)
            out = tuple(range(len(table), len(table) + width))
            for slot, (parameter,) in node.parameters.items():
                into = parameter.region[2] if parameter.region else maps[0]
                region = (*map(_all, node.slots["kernel"][:2]), into, out)
                region = region if slot == "kernel" else (out,)
                parameters[slot] += (replace(parameter, region=region),)
            table.extend(maps)
        attributes = first.attributes | {"table": tuple(table)}
        slots = {"kernel": (*first.slots["kernel"][:2], channels, len(table))}
        if "bias" in first.slots:
            slots["bias"] = (len(table),)
        return self._node("conv", attributes, first.inputs, axes, value, parameters, slots, first.where)

    def _non_negative(self, index: int) -> bool:
        """Whether a node cannot be negative, so that padding with zero is padding with nothing."""
        node = self.nodes[index]
        if node.kind in ("relu", "sigmoid", "softmax"):
            return True
        if node.kind in ("max_pool", "avg_pool", "concat", "lrn", "global_avg_pool", "flatten"):
            return all(self._non_negative(i) for i in node.inputs)
        return False

    def _axes(self, shape: tuple[int, ...], spec: tuple[int, ...], order: list[int]) -> Axes:
        batch, channel, *spatial = spec
        result: list[Any] = [()] * len(shape)
        result[batch] = (("N", shape[batch]),)
        result[channel] = (("C", shape[channel]),)
        for name, i in zip("HW", order, strict=True):
            result[spatial[i]] = ((name, shape[spatial[i]]),)
        return tuple(result)

    # Placing what is pending ------------------------------------------------------------------

    def _place(self, value: int) -> Flow:
        """The plain flow of a value: everything that was pending has become nodes."""
        if value in self.placed:
            return self.placed[value]
        meaning = self.meaning[value]
        assert meaning is not None
        if isinstance(meaning, Local):
            flow = self._recognised(value) or self._opaque(value, [meaning.base.node])
        elif meaning.plain:
            flow = meaning
        elif meaning.channels is not None:
            attributes = {"channels": meaning.channels}
            flow = self._node("unknown:take", attributes, (meaning.node,), meaning.axes, value)
        elif meaning.padding != NO_PADDING:
            attributes = {"padding": meaning.padding, "value": meaning.fill}
            flow = self._node("pad", attributes, (meaning.node,), meaning.axes, value)
        else:
            flow = self._place_affine(meaning) or self._opaque(value, [meaning.node])
        self.placed[value] = flow
        return flow

    def _place_affine(self, flow: Flow) -> Flow | None:
        base, value = self.nodes[flow.node], flow.value
        plain = replace(flow, slope=None, offset=None)
        counts = self._window_counts(base, flow)
        if counts is not None:
            base.kind, base.attributes = _average(
                base.attributes | {"count_include_pad": counts}, self.nodes[base.inputs[0]].shape
            )
            base.value = value
            return plain
        try:
            found = recognise.affine(
                self.tape, flow.slope, flow.offset, lambda a: self._vector(flow.axes, a)
            )
        except (ValueError, KeyError):
            return None
        if isinstance(found, recognise.Normalisation):
            if "bias" in found.slots and not self._merge_bias(flow, found.slots.pop("bias")):
                return None
            return self._normalisation(plain, {"epsilon": found.epsilon}, found.slots, value)
        if found is None:
            return self._constant_affine(flow)
        if found.coefficient < 0 and found.bias < 0:
            if found.factor == 1:
                return plain
            attributes = {"factor": found.factor}
            return self._node("scale", attributes, (flow.node,), flow.axes, value)
        roles = {"gamma": found.coefficient, "beta": found.bias}
        pooled = base.kind in ("sum_pool", "avg_pool") and found.coefficient >= 0
        if pooled:
            cells = prod(base.attributes["kernel"]) if base.kind == "avg_pool" else 1
            roles = {"coefficient": found.coefficient, "bias": found.bias}
            attributes = {k: base.attributes[k] for k in ("kernel", "stride", "padding")}
            attributes["divisor"] = cells / found.factor
            result = self._node("subsample", attributes, base.inputs, flow.axes, value, where=base.where)
        else:
            attributes = {"factor": found.factor}
            result = self._node("scale", attributes, (flow.node,), flow.axes, value)
        channel = axis_of(flow.axes, "C")
        for slot, parameter in roles.items():
            if parameter < 0:
                continue
            stored = self._stored(parameter)
            if stored is None or channel is None:
                return None
            self._slot(self.nodes[result.node], slot, stored[0], flow.axes[channel])
        return result

    def _window_counts(self, base: Node, flow: Flow) -> bool | None:
        """Whether a window sum is divided by its size (True) or by the cells inside (False)."""
        if base.kind != "sum_pool" or flow.offset is not None or flow.slope is None:
            return None
        if recognise.leaves(self.tape, flow.slope):
            return None
        divisor = 1 / evaluate(self.tape, flow.slope, {})
        size = prod(base.attributes["kernel"])
        if recognise.same(divisor, np.full(divisor.shape, float(size))):
            return True
        before = self.nodes[base.inputs[0]].shape
        inside = Operation(
            "window", (), base.shape,
            {"reduce": "sum", "size": base.attributes["kernel"], "stride": base.attributes["stride"],
             "padding": base.attributes["padding"]},
        )  # fmt: skip
        counts = window(inside, np.ones(before[:2]))
        order = [a for a in ("H", "W") if axis_of(flow.axes, a) is not None]
        spread = [axis_of(flow.axes, a) for a in order]
        shape = [1] * len(flow.axes)
        for axis, size in zip(spread, counts.shape, strict=True):
            shape[axis or 0] = size
        divisor = divisor.reshape((1,) * (len(shape) - divisor.ndim) + divisor.shape)
        try:
            same = recognise.same(*np.broadcast_arrays(divisor, counts.reshape(shape)))
        except ValueError:
            return None
        return False if same else None

    def _merge_bias(self, flow: Flow, parameter: int) -> bool:
        """A bias that only shows inside a batch norm's algebra belongs to the convolution before."""
        node, stored = self.nodes[flow.node], self._stored(parameter)
        if node.kind not in ("conv", "dense") or node.attributes["bias"] or stored is None:
            return False
        self._slot(node, "bias", stored[0], (("C", _channels(node.shape)),))
        node.attributes["bias"] = True
        node.value = -1  # the tape never holds the biased result by itself
        return True

    def _constant_affine(self, flow: Flow) -> Flow | None:
        """An affine map by constants that differ from channel to channel: input normalisation."""
        values = {"factor": flow.slope, "offset": flow.offset}
        attributes: dict[str, Any] = {}
        for name, side in values.items():
            if side is None:
                continue
            if recognise.leaves(self.tape, side):
                return None
            vector = self._vector(flow.axes, evaluate(self.tape, side, {}))
            attributes[name] = tuple(map(float, vector)) if len(vector) > 1 else float(vector[0])
        attributes.setdefault("factor", 1.0)
        if attributes == {"factor": 1.0, "offset": 0.0}:
            return replace(flow, slope=None, offset=None)
        return self._node("scale", attributes, (flow.node,), flow.axes, flow.value)

    # Local algebra ------------------------------------------------------------------------------

    def _local(self, value: int, op: Operation, flowing: list[int]) -> Local | Flow | None:
        """Algebra whose operands all come from one node stays together until it has a name."""
        algebra = {*UNARY, *BINARY, *LAYOUT, *_ALGEBRA}
        if op.attributes.get("unknown") or op.name not in algebra:
            return None
        bases = []
        for source in flowing:
            meaning = self.meaning[source]
            pending = isinstance(meaning, Flow) and (meaning.slope or meaning.offset)
            if isinstance(meaning, Flow) and pending and self.nodes[meaning.node].kind != "sum_pool":
                # An affine map of the base is algebra of the base, unless others read it.
                bases.append(replace(meaning, slope=None, offset=None))
                continue
            base = meaning.base if isinstance(meaning, Local) else self._place(source)
            bases.append(base)
        if len({base.node for base in bases}) > 1:
            bases = [self._place(source) for source in flowing]
            if len({base.node for base in bases}) > 1:
                return None
        base = bases[0]
        root = self._root(base)
        local = Local(replace(base, value=root), value)
        self.meaning[value] = local
        whole = op.name in ("div", "mul", "reduce")
        return (self._recognised(value, final=False) if whole else None) or local

    def _root(self, flow: Flow) -> int:
        """A value of the tape that holds the base in the base's own axes."""
        node = self.nodes[flow.node]
        return node.value

    def _recognised(self, value: int, final: bool = True) -> Flow | None:
        """A node for a local value, if its algebra has a name.

        What may be only a part of something larger, such as a batch norm before its beta, is
        named when ``final`` says that something else reads the value.
        """
        if value in self.placed:
            return self.placed[value]
        local = self.meaning[value]
        if not isinstance(local, Local):
            return self._place(value)
        flow = None if value in self.nameless else self._name_algebra(local)
        if flow is None:
            self.nameless.add(value)
            flow = self._name_training(local) if final else None
        if flow is not None:
            self.placed[value] = flow
        return flow

    def _name_training(self, local: Local) -> Flow | None:
        """What only training does: dropout, and normalisation by the batch's own statistics."""
        base, value = local.base, local.value
        axes = self.nodes[base.node].axes
        plain = Flow(base.node, axes, base.value)
        try:
            if noise := recognise.leaves(self.tape, value, "random", until=base.value):
                rate = recognise.dropout(self.tape, value, base.value, noise.pop())
                if rate is None or noise:
                    return None
                return self._node("dropout", {"rate": rate}, (base.node,), axes, value)
            channel = axis_of(axes, "C")
            if channel is None:
                return None
            found = recognise.batch_normalisation(self.tape, value, base.value, channel)
        except (KeyError, ValueError):
            return None
        if found is None:
            return None
        attributes = {"epsilon": found.epsilon} | _in_training(None, None)
        return self._normalisation(plain, attributes, found.slots, value)

    def _follow_statistics(self) -> None:
        """Give every norm by batch statistics the running ones that its input replaces."""
        norms = {n.inputs[0]: n for n in self.nodes if n.attributes.get("statistics") == "batch"}
        stored = {
            op.attributes["handle"]: i
            for i, op in enumerate(self.tape.operations)
            if op.name == "parameter"
        }
        for handle, new in self.updates.items():
            meaning = self.meaning.get(new)
            if not isinstance(meaning, Local) or meaning.base.node not in norms:
                continue
            norm, base = norms[meaning.base.node], self.nodes[meaning.base.node]
            channel = axis_of(base.axes, "C")
            assert channel is not None  # the norm was recognised by it
            found = recognise.running(self.tape, stored[handle], new, base.value, channel)
            if found is None:
                continue
            slot, norm.attributes["momentum"], unbiased = found
            if slot == "variance":
                norm.attributes["unbiased"] = unbiased
            parameter = Parameter(handle, self.tape[stored[handle]].shape)
            self._slot(norm, slot, parameter, base.axes[channel])

    def _root(self, flow: Flow) -> int:
        """A value of the tape that holds the base in the base's own axes."""
        node = self.nodes[flow.node]
        return node.value

    def _recognised(self, value: int, final: bool = True) -> Flow | None:
        """A node for a local value, if its algebra has a name.

        What may be only a part of something larger, such as a batch norm before its beta, is
        named when ``final`` says that something else reads the value.
        """
        if value in self.placed:
            return self.placed[value]
        local = self.meaning[value]
        if not isinstance(local, Local):
            return self._place(value)
        flow = None if value in self.nameless else self._name_algebra(local)
        if flow is None:
            self.nameless.add(value)
            flow = self._name_training(local) if final else None
        if flow is not None:
            self.placed[value] = flow
        return flow

    def _name_training(self, local: Local) -> Flow | None:
        """What only training does: dropout, and normalisation by the batch's own statistics."""
        base, value = local.base, local.value
        axes = self.nodes[base.node].axes
        plain = Flow(base.node, axes, base.value)
        try:
            if noise := recognise.leaves(self.tape, value, "random", until=base.value):
                rate = recognise.dropout(self.tape, value, base.value, noise.pop())
                if rate is None or noise:
                    return None
                return self._node("dropout", {"rate": rate}, (base.node,), axes, value)
            channel = axis_of(axes, "C")
            if channel is None:
                return None
            found = recognise.batch_normalisation(self.tape, value, base.value, channel)
        except (KeyError, ValueError):
            return None
        if found is None:
            return None
        attributes = {"epsilon": found.epsilon} | _in_training(None, None)
        return self._normalisation(plain, attributes, found.slots, value)

    def _statistics(self, node: int) -> dict[int, int]:
        """Running statistics that are replaced by something computed from this node alone."""
        if self.statistics is None:
            self.statistics = {}
            stored = {
                op.attributes["handle"]: i
                for i, op in enumerate(self.tape.operations)
                if op.name == "parameter"
            }
            for handle, new in self.updates.items():
                if isinstance(meaning := self.meaning.get(new), Local):
                    of = self.statistics.setdefault(meaning.base.node, {})
                    of[stored[handle]] = new
        return self.statistics.get(node, {})

    def _name_algebra(self, local: Local) -> Flow | None:
        base, op = local.base, self.tape[local.value]
        node = self.nodes[base.node]
        axes = node.axes
        parameters = recognise.leaves(self.tape, local.value, until=base.value)
        channel = axis_of(axes, "C")
        shape = self.tape[base.value].shape
        if parameters:
            return self._radial_basis(local, parameters)
        if channel is None or len(axes[channel]) != 1:
            return None
        channels = shape[channel]
        if op.shape != shape:
            return self._repeated(local)

        def rows(x: np.ndarray) -> np.ndarray:
            # One pixel, repeated over the image without being copied, at a time.
            wide = [channels if axis == channel else 1 for axis in range(len(shape))]
            corner = tuple(slice(None) if axis == channel else 0 for axis in range(len(shape)))
            images = [np.broadcast_to(pixel.reshape(wide), shape) for pixel in x]
            known = [evaluate(self.tape, local.value, {base.value: image}) for image in images]
            return np.stack([out[corner] for out in known])

        try:
            if kind := recognise.pointwise(rows, channels):
                return self._node(kind, {}, (base.node,), axes, local.value)
            if constants := recognise.local_response(rows, channels):
                return self._node("lrn", dict(constants), (base.node,), axes, local.value)
        except (KeyError, ValueError):
            return None
        return None

    def _repeated(self, local: Local) -> Flow | None:
        """Nearest-neighbour upsampling, however the pixels are repeated."""
        axes, before = local.base.axes, self.tape[local.base.value].shape
        after = self.tape[local.value].shape
        spatial = [axis_of(axes, name) for name in "HW"]
        if len(after) != len(before) or None in spatial:
            return None
        factors = [n // m for n, m in zip(after, before, strict=True)]
        x = np.arange(prod(before), dtype=float).reshape(before)
        expected = x
        for axis in spatial:
            expected = expected.repeat(factors[axis or 0], axis or 0)
        try:
            found = evaluate(self.tape, local.value, {local.base.value: x})
        except (KeyError, ValueError):
            return None
        if not np.array_equal(found, expected):
            return None
        attributes = {"factor": tuple(factors[axis or 0] for axis in spatial)}
        axes = _resized(axes, after)
        return self._node("upsample", attributes, (local.base.node,), axes, local.value)

    def _radial_basis(self, local: Local, parameters: set[int]) -> Flow | None:
        base, op = local.base, self.tape[local.value]
        if len(parameters) != 1:
            return None
        (centres,) = parameters
        shape, inputs = self.tape[centres].shape, prod(self.tape[base.value].shape)
        if prod(op.shape) * inputs != prod(shape):
            return None
        count = prod(op.shape)

        def at(x: np.ndarray, w: np.ndarray) -> np.ndarray:
            stored = w if shape == w.shape else w.T
            known = {
                base.value: x.reshape(self.tape[base.value].shape),
                centres: stored.reshape(shape),
            }
            return evaluate(self.tape, local.value, known)

        try:
            if len(shape) != 2 or not recognise.squared_distances(at, inputs, count):
                return None
        except (KeyError, ValueError):
            return None
        steps = () if shape == (count, inputs) else (("transpose", (1, 0)),)
        parameter = Parameter(self.tape[centres].attributes["handle"], shape, steps)
        axes: Axes = tuple((("C", n),) if n == count else () for n in op.shape)
        return self._node(
            "rbf", {}, (base.node,), axes, local.value,
            {"centres": (parameter,)}, {"centres": (count, inputs)},
        )  # fmt: skip

    # Nodes --------------------------------------------------------------------------------------

    def _node(
        self,
        kind: str,
        attributes: dict[str, Any],
        inputs: tuple[int, ...],
        axes: Axes,
        value: int,
        parameters: dict[str, tuple[Parameter, ...]] | None = None,
        slots: dict[str, tuple[int, ...]] | None = None,
        where: Where | None = None,
    ) -> Flow:
        where = where or self.tape[value].where
        # Two components tell a file from another and say nothing of the machine it lies on.
        where = replace(where, line="/".join(where.line.split("/")[-2:]))
        self.nodes.append(
            Node(
                kind, attributes, inputs, shape_of(axes), parameters or {}, slots or {}, where,
                value, axes,
            )  # fmt: skip
        )
        return Flow(len(self.nodes) - 1, axes, value)

    def _opaque(self, value: int, sources: list[int]) -> Flow:
        op = self.tape[value]
        axes = self.nodes[sources[0]].axes
        if tuple(prod(size for _, size in axis) for axis in axes) != op.shape:
            axes = reshaped(axes, op.shape) or _guess(op.shape)
        return self._node(f"unknown:{op.name}", dict(op.attributes), tuple(sources), axes, value)

    def _unknown(self, value: int, op: Operation, flowing: list[int]) -> Flow:
        return self._opaque(value, [self._place(source).node for source in flowing])


def _in_training(momentum: float | None, unbiased: bool | None) -> dict[str, Any]:
    return {"statistics": "batch", "momentum": momentum, "unbiased": unbiased}


def _resized(axes: Axes, shape: tuple[int, ...]) -> Axes:
    """The same axes, height and width as long as they are in ``shape``."""
    return tuple(
        tuple((name, shape[i]) for name, _ in axis) if _name(axis, "") in ("H", "W") else axis
        for i, axis in enumerate(axes)
    )


def _guess(shape: tuple[int, ...]) -> Axes:
    names = {4: "NHWC", 2: "NC", 1: "C"}.get(len(shape))
    if names is None:
        return tuple((("C", n),) if n == max(shape) else () for n in shape)
    return named(shape, names)


def _name(axis: Any, default: str) -> str:
    return axis[0][0] if len(axis) == 1 else default if not axis else ""


def _channels(shape: tuple[int, ...]) -> int:
    return shape[-1]


def _all(count: int) -> tuple[int, ...]:
    return tuple(range(count))


def _average(
    attributes: dict[str, Any], before: tuple[int, ...]
) -> tuple[str, dict[str, Any]]:
    """Average pooling, by its shortest name."""
    if attributes["padding"] == NO_PADDING:
        if attributes["kernel"] == tuple(before[:2]):
            return "global_avg_pool", {}
        attributes = attributes | {"count_include_pad": False}
    return "avg_pool", attributes


def _reachable(nodes: list[Node], outputs: tuple[int, ...]) -> Graph:
    """The nodes that the outputs need, renumbered, the inputs first."""
    needed, stack = set(), list(outputs)
    while stack:
        index = stack.pop()
        if index not in needed:
            needed.add(index)
            stack.extend(nodes[index].inputs)
    needed |= {i for i, node in enumerate(nodes) if node.kind == "input"}
    order = sorted(needed)
    new = {old: i for i, old in enumerate(order)}
    kept = [replace(nodes[old], inputs=tuple(new[i] for i in nodes[old].inputs)) for old in order]
    inputs = tuple(i for i, node in enumerate(kept) if node.kind == "input")
    return Graph(kept, inputs, tuple(new[i] for i in outputs))
