"""From a tape to the neutral graph: one walk, in which every value of the tape gets a meaning.

A value is either *side* (made of parameters and constants only), a *flow* (a node's result,
perhaps with an affine map, a padding or a choice of channels still to be placed), or *local*
(algebra of one node's result that no single primitive names, such as a hand-written LRN).
Pending things are placed when the next operation needs them, by which time it is known what
they are: a padding becomes part of a convolution, an affine map a bias or a batch norm.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, named, reshaped, spatial_order, transposed, vector_steps
from conformance.graph.model import Graph, Node, Parameter
from conformance.trace import recognise
from conformance.trace.placing import Placing, average, in_training, resized
from conformance.trace.tape import Operation, Tape
from conformance.trace.walk import NO_PADDING, Flow, Local, channels_of, every, name_of

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


def canonical(tape: Tape) -> Graph:
    """The neutral graph of what the tape computes; unreachable operations are left out."""
    return _Canonical(tape).graph()


class _Canonical(Placing):
    """Says of each primitive, given what its operands mean, what its result means."""

    def graph(self) -> Graph:
        for value in range(self.length):
            self.meaning[value] = self._meaning(value, self.tape[value])
        outputs = [self._place(value).node for value in self.outputs]
        self._follow_statistics()
        return _reachable(self.nodes, tuple(outputs))

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
        names = [name_of(flow.axes[axis], name) for axis, name in zip(spatial, "HW", strict=True)]
        if name_of(flow.axes[channel], "C") != "C" or sorted(names) != ["H", "W"]:
            return None
        order = [names.index("H"), names.index("W")]
        pads = [a["padding"][i] for i in order]
        padding = tuple((p[0] + q[0], p[1] + q[1]) for p, q in zip(pads, flow.padding, strict=True))
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
            table = tuple(
                tuple(map(int, np.flatnonzero(used[0, 0, :, o]))) for o in range(shape[3])
            )
            attributes["table"] = table
        if flow.channels is not None:
            if mask is not None or groups != 1:
                return None
            attributes["table"] = (tuple(sorted(flow.channels)),) * shape[3]
            region = (*map(every, shape[:2]), flow.channels, every(shape[3]))
            shape = (*shape[:2], channels_of(self.nodes[flow.node].shape), shape[3])
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
            name = name_of(flow.axes[axis], "")
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
            if flow.fill == "edge" and padding == NO_PADDING:
                # A window that reaches beyond the edge has the edge in it: no maximum changes.
                beyond = zip(flow.padding, (kh, kw), strict=True)
                neutral = all(max(pads) < kernel for pads, kernel in beyond)
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
        axes = resized(flow.axes, op.shape)
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
            node.kind, node.attributes = average(attributes, before)
        if whole:
            node.shape = (1, 1, channels_of(before))
        return flow

    def _on_batch_norm(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        slots = dict(zip(("gamma", "beta", "mean", "variance"), op.inputs[1:], strict=True))
        attributes = {"epsilon": op.attributes["epsilon"]}
        if "momentum" in op.attributes:
            attributes |= in_training(op.attributes["momentum"], op.attributes["unbiased"])
        return self._normalisation(
            flow, attributes, {s: v for s, v in slots.items() if v >= 0}, value
        )

    def _on_upsample(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        axes = resized(flow.axes, op.shape)
        return self._upsampled(flow, tuple(op.attributes["factor"]), axes, value)

    def _on_dropout(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        attributes = {"rate": op.attributes["rate"]}
        return self._node("dropout", attributes, (flow.node,), flow.axes, value)

    def _on_lrn(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        if name_of(flow.axes[op.attributes["axis"]], "") != "C":
            return None
        attributes = {name: op.attributes[name] for name in ("n", "k", "alpha", "beta")}
        return self._node("lrn", attributes, (flow.node,), flow.axes, value)

    def _on_softmax(self, value: int, op: Operation) -> Flow | None:
        flow = self._place(op.inputs[0])
        axis = op.attributes["axis"] % len(flow.axes)
        if name_of(flow.axes[axis], "C") != "C":
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
        if flow.slope and flow.offset and self._constant(by) not in (None, 1.0, -1.0):
            # A number after a whole norm is a scale of its own.
            flow = self._complete(flow) or flow
        offset = None if flow.offset is None else self._side(how, flow.offset, by)
        whole = replace(
            flow, slope=self._side(how, self._slope(flow), by), offset=offset, value=value
        )
        # A window's sum that has just been divided by its size is an average from here on.
        return self._averaged(whole) or whole

    def _complete(self, flow: Flow) -> Flow | None:
        """An affine map by parameters as the node that it is already."""
        assert flow.slope is not None
        if not recognise.leaves(self.tape, flow.slope):
            return None
        placed = self._place_affine(flow)
        if placed:
            self.placed[flow.value] = placed
        return placed

    def _on_reshape(self, value: int, op: Operation) -> Flow | None:
        flow = self._relayout(op.inputs[0])
        if flow is None or (axes := reshaped(flow.axes, op.shape)) is None:
            return None
        merged = next((a for a in axes if len([x for x in a if x[0] != "N"]) > 1), None)
        if merged and merged not in flow.axes:
            attributes = {"order": spatial_order(merged)}
            return self._node("flatten", attributes, (flow.node,), axes, value)
        return replace(flow, axes=axes, value=value)

    def _on_transpose(self, value: int, op: Operation) -> Flow | None:
        flow = self.meaning[op.inputs[0]]
        # A padding and a choice of channels belong to named axes, wherever those come to lie.
        if not isinstance(flow, Flow) or flow.slope is not None or flow.offset is not None:
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
        if any(name_of(flow.axes[axis], "C") != "C" for flow in flows):
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
        flow = self._relayout(op.inputs[0])
        if flow is None:
            return None
        padding: dict[str, tuple[int, ...]] = {}
        for axis, pad in zip(flow.axes, op.attributes["padding"], strict=True):
            name = name_of(axis, "")
            if name in ("H", "W", "C"):
                padding[name] = tuple(int(p) for p in pad)
            elif tuple(pad) != (0, 0):
                return None
        axes = tuple(
            tuple((n, op.shape[i]) for n, _ in axis)
            if name_of(axis, "") in ("H", "W", "C")
            else axis
            for i, axis in enumerate(flow.axes)
        )
        both: Any = (padding.get("H", (0, 0)), padding.get("W", (0, 0)))
        fill = op.attributes["value"]
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
        if len(changed) == 1 and name_of(flow.axes[changed[0]], "") == "C":
            axis = changed[0]
            chosen = range(a["start"][axis], a["stop"][axis], a["step"][axis])
            return self._choose(op, axis, tuple(chosen), value)
        if any(name_of(flow.axes[i], "") not in ("H", "W") or a["step"][i] == 1 for i in changed):
            return None
        # Every s-th pixel is pooling with a window of one pixel; what is before the first is cut.
        strides = {name_of(flow.axes[i], ""): a["step"][i] for i in changed}
        starts = {name_of(flow.axes[i], ""): a["start"][i] for i in changed}
        if any(-((a["start"][i] - before[i]) // a["step"][i]) != op.shape[i] for i in changed):
            return None
        flow = self._place(op.inputs[0])
        axes = tuple(
            tuple((n, op.shape[i]) for n, _ in axis) if i in changed else axis
            for i, axis in enumerate(flow.axes)
        )
        stride = (strides.get("H", 1), strides.get("W", 1))
        source, before = self._merging(flow, "max_pool", "stride")
        cut = self.nodes[flow.node].attributes["padding"] if source != flow.node else NO_PADDING
        top = cut[0][0] - starts.get("H", 0) * before[0]
        left = cut[1][0] - starts.get("W", 0) * before[1]
        stride = (stride[0] * before[0], stride[1] * before[1])
        attributes = {"kernel": (1, 1), "stride": stride, "padding": ((top, 0), (left, 0))}
        return self._pool("max_pool", attributes, source, axes, value)

    def _on_take(self, value: int, op: Operation) -> Flow | None:
        flow = self.meaning[op.inputs[0]]
        axis = op.attributes["axis"]
        if not isinstance(flow, Flow) or name_of(flow.axes[axis], "") != "C":
            return None
        chosen = tuple(int(i) for i in np.ravel(op.attributes["indices"]))
        return self._choose(op, axis, chosen, value)

    def _choose(self, op: Operation, axis: int, chosen: tuple[int, ...], value: int) -> Flow:
        flow = self._place(op.inputs[0])
        axes = tuple((("C", len(chosen)),) if i == axis else a for i, a in enumerate(flow.axes))
        if chosen == tuple(range(channels_of(self.nodes[flow.node].shape))):
            return replace(flow, value=value)
        return replace(flow, axes=axes, value=value, channels=chosen)

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
        source, shape = self._narrow(side)
        if self.readers[flow.value] > 1 or (stored := self._stored(source)) is None:
            return None
        length = channels_of(node.shape)
        if prod(shape) != length or stored[1] is not None:
            return None
        try:
            self._vector(flow.axes, np.arange(length).reshape(shape))
        except ValueError:
            return None
        self._slot(node, "bias", stored[0], ((("C", length),)))
        node.attributes["bias"] = True
        node.value, node.axes = value, flow.axes
        return replace(flow, value=value)

    def _narrow(self, side: int) -> tuple[int, tuple[int, ...]]:
        """A side value before it was repeated over the image, and its shape among ones."""
        op = self.tape[side]
        inside = self.tape[op.inputs[0]].shape if op.name == "broadcast" else op.shape
        if prod(inside) == prod(op.shape):
            return side, op.shape
        shape = [1] * len(op.shape)
        for axis, size in zip(op.attributes["axes"], inside, strict=True):
            shape[axis] = size
        return op.inputs[0], tuple(shape)

    def _split_convolution(
        self, inputs: tuple[int, ...], flows: list[Flow], axes: Axes, value: int
    ) -> Flow | None:
        """Convolutions of chosen channels side by side are one with a connection table."""
        nodes = [self.nodes[flow.node] for flow in flows]
        first = nodes[0]
        if not all(n.kind == "conv" for n in nodes) or not any(
            "table" in n.attributes for n in nodes
        ):
            return None
        alike = [
            {k: v for k, v in n.attributes.items() if k != "table"} | {"inputs": n.inputs}
            for n in nodes
        ]
        if any(a != alike[0] for a in alike) or any(self.readers[i] != 1 for i in inputs):
            return None
        channels = channels_of(self.nodes[first.inputs[0]].shape)
        table: list[tuple[int, ...]] = []
        parameters: dict[str, tuple[Parameter, ...]] = {slot: () for slot in first.parameters}
        for node in nodes:
            width = channels_of(node.shape)
            maps = node.attributes.get("table", (every(channels),) * width)
            out = tuple(range(len(table), len(table) + width))
            for slot, (parameter,) in node.parameters.items():
                into = parameter.region[2] if parameter.region else maps[0]
                region = (*map(every, node.slots["kernel"][:2]), into, out)
                region = region if slot == "kernel" else (out,)
                parameters[slot] += (replace(parameter, region=region),)
            table.extend(maps)
        attributes = first.attributes | {"table": tuple(table)}
        slots = {"kernel": (*first.slots["kernel"][:2], channels, len(table))}
        if "bias" in first.slots:
            slots["bias"] = (len(table),)
        return self._node(
            "conv", attributes, first.inputs, axes, value, parameters, slots, first.where
        )

    def _axes(self, shape: tuple[int, ...], spec: tuple[int, ...], order: list[int]) -> Axes:
        batch, channel, *spatial = spec
        result: list[Any] = [()] * len(shape)
        result[batch] = (("N", shape[batch]),)
        result[channel] = (("C", shape[channel]),)
        for name, i in zip("HW", order, strict=True):
            result[spatial[i]] = ((name, shape[spatial[i]]),)
        return tuple(result)

    def _unknown(self, value: int, op: Operation, flowing: list[int]) -> Flow:
        return self._opaque(value, [self._place(source).node for source in flowing])


def _reachable(nodes: list[Node], outputs: tuple[int, ...]) -> Graph:
    """The nodes that the outputs need, renumbered, the inputs first."""
    needed = Graph(nodes, (), outputs).ancestors(*outputs)
    needed |= {i for i, node in enumerate(nodes) if node.kind == "input"}
    order = sorted(needed)
    new = {old: i for i, old in enumerate(order)}
    kept = [replace(nodes[old], inputs=tuple(new[i] for i in nodes[old].inputs)) for old in order]
    inputs = tuple(i for i, node in enumerate(kept) if node.kind == "input")
    return Graph(kept, inputs, tuple(new[i] for i in outputs))
