"""Errors over depth on a logarithmic axis, as points in pixels; a template makes them SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from conformance.judge.record.modes import Compared, nearness

#: Pixels of the plot, and of what stands left of and below it.
WIDTH, HEIGHT = 680, 240
LEFT, BELOW, ABOVE = 56, 26, 10

#: No more points than this a curve; each is then the worst of its neighbours.
POINTS = 340


@dataclass(frozen=True, slots=True)
class Curve:
    """Errors of one run in one mode, node by node, and what each was allowed."""

    label: str
    nodes: tuple[int, ...]
    errors: tuple[float, ...]
    bounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """A control arm: a node that was computed wrongly on purpose, and of which curve."""

    node: int
    error: float
    curve: int
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and its bound as SVG paths; ``lost`` is where errors are no number first."""

    label: str
    errors: str
    bounds: str
    lost: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn: lines, control arms above the bound, and a tick a power of ten."""

    lines: list[Line]
    arms: list[tuple[float, float, int, str]]
    ticks: list[tuple[float, str]]
    nodes: list[tuple[float, str]]
    width: int = LEFT + WIDTH + 8
    height: int = ABOVE + HEIGHT + BELOW


def of(label: str, found: Compared) -> Curve:
    """The curve of what a run compared in one mode; of a node's results the worst."""
    worst: dict[int, tuple[float, float]] = {}
    for each in sorted(found.results, key=nearness):
        worst[each.node] = each.error, each.bound
    nodes = sorted(worst)
    return Curve(
        label,
        tuple(nodes),
        tuple(worst[node][0] for node in nodes),
        tuple(worst[node][1] for node in nodes),
    )


def plot(curves: list[Curve], arms: Iterable[Arm] = ()) -> Plot | None:
    """The plot of some curves and of their control arms; None without a point."""
    arms = [arm for arm in arms if isfinite(arm.error) and arm.error > 0]
    values = [value for curve in curves for value in (*curve.errors, *curve.bounds)]
    values = [value for value in values if isfinite(value) and value > 0]
    values += [arm.error for arm in arms]
    if not values:
        return None
    low = floor(log10(min(values)))
    high = max(ceil(log10(max(values))), low + 1)
    last = max(1, *(node for curve in curves for node in curve.nodes))

    def x(node: float) -> float:
        return round(LEFT + WIDTH * node / last, 1)

    def y(value: float) -> float:
        # An error of exactly nothing lies on the floor.
        power = log10(value) if value > 0 else low
        return round(ABOVE + HEIGHT * (high - power) / (high - low), 1)

    every = max(1, 10 ** floor(log10(last)) // (1 if last >= 5 * 10 ** floor(log10(last)) else 4))
    return Plot(
        [_line(curve, x, y) for curve in curves],
        [(x(arm.node), y(arm.error), arm.curve, arm.name) for arm in arms],
        [(y(10.0**p), f"1e{p}") for p in range(high, low - 1, -max(1, (high - low) // 8))],
        [(x(n), str(n)) for n in range(0, last + 1, every)],
    )


def _line(curve: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> Line:
    size = ceil(len(curve.nodes) / POINTS)
    errors: list[tuple[float, float]] = []
    bounds: list[tuple[float, float]] = []
    lost = (node for node, e in zip(curve.nodes, curve.errors, strict=True) if not isfinite(e))
    first = next(lost, None)
    for start in range(0, len(curve.nodes), size):
        end = x(curve.nodes[start : start + size][-1])
        if some := [e for e in curve.errors[start : start + size] if isfinite(e)]:
            errors.append((end, y(max(some))))
        if limits := [b for b in curve.bounds[start : start + size] if isfinite(b)]:
            bounds.append((end, y(min(limits))))
    return Line(curve.label, _path(errors), _path(bounds), None if first is None else x(first))


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""
