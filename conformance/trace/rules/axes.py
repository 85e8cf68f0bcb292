"""What the axes of a value are called, and how long they become."""

from __future__ import annotations

from conformance.graph.axes import Axes, Axis


def name_of(axis: Axis, default: str = "") -> str:
    """The letter of an axis; ``default`` for one of length 1 that means nothing."""
    return axis[0][0] if len(axis) == 1 else default if not axis else ""


def resized(axes: Axes, shape: tuple[int, ...], names: tuple[str, ...] = ("H", "W")) -> Axes:
    """The same axes, those of these names as long as they are in ``shape``."""
    return tuple(
        ((name_of(axis), shape[i]),) if name_of(axis) in names else axis
        for i, axis in enumerate(axes)
    )


def channels(shape: tuple[int, ...]) -> int:
    return shape[-1]


def every(count: int) -> tuple[int, ...]:
    return tuple(range(count))
