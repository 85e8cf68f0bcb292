"""Which axis of a framework's array is height, width or channel, followed through layout changes.

An axis is a tuple of atoms ``(name, size)`` with names N, H, W, C: one atom for an ordinary
axis, several for axes that a reshape has merged, none for an axis of length 1 that means nothing.
"""

from __future__ import annotations

from math import prod

import numpy as np

Atom = tuple[str, int]
Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]


def named(shape: tuple[int, ...], names: str) -> Axes:
    """The axes of an array whose layout is spelt out, for example ``NHWC``."""
    return tuple(((name, size),) for name, size in zip(names, shape, strict=True))


def axis_of(axes: Axes, name: str) -> int | None:
    """The axis that holds the named atom."""
    return next((i for i, axis in enumerate(axes) if any(n == name for n, _ in axis)), None)


def name_of(axis: Axis, default: str = "") -> str:
    """The letter of an axis; ``default`` for one of length 1 that means nothing."""
    return axis[0][0] if len(axis) == 1 else default if not axis else ""


def resized(axes: Axes, shape: tuple[int, ...], names: tuple[str, ...] = ("H", "W")) -> Axes:
    """The same axes, those of these names as long as they are in ``shape``."""
    return tuple(
        ((name_of(axis), shape[i]),) if name_of(axis) in names else axis
        for i, axis in enumerate(axes)
    )


def shape_of(axes: Axes) -> tuple[int, ...]:
    """Height x width x channels of an image; the length of a vector."""
    atoms = [atom for axis in axes for atom in axis if atom[0] != "N"]
    if any(len(axis) > 1 and any(name == "C" for name, _ in axis) for axis in axes):
        return (prod(size for _, size in atoms),)
    sizes = dict(atoms)
    if len(axes) >= 4 or {"H", "W"} <= sizes.keys():
        return (sizes.get("H", 1), sizes.get("W", 1), sizes.get("C", 1))
    return (prod(sizes.values()),)


def transposed(axes: Axes, permutation: tuple[int, ...]) -> Axes:
    """The axes after numpy.transpose."""
    return tuple(axes[i] for i in permutation)


def reshaped(axes: Axes, shape: tuple[int, ...]) -> Axes | None:
    """The axes after a reshape that merges, splits what was merged, or moves ones; else None."""
    atoms = [atom for axis in axes for atom in axis if atom[0] != "N" and atom[1] != 1]
    batch = [atom for axis in axes for atom in axis if atom[0] == "N"]
    result: list[Axis] = []
    for size in shape:
        if batch and size == batch[0][1]:
            result.append((batch.pop(),))
            continue
        taken: list[Atom] = []
        while atoms and prod(s for _, s in taken) < size:
            taken.append(atoms.pop(0))
        if prod(s for _, s in taken) != size:
            return None
        result.append(tuple(taken))
    return None if atoms else tuple(result)


def spatial_order(axis: Axis) -> str:
    """In which order a merged axis runs through the image: ``HW`` is row by row."""
    return "".join(name for name, size in axis if name in "HW" and size > 1)


def to_neutral(array: np.ndarray, axes: Axes) -> np.ndarray:
    """A framework's array as batch x height x width x channels, or as batch x length.

    A merged axis is put into the order height, width, channel.
    """
    atoms = [atom for axis in axes for atom in axis]
    spread = np.asarray(array).reshape([size for _, size in atoms])
    order = sorted(range(len(atoms)), key=lambda i: "NHWC".index(atoms[i][0]))
    spread = spread.transpose(order)
    sizes = shape_of(axes)
    return spread.reshape((-1, *sizes))


def vector_steps(axis: Axis) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Layout steps that put a vector along a merged axis into the order height, width, channel."""
    order = tuple(sorted(range(len(axis)), key=lambda i: "NHWC".index(axis[i][0])))
    if order == tuple(range(len(axis))):
        return ()
    sizes = tuple(size for _, size in axis)
    return (("reshape", sizes), ("transpose", order), ("reshape", (prod(sizes),)))
