"""A part of a graph as boxes and lines with coordinates in pixels; a template makes it SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.graph.model import Graph
from conformance.reports import labels
from conformance.reports.fold import Part
from conformance.reports.layout import layered

#: Pixels: a box, and the distance from one to the next.
WIDTH, HEIGHT = 132, 36
ACROSS, DOWN = 148, 54
MARGIN = 8


@dataclass(frozen=True, slots=True)
class Box:
    """A node, a fold (``node`` None), or where another row is read from (``stub``)."""

    x: float
    y: float
    node: int | None
    name: str
    leaves: str = ""
    group: str = "fold"
    mark: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and lines of a picture of some size."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[str]


def draw(graph: Graph, rows: list[str], part: Part, marks: Mapping[int, str]) -> Drawing:
    """The picture of one part; ``marks`` says what is wrong at a node, by its number."""
    member = set(part.nodes)
    folds = {i: fold for fold, (_, nodes) in enumerate(part.repeats) for i in nodes}
    keys: dict[tuple[str, object], int] = {}

    def box_of(index: int) -> tuple[str, object]:
        if index not in member:
            return "from", index
        return ("fold", folds[index]) if index in folds else ("node", index)

    for index in part.nodes:
        for source in graph.nodes[index].inputs:
            if source not in member:
                keys.setdefault(box_of(source), len(keys))
    for index in part.nodes:
        keys.setdefault(box_of(index), len(keys))
    edges = dict.fromkeys(
        (keys[box_of(source)], keys[box_of(index)])
        for index in part.nodes
        for source in graph.nodes[index].inputs
        if box_of(source) != box_of(index)
    )
    layout = layered(len(keys), list(edges))
    boxes = [
        _box(graph, rows, part, marks, key, x * ACROSS + MARGIN, y * DOWN + HEIGHT / 2 + MARGIN)
        for (x, y), key in zip(layout.boxes, keys, strict=True)
    ]
    return Drawing(
        round(layout.width * ACROSS + 2 * MARGIN),
        max(layout.height - 1, 0) * DOWN + HEIGHT + 2 * MARGIN,
        boxes,
        [_line(points) for points in layout.edges],
    )


def _box(
    graph: Graph,
    rows: list[str],
    part: Part,
    marks: Mapping[int, str],
    key: tuple[str, object],
    x: float,
    y: float,
) -> Box:
    kind, value = key
    assert isinstance(value, int)
    if kind == "fold":
        times, nodes = part.repeats[value]
        return Box(x, y, nodes[0], f"{times} more alike", f"nodes {nodes[0]} to {nodes[-1]}")
    node = graph.nodes[value]
    if kind == "from":
        return Box(x, y, value, f"from {rows[value] or 'input'}", labels.leaves(node), "stub")
    mark = marks.get(value, "")
    hint = "; ".join(filter(None, (labels.settings(node), str(node.where), mark)))
    return Box(x, y, value, labels.name(node), labels.leaves(node), labels.group(node), mark, hint)


def _line(points: list[tuple[float, float]]) -> str:
    """A path from below the first box to above the last, smooth between the layers."""
    pixels = [(x * ACROSS + MARGIN, y * DOWN + MARGIN) for x, y in points]
    (x, y), *rest = pixels
    parts = [f"M{x:.0f} {y + HEIGHT:.0f}"]
    y += HEIGHT
    for position, (to, layer) in enumerate(rest):
        last = position == len(rest) - 1
        middle = (y + layer) / 2
        parts.append(f"C{x:.0f} {middle:.0f} {to:.0f} {middle:.0f} {to:.0f} {layer:.0f}")
        x, y = to, layer
        if not last:
            y += HEIGHT
            parts.append(f"V{y:.0f}")
    return "".join(parts)
