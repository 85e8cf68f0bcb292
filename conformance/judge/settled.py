"""Layers that no rule reads in one of two ports: values settle whether they are the other's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.graph.align import Finding as Difference
from conformance.graph.model import Graph
from conformance.judge.port.supposed import supposed, unread
from conformance.numbers.stored import Slots


@dataclass(frozen=True, slots=True)
class Instead:
    """A layer of A and one of B, one of them supposed to be it: all that each is made of."""

    a: int
    b: int
    in_a: frozenset[int]
    in_b: frozenset[int]

    def explains(self, each: Difference, b: Graph) -> bool:
        """Whether a difference is only in how the layer is written."""
        reads = b.nodes[each.found_node].inputs if each.found_node is not None else ()
        return (
            each.expected_node in self.in_a
            or each.found_node in self.in_b
            or (each.attribute == "inputs" and self.b in reads)
        )

    def tells(self, held: Slots) -> bool:
        """Whether results tell anything: by a kernel of zeros all layers are alike."""
        slots = held.graph.nodes[self.a].slots
        return "kernel" not in slots or bool(held(self.a, "kernel").any())


def candidates(a: Graph, b: Graph, pairs: dict[int, int]) -> tuple[Graph, Graph, list[Instead]]:
    """Both graphs with what their unread operations may be, and where that is."""
    back = {j: i for i, j in pairs.items()}
    one, two = supposed(b, a, back), supposed(a, b, pairs)
    found = [Instead(i, j, frozenset({i}), frozenset(chain)) for i, j, chain in unread(a, b, pairs)]
    found += [Instead(i, j, frozenset(chain), frozenset({j})) for j, i, chain in unread(b, a, back)]
    return one, two, [e for e in found if one.nodes[e.a].slots == two.nodes[e.b].slots]


def words(graph: Graph, nodes: Iterable[int]) -> str:
    """The operations that some nodes are, as their libraries call them."""
    kinds = (graph.nodes[i].kind.removeprefix("unknown:") for i in sorted(nodes))
    return ", ".join(dict.fromkeys(kinds))
