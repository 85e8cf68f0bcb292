"""Stored arrays that several nodes read: which object a layer is, and not only what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.graph.model import Graph


@dataclass(frozen=True, slots=True)
class Shared:
    """A node that reads stored arrays of an earlier one."""

    node: int
    earlier: int
    slots: tuple[str, ...]


def shared(graph: Graph) -> Iterator[Shared]:
    """Every node with slots that an earlier node has already, by the array's own name."""
    first: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        found: dict[int, list[str]] = {}
        for slot, pieces in node.parameters.items():
            for handle in {piece.handle for piece in pieces}:
                earlier = first.setdefault(handle, index)
                if earlier != index:
                    found.setdefault(earlier, []).append(slot)
        for earlier, slots in found.items():
            yield Shared(index, earlier, tuple(sorted(set(slots))))


def repeated(graph: Graph) -> dict[int, set[str]]:
    """The slots of each node that are stored once and were counted before."""
    found: dict[int, set[str]] = {}
    for each in shared(graph):
        found.setdefault(each.node, set()).update(each.slots)
    return found
