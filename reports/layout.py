"""Where the boxes of a small graph go: layers by longest path, as few crossings as sweeps leave.

The method is that of Sugiyama, Tagawa and Toda (1981): layers, then helpers where an edge passes
a layer, then an order in each layer by the mean of its neighbours, then places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The widths of a box and of an edge that passes a layer, in boxes.
BOX, EDGE = 1.0, 0.2

SWEEPS = 6

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of boxes, and for each edge the points that it passes, both in boxes and layers."""

    boxes: list[Point]
    edges: list[list[Point]]
    width: float
    height: int


def layered(count: int, edges: Sequence[tuple[int, int]]) -> Layout:
    """Place ``count`` boxes; an edge leads from a lower number to a higher one."""
    layer = [0] * count
    for a, b in sorted(edges):
        layer[b] = max(layer[b], layer[a] + 1)
    chains: list[list[int]] = []
    for a, b in edges:
        chain = [a]
        for level in range(layer[a] + 1, layer[b]):
            layer.append(level)
            chain.append(len(layer) - 1)
        chains.append([*chain, b])
    height = max(layer, default=-1) + 1
    rows: list[list[int]] = [[] for _ in range(height)]
    for index, level in enumerate(layer):
        rows[level].append(index)
    above: list[list[int]] = [[] for _ in layer]
    below: list[list[int]] = [[] for _ in layer]
    for chain in chains:
        for a, b in zip(chain, chain[1:], strict=False):
            below[a].append(b)
            above[b].append(a)
    widths = [BOX if index < count else EDGE for index in range(len(layer))]
    places = [0.0] * len(layer)
    for row in rows:
        _put(row, [float(i) for i in range(len(row))], places, widths)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            near = above if down else below
            wished = {i: _mean([places[j] for j in near[i]], places[i]) for i in row}
            row.sort(key=lambda i: (wished[i], i))
            _put(row, [wished[i] for i in row], places, widths)
    left = min((places[i] - widths[i] / 2 for i in range(len(layer))), default=0.0)
    right = max((places[i] + widths[i] / 2 for i in range(len(layer))), default=0.0)
    points = [(places[i] - left, float(layer[i])) for i in range(len(layer))]
    return Layout(
        points[:count], [[points[i] for i in chain] for chain in chains], right - left, height
    )


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _put(row: list[int], wished: list[float], places: list[float], widths: list[float]) -> None:
    """Give each its wish as nearly as the others leave room: between the leftmost and the
    rightmost places that keep the order and the widths."""
    room = [(widths[a] + widths[b]) / 2 for a, b in zip(row, row[1:], strict=False)]
    right, left = list(wished), list(wished)
    for i in range(1, len(row)):
        right[i] = max(right[i], right[i - 1] + room[i - 1])
    for i in range(len(row) - 2, -1, -1):
        left[i] = min(left[i], left[i + 1] - room[i])
    for i, index in enumerate(row):
        places[index] = (left[i] + right[i]) / 2
