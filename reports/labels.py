"""What a node is called in a picture or a table: ``conv 3x3/2 64``, ``28x28x192``, its settings."""

from __future__ import annotations

from typing import Any

from conformance.graph.model import Node
from conformance.graph.written import WRITTEN, layer
from conformance.judge.claims import shown
from conformance.values import text

#: How kinds with a trait are drawn; the others are functions.
CLASSES = {"weighted": "weights", "resizing": "pool", "norm": "norm", "join": "join", "end": "end"}

#: Settings that are the same as if they were not there, and those that a name says already.
_SILENT = {"dilation": (1, 1), "groups": 1, "bias": True}
_NAMED = frozenset({"kernel", "stride", "rate"})


def name(node: Node) -> str:
    """What a node is, as the reference writes it."""
    words = layer(node) or node.kind.replace("_", " ")
    return f"conv {words}" if node.kind == "conv" else words


def group(node: Node) -> str:
    """The class by which a node is coloured."""
    if not node.known:
        return "unknown"
    return next((name for trait, name in CLASSES.items() if node.has(trait)), "function")


def leaves(node: Node) -> str:
    """The size of a node's result, ``28x28x192``."""
    return shown(node.shape)


def settings(node: Node) -> str:
    """What a node's name does not say of it, in one line; a long list is only counted."""
    said = (
        f"{key} {value(each)}"
        for key, each in sorted(node.attributes.items())
        if each is not None and _SILENT.get(key) != each
        if not (key in _NAMED and node.kind in WRITTEN)
    )
    return ", ".join(said)


def value(of: Any) -> str:
    """An attribute's value as people write it: ``3x3``, ``(0, 1, 0, 1)``, ``yes``."""
    return text(of)
