"""A graph folded for reading: a part for each row of the paper's table, repetitions drawn once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from conformance.graph.model import Graph

#: A repetition is folded where this many nodes at least need not be drawn.
WORTH_FOLDING = 12

#: How many pieces one period of a repetition may have.
LONGEST_PERIOD = 6


@dataclass(slots=True)
class Part:
    """A row's nodes; of those in ``repeats`` only a box is drawn, after the unit that they repeat.

    A repeat is how many units alike follow, and their nodes.
    """

    row: str
    nodes: list[int]
    repeats: list[tuple[int, list[int]]] = field(default_factory=list)


def parts(graph: Graph, rows: list[str], marked: Collection[int] = ()) -> list[Part]:
    """The graph's parts, in the order in which their first node is computed.

    ``rows`` names the row of each node; ``marked`` nodes are never folded away.
    """
    found: dict[str, list[int]] = {}
    for index in range(len(graph)):
        found.setdefault(rows[index], []).append(index)
    readers = graph.consumers()
    return [
        Part(row, nodes, list(_repeats(graph, _pieces(nodes, readers), marked)))
        for row, nodes in found.items()
    ]


def _pieces(nodes: list[int], readers: list[list[int]]) -> list[list[int]]:
    """A row cut wherever all that follows depends on the one node before the cut."""
    pieces: list[list[int]] = []
    start = reach = 0
    for position, index in enumerate(nodes):
        if reach <= index:
            pieces.append(nodes[start : position + 1])
            start = position + 1
        reach = max([reach, *readers[index]])
    if start < len(nodes):
        pieces.append(nodes[start:])
    return pieces


def _repeats(
    graph: Graph, pieces: list[list[int]], marked: Collection[int]
) -> Iterator[tuple[int, list[int]]]:
    signs = [_sign(graph, piece, marked) for piece in pieces]
    position = 0
    while position < len(signs):
        best = (0, 0, 0)
        for period in range(1, LONGEST_PERIOD + 1):
            unit, times = signs[position : position + period], 1
            while signs[position + times * period : position + (times + 1) * period] == unit:
                times += 1
            spared = (times - 1) * sum(map(len, pieces[position : position + period]))
            best = max(best, (spared, -period, times))
        spared, period, times = best[0], -best[1], best[2]
        if spared < WORTH_FOLDING:
            position += 1
            continue
        end = position + times * period
        yield times - 1, [i for piece in pieces[position + period : end] for i in piece]
        position = end


def _sign(graph: Graph, piece: list[int], marked: Collection[int]) -> tuple[object, ...]:
    """What makes two pieces look alike: their nodes and how these are wired to each other."""
    place = {index: position for position, index in enumerate(piece)}
    return tuple(
        (
            node.kind,
            repr(node.attributes),
            node.shape,
            tuple(node.slots.items()),
            tuple(place.get(i, -1) for i in node.inputs),
            index if index in marked else None,
        )
        for index in piece
        for node in [graph.nodes[index]]
    )
