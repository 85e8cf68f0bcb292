"""Layers as the reference writes them."""

from __future__ import annotations

from conformance.graph.model import Node
from conformance.kinds import KINDS

#: The kinds that the reference writes; others stand in no table.
WRITTEN = frozenset(name for name, row in KINDS.items() if row.written)


def layer(node: Node) -> str:
    """A layer as the reference writes it, or '' where no table has its kind."""
    return node.row.written(node) if node.row and node.row.written else ""


def written(nodes: list[Node], kinds: frozenset[str]) -> tuple[str, ...]:
    """Layers of some kinds as the reference writes them, ``3x3/2 64`` or ``fc 4096``; sorted."""
    return tuple(sorted(layer(node) for node in nodes if node.kind in kinds))
