"""Placing what is pending: an affine map, a padding or some algebra becomes nodes with names."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, axis_of
from conformance.graph.model import Node, Parameter
from conformance.trace import recognise
from conformance.trace.excerpt import Excerpt, excerpt
from conformance.trace.tape import BINARY, LAYOUT, UNARY, Operation, evaluate, window
from conformance.trace.walk import NO_PADDING, Flow, Local, Walk, channels_of, name_of

#: Operations other than algebra and layout that may be steps of something with a name.
_ALGEBRA = frozenset({"window", "reduce", "pad", "slice", "concat", "select", "take"})


class Placing(Walk):
    """Turns pending things into nodes, by what they are and not by how they are spelt."""

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
            attributes: dict[str, Any] = {"channels": meaning.channels}
            flow = self._node("unknown:take", attributes, (meaning.node,), meaning.axes, value)
        elif meaning.padding != NO_PADDING:
            attributes = {"padding": meaning.padding, "value": meaning.fill}
            kind = "unknown:pad" if meaning.fill == "edge" else "pad"
            flow = self._node(kind, attributes, (meaning.node,), meaning.axes, value)
        else:
            flow = self._place_affine(meaning) or self._opaque(value, [meaning.node])
        self.placed[value] = flow
        return flow

    def _place_affine(self, flow: Flow) -> Flow | None:
        base, value = self.nodes[flow.node], flow.value
        plain = replace(flow, slope=None, offset=None)
        if averaged := self._averaged(flow):
            return averaged
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
            result = self._node(
                "subsample", attributes, base.inputs, flow.axes, value, where=base.where
            )
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

    def _merge_bias(self, flow: Flow, parameter: int) -> bool:
        """A bias that only shows in a batch norm's algebra belongs to the convolution before."""
        node, stored = self.nodes[flow.node], self._stored(parameter)
        if node.kind not in ("conv", "dense") or node.attributes["bias"] or stored is None:
            return False
        self._slot(node, "bias", stored[0], (("C", channels_of(node.shape)),))
        node.attributes["bias"] = True
        node.value = -1  # the tape never holds the biased result by itself
        return True

    def _averaged(self, flow: Flow) -> Flow | None:
        """The average that a window's sum becomes when it is divided by its size."""
        base = self.nodes[flow.node]
        counts = self._window_counts(base, flow)
        if counts is None:
            return None
        before = self.nodes[base.inputs[0]].shape
        base.kind, base.attributes = average(
            base.attributes | {"count_include_pad": counts}, before
        )
        base.value = flow.value
        return replace(flow, slope=None)

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
        attributes = {name: base.attributes[name] for name in ("stride", "padding")}
        attributes |= {"reduce": "sum", "size": base.attributes["kernel"]}
        inside = Operation("window", (), base.shape, attributes)
        counts = window(inside, np.ones(before[:2]))
        spread = [axis_of(flow.axes, name) for name in "HW"]
        if None in spread:
            return None
        shape = [1] * len(flow.axes)
        for axis, size in zip(spread, counts.shape, strict=True):
            shape[axis or 0] = size
        divisor = divisor.reshape((1,) * (len(shape) - divisor.ndim) + divisor.shape)
        try:
            same = recognise.same(*np.broadcast_arrays(divisor, counts.reshape(shape)))
        except ValueError:
            return None
        return False if same else None

    def _local(self, value: int, op: Operation, flowing: list[int]) -> Local | Flow | None:
        """Algebra whose operands all come from one node stays together until it has a name."""
        algebra = {*UNARY, *BINARY, *LAYOUT, *_ALGEBRA}
        if op.attributes.get("unknown") or op.name not in algebra:
            return None
        bases = []
        for source in flowing:
            meaning = self.meaning[source]
            pending = isinstance(meaning, Flow) and (meaning.slope or meaning.offset)
            if (
                isinstance(meaning, Flow)
                and pending
                and self.nodes[meaning.node].kind != "sum_pool"
            ):
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
        root = self.nodes[base.node].value
        local = Local(replace(base, value=root), value)
        self.meaning[value] = local
        whole = op.name in ("div", "mul", "reduce", "select")
        return (self._recognised(value, final=False) if whole else None) or local

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
            flow = self._dropout(local) or (self._batch_norm(local) if final else None)
        if flow is not None:
            self.placed[value] = flow
        return flow

    def _name_algebra(self, local: Local) -> Flow | None:
        base, op = local.base, self.tape[local.value]
        # The algebra begins at the node's own value, and ends in the layout in which it is read.
        before, axes = self.nodes[base.node].axes, base.axes
        parameters = recognise.leaves(self.tape, local.value, until=base.value)
        channel, outcome = axis_of(before, "C"), axis_of(axes, "C")
        if parameters:
            return self._radial_basis(local, parameters)
        if channel is None or outcome is None or len(before[channel]) != 1:
            return None
        if op.shape != tuple(prod(size for _, size in axis) for axis in axes):
            return self._repeated(local)
        found = recognise.channelwise(self._excerpt(local), channel, outcome)
        if found is None:
            return None
        kind, constants = found
        return self._node(kind, dict(constants), (base.node,), axes, local.value)

    def _excerpt(self, local: Local) -> Excerpt:
        return excerpt(self.tape, local.base.value, local.value)

    def _repeated(self, local: Local) -> Flow | None:
        """Nearest-neighbour upsampling, however the pixels are repeated."""
        base = self.nodes[local.base.node]
        axes, before = base.axes, self.tape[base.value].shape
        after = self.tape[local.value].shape
        spatial = [axis_of(axes, name) for name in "HW"]
        if len(after) != len(before) or None in spatial:
            return None
        factors = [n // m for n, m in zip(after, before, strict=True)]
        grown = [n * factors[i] if i in spatial else n for i, n in enumerate(before)]
        if after != tuple(grown):
            return None
        x = np.arange(prod(before), dtype=float).reshape(before)
        expected = x
        for axis in spatial:
            expected = expected.repeat(factors[axis or 0], axis or 0)
        try:
            found = evaluate(self.tape, local.value, {base.value: x})
        except (KeyError, ValueError):
            return None
        if not np.array_equal(found, expected):
            return None
        factor = factors[spatial[0] or 0], factors[spatial[1] or 0]
        return self._upsampled(local.base, factor, resized(axes, after), local.value)

    def _upsampled(self, flow: Flow, factor: tuple[int, int], axes: Axes, value: int) -> Flow:
        source, before = self._merging(flow, "upsample", "factor")
        attributes = {"factor": (factor[0] * before[0], factor[1] * before[1])}
        return self._node("upsample", attributes, (source,), axes, value)

    def _merging(self, flow: Flow, kind: str, attribute: str) -> tuple[int, tuple[int, int]]:
        """Where a step starts that goes on from another of its kind, and by how much that went.

        Every second row and then every second column is one step, as is twice twice as large.
        """
        node = self.nodes[flow.node]
        one_cell = node.attributes.get("kernel", (1, 1)) == (1, 1)
        if node.kind != kind or not one_cell or self.readers[flow.value] > 1:
            return flow.node, (1, 1)
        return node.inputs[0], node.attributes[attribute]

    def _radial_basis(self, local: Local, parameters: set[int]) -> Flow | None:
        base, op = local.base, self.tape[local.value]
        if len(parameters) != 1:
            return None
        (centres,) = parameters
        shape, before = self.tape[centres].shape, self.tape[base.value].shape
        inputs = prod(self.nodes[base.node].shape)
        batch = prod(before) // inputs
        count = prod(op.shape) // batch
        if count * inputs != prod(shape):
            return None

        def at(x: np.ndarray, w: np.ndarray) -> np.ndarray:
            stored = w if shape == w.shape else w.T
            known = {
                base.value: np.broadcast_to(x, (batch, inputs)).reshape(before),
                centres: stored.reshape(shape),
            }
            return np.ravel(evaluate(self.tape, local.value, known))[:count]

        try:
            if len(shape) != 2 or not recognise.squared_distances(at, inputs, count):
                return None
        except (KeyError, ValueError):
            return None
        steps = () if shape == (count, inputs) else (("transpose", (1, 0)),)
        parameter = Parameter(self.tape[centres].attributes["handle"], shape, steps)
        axes: Axes = tuple(
            (("N", n),) if i == 0 and n == batch else (("C", n),) if n == count else ()
            for i, n in enumerate(op.shape)
        )
        return self._node(
            "rbf", {}, (base.node,), axes, local.value,
            {"centres": (parameter,)}, {"centres": (count, inputs)},
        )  # fmt: skip

    def _dropout(self, local: Local) -> Flow | None:
        """Dropout, if noise has a part in it."""
        base, value = local.base, local.value
        noise = recognise.leaves(self.tape, value, "random", until=base.value)
        if len(noise) != 1:
            return None
        rate = recognise.dropout(self._excerpt(local))
        if rate is None:
            return None
        return self._node("dropout", {"rate": rate}, (base.node,), base.axes, value)

    def _batch_norm(self, local: Local) -> Flow | None:
        """Normalisation by the batch's own statistics."""
        base, value = local.base, local.value
        channel = axis_of(base.axes, "C")
        entry = self._entry(base, value)
        if channel is None or entry is None:
            return None
        part = excerpt(self.tape, entry, value)
        found = recognise.batch_normalisation(part, channel)
        if found is None:
            return None
        slots = {slot: part.members[p] for slot, p in found.slots.items()}
        attributes = {"epsilon": found.epsilon} | in_training(None, None)
        return self._normalisation(base, attributes, slots, value)

    def _entry(self, base: Flow, value: int) -> int | None:
        """The first value that is the base's result in the layout in which the algebra has it."""
        for i in range(base.value, value):
            flow = self.meaning.get(i)
            if (
                isinstance(flow, Flow)
                and flow.plain
                and (flow.node, flow.axes)
                == (
                    base.node,
                    base.axes,
                )
            ):
                return i
        return None

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
            part = excerpt(self.tape, base.value, new, stored[handle])
            found = recognise.running(part, channel)
            if found is None:
                continue
            slot, norm.attributes["momentum"], unbiased = found
            if slot == "variance":
                norm.attributes["unbiased"] = unbiased
            parameter = Parameter(handle, self.tape[stored[handle]].shape)
            self._slot(norm, slot, parameter, base.axes[channel])


def in_training(momentum: float | None, unbiased: bool | None) -> dict[str, Any]:
    return {"statistics": "batch", "momentum": momentum, "unbiased": unbiased}


def resized(axes: Axes, shape: tuple[int, ...]) -> Axes:
    """The same axes, height and width as long as they are in ``shape``."""
    return tuple(
        tuple((name, shape[i]) for name, _ in axis) if name_of(axis, "") in ("H", "W") else axis
        for i, axis in enumerate(axes)
    )


def average(attributes: dict[str, Any], before: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """Average pooling, by its shortest name."""
    if attributes["padding"] == NO_PADDING:
        if attributes["kernel"] == tuple(before[:2]):
            return "global_avg_pool", {}
        attributes = attributes | {"count_include_pad": False}
    return "avg_pool", attributes
