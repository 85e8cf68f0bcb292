"""What a training step makes of stored statistics."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.graph.axes import axis_of
from conformance.graph.model import Parameter
from conformance.trace.excerpt import excerpt
from conformance.trace.meanings import Algebra
from conformance.trace.norms import running
from conformance.trace.stored import fill
from conformance.trace.walk import Walk


def follow(walk: Walk, updates: Mapping[str, int]) -> None:
    """Give every norm by batch statistics the running ones that its input replaces."""
    norms = {n.inputs[0]: n for n in walk.nodes if n.attributes.get("statistics") == "batch"}
    stored = {
        op.attributes["handle"]: i
        for i, op in enumerate(walk.tape.operations)
        if op.name == "parameter"
    }
    for handle, new in updates.items():
        x = walk.means.get(new)
        if not isinstance(x, Algebra) or x.node not in norms:
            continue
        norm, base = norms[x.node], walk.nodes[x.node]
        channel = axis_of(base.axes, "C")
        assert channel is not None  # the norm was recognised by it
        part = excerpt(walk.tape, base.value, new, stored[handle])
        if (found := running(part, channel)) is None:
            continue
        slot, norm.attributes["momentum"], unbiased = found
        if slot == "variance":
            norm.attributes["unbiased"] = unbiased
        parameter = Parameter(handle, walk.tape[stored[handle]].shape)
        fill(norm, slot, parameter, base.axes[channel])
