"""What a node is called in a picture or a table: ``conv 3x3/2 64``, ``28x28x192``, its settings."""

from __future__ import annotations

from typing import Any

from conformance.trace.graph import Node
from conformance.verdict import WRITTEN, shown, written

#: Kinds drawn alike.
GROUPS = {
    "conv": "weights",
    "dense": "weights",
    "rbf": "weights",
    "subsample": "pool",
    "max_pool": "pool",
    "avg_pool": "pool",
    "global_avg_pool": "pool",
    "upsample": "pool",
    "batch_norm": "norm",
    "lrn": "norm",
    "add": "join",
    "concat": "join",
    "input": "end",
}

#: Settings that a name already says, or that are the same as if they were not there.
_SAID = {"dilation": (1, 1), "groups": 1}


def name(node: Node) -> str:
    """What a node is, as the reference writes it."""
    kind = node.kind.replace("_", " ")
    if node.kind not in WRITTEN:
        return kind
    (words,) = written([node], WRITTEN)
    return f"conv {words}" if node.kind == "conv" else words


def group(node: Node) -> str:
    """The class by which a node is coloured."""
    if not node.known:
        return "unknown"
    return GROUPS.get(node.kind, "function")


def leaves(node: Node) -> str:
    """The size of a node's result, ``28x28x192``."""
    return shown(node.shape)


def settings(node: Node) -> str:
    """A node's attributes in one line; a channel table or a long list is only counted."""
    said = (
        f"{key} {_value(value)}"
        for key, value in sorted(node.attributes.items())
        if value is not None and _SAID.get(key) != value
    )
    return ", ".join(said)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if not isinstance(value, (tuple, list)):
        return str(value)
    if len(value) > 4:
        return f"of {len(value)}"
    if value and all(isinstance(each, (tuple, list)) for each in value):
        flat = {side for pair in value for side in pair}
        if len(flat) == 1:
            return str(flat.pop())
        return " and ".join("+".join(map(_value, pair)) for pair in value)
    return "x".join(map(_value, value))
