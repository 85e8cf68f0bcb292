"""What a training step makes of stored statistics."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.graph.axes import axis_of
from conformance.graph.model import Parameter
from conformance.trace.excerpt import excerpt
from conformance.trace.meanings import Flowing
from conformance.trace.norms import replaced, running
from conformance.trace.stored import fill
from conformance.trace.walk import AXES, Walk

#: The letter of an axis by its name.
LETTERS = {name: letter for letter, name in AXES.items()}


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
        if not isinstance(x, Flowing):
            continue
        behind = _behind(walk, x.node)
        along = {norms[i].attributes.get("axis", AXES["C"]) for i in behind & norms.keys()}
        if len(along) != 1:
            continue
        several = [walk.nodes[i] for i in sorted(behind)]
        channel = axis_of(several[0].axes, LETTERS[along.pop()])
        if channel is None or len({each.axes for each in several}) > 1:
            continue
        if len(several) == 1:
            part = excerpt(walk.tape, several[0].value, new, stored[handle])
            found = running(part, channel)
        else:
            values = [each.value for each in several]
            found = replaced(walk.tape, values, new, stored[handle], channel)
        if found is None:
            continue
        slot, momentum, unbiased = found
        parameter = Parameter(handle, walk.tape[stored[handle]].shape)
        for base in behind & norms.keys():
            norm = norms[base]
            norm.attributes["momentum"] = momentum
            if slot == "variance":
                norm.attributes["unbiased"] = unbiased
            fill(norm, slot, parameter, walk.nodes[base].axes[channel])


def _behind(walk: Walk, index: int) -> set[int]:
    """The nodes whose norms replace one statistic, such as those of one norm used twice."""
    node = walk.nodes[index]
    if node.known or not walk.unread(node.value):
        return {index}
    return set().union(*(_behind(walk, i) for i in node.inputs))
