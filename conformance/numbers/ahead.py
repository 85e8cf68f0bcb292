"""What lies ahead of each node, for whose sake its weights are chosen as they are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from conformance.graph.model import Graph, Node
from conformance.numbers.steps import LOUD, PASSING, TINY, Rounds, cells, odd, ratio


@dataclass(frozen=True, slots=True)
class Ahead:
    """What becomes of a node's result: times ``by`` it is added at ``sum``, and then rectified."""

    by: Fraction
    sum: int | None
    other: int | None
    rectified: tuple[int, ...]
    pooled: bool
    ends: bool


def demands(graph: Graph, digits: int) -> list[int]:
    """For each node the integer that its step has to be a multiple of, to be divided evenly.

    Divisions by a power of two make finer steps, and demand nothing by themselves.  Means of
    whole maps, which are at a network's end, make no demand where there is no room for it in
    ``digits``.
    """
    demanded = [1] * len(graph)
    for means in (digits > 8, False):
        demanded = [1] * len(graph)
        for index in reversed(range(len(graph))):
            node = graph.nodes[index]
            for source in node.inputs if means or node.kind != "global_avg_pool" else ():
                demand = _demand(graph, node, demanded[index], source)
                demanded[source] = lcm(demanded[source], demand)
        if max(map(odd, demanded)) * 2 <= 1 << digits:
            break
    return demanded


def _demand(graph: Graph, node: Node, own: int, source: int) -> int:
    if node.kind in PASSING:
        return own
    if node.kind in ("avg_pool", "global_avg_pool"):
        count = lcm(*cells(node, graph.nodes[source].shape))
        return own if odd(count) == 1 else own * count
    if node.kind == "scale" and np.ndim(node.attributes["factor"]) == 0:
        try:
            by = ratio(float(node.attributes["factor"]))
        except Rounds:
            return 1
        return by.denominator * own // gcd(by.numerator, own)
    return 1


def factors(graph: Graph) -> list[Fraction]:
    """For each node what its step is multiplied by for the sake of a node behind it.

    Tiny steps make a response normalisation pass on what it reads; loud ones saturate a tanh.
    """
    found = [Fraction(1)] * len(graph)
    for index in reversed(range(len(graph))):
        node = graph.nodes[index]
        for source in node.inputs:
            if node.kind == "lrn" and node.attributes["k"] == 1:
                found[source] = TINY
            elif node.kind == "tanh":
                found[source] = Fraction(LOUD)
            elif node.kind in (*PASSING, "scale") and found[index] != 1:
                found[source] = found[index]
    return found


def limits(graph: Graph, demanded: list[int], caps: list[float], digits: int) -> list[float]:
    """For each node the level that it is held to for the sake of those that it is read by.

    What only a rectifier can hold down, ``caps`` of the nodes, has to be low before it comes to
    where room is small; and ``digits`` have to suffice for the sums of windows.
    """
    found, readers = list(caps), graph.consumers()
    for index, node in reversed(list(enumerate(graph))):
        for reader in readers[index]:
            kind = graph.nodes[reader].kind
            if kind in ("avg_pool", "global_avg_pool"):
                most = max(cells(graph.nodes[reader], node.shape)) * odd(demanded[index])
                found[index] = min(found[index], (1 << digits) // most)
            elif kind != "relu":
                found[index] = min(found[index], found[reader])
    return [max(1.0, limit) for limit in found]


def ahead(graph: Graph, readers: list[list[int]], index: int) -> Ahead:
    """What becomes of a node's result; ``readers`` are those of every node."""
    by, through, nodes = Fraction(1), index, graph.nodes
    if [nodes[c].kind for c in readers[index]] == ["scale"]:
        (through,) = readers[index]
        try:
            by = ratio(float(nodes[through].attributes["factor"]))
        except (Rounds, TypeError):
            by = Fraction(1)
    total = next((c for c in readers[through] if nodes[c].kind == "add"), None)
    other = None
    if total is not None:
        other = next((i for i in nodes[total].inputs if i != through), None)
    behind = readers[through if total is None else total]
    rectified = tuple(c for c in behind if nodes[c].kind == "relu")
    pooled = any(nodes[e].kind == "max_pool" for c in rectified for e in readers[c])
    return Ahead(by, total, other, rectified, pooled, not behind)
