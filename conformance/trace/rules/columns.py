"""Convolutions written as one product, with windows that were laid out before (im2col)."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import prod

import numpy as np

from conformance.graph.axes import Atom, Axes, Axis, name_of
from conformance.trace.evaluation import LAYOUT, evaluate
from conformance.trace.meanings import Algebra, Flowing, Padding, Plain, Step, Stored
from conformance.trace.rule import rule
from conformance.trace.stored import array_of
from conformance.trace.tape import Tape
from conformance.trace.walk import Walk

#: What puts numbers elsewhere, and zeros beside them.
MOVES = LAYOUT | {"pad", "slice", "concat", "take"}

#: For every axis, in the order in which numbers run through them, where they stand along it.
Grid = dict[str, range]


def convolution_of(
    walk: Walk, op: Step, x: Algebra, kernel: Stored, along: int, into: int, last: bool
) -> Plain | None:
    """windows(x) · kernel -> conv(x, kernel); None where x is no layout of windows.

    ``along`` and ``into`` are the axes that the product sums over, and the outputs are the
    ``last`` axis of its result or the first.
    """
    shape, stored = walk.shape(kernel), array_of(walk.tape, kernel.value)
    source = _moved(walk, x.value)
    if source is None or stored is None or stored[1] is not None or len(shape) != 2:
        return None
    if (found := _windows(walk, source, x.value, along)) is None:
        return None
    window, windows, axes = found
    sizes = {name: len(window[name]) for name in "HWC"}
    order, slot = [*window], (*sizes.values(), shape[1 - into])
    steps = (
        *stored[0].steps,
        ("transpose", (into, 1 - into)),
        ("reshape", (*(sizes[name] for name in order), slot[3])),
        ("transpose", (*map(order.index, "HWC"), 3)),
    )
    attributes = {
        "kernel": slot[:2], "stride": tuple(windows[name].step for name in "HW"),
        "padding": _padding(walk.of(source).shape, window, windows),
        "dilation": tuple(window[name].step for name in "HW"), "groups": 1, "bias": False,
    }  # fmt: skip
    made = (("C", slot[3]),)
    return walk.node(
        "conv", attributes, (source.node,), (*axes, made) if last else (made, *axes), op.value,
        {"kernel": (replace(stored[0], steps=steps),)}, {"kernel": slot},
    )  # fmt: skip


@rule("conv")
def by_ones(walk: Walk, op: Step, x: Flowing, kernel: Stored) -> Algebra | None:
    """A convolution by constants that picks one cell of every window for each output."""
    return laid_out(walk, op.value) if _picks(walk.tape, op.value) else None


def laid_out(walk: Walk, value: int) -> Algebra | None:
    """What moves alone make of one result: its windows, say, a cell of each and then the next."""
    if (source := _moved(walk, value)) is None:
        return None
    return Algebra(Plain(source.node, source.axes, walk.of(source).value), value)


def _moved(walk: Walk, value: int) -> Plain | None:
    """The one result that a value is made of by moves alone, with zeros beside it."""
    found, seen, stack = dict[int, Plain](), set[int](), [value]
    while stack:
        if (each := stack.pop()) in seen:
            continue
        seen.add(each)
        op, meaning = walk.tape[each], walk.means.get(each)
        if isinstance(meaning, Plain) and not _is_part(walk, meaning):
            found[each] = meaning
        elif isinstance(meaning, Stored):
            if not walk.tape.vanishes(each, written=True):
                return None
        elif op.name in MOVES and op.attributes.get("value", 0.0) == 0.0:
            stack += op.inputs
        elif _picks(walk.tape, each):
            stack.append(op.inputs[0])
        else:
            return None
    return found.popitem()[1] if len(found) == 1 else None


def _picks(tape: Tape, value: int) -> bool:
    """Whether a value is a convolution by constants: a single one for every output, and zeros."""
    op = tape[value]
    if op.name != "conv":
        return False
    try:
        kernel = evaluate(tape, op.inputs[1], {}).transpose(op.attributes["rhs"])
    except KeyError:
        return False  # it is made of parameters
    ones = kernel.reshape(len(kernel), -1)
    return bool(np.isin(ones, (0, 1)).all() and (ones.sum(1) == 1).all())


def _is_part(walk: Walk, x: Plain) -> bool:
    """Whether a result has been cut out of another, or has axes that are merged."""
    made = walk.of(x).value
    return (made >= 0 and walk.tape[made].name in ("slice", "pad")) or any(
        len(axis) > 1 for axis in x.axes
    )


def _windows(walk: Walk, x: Plain, value: int, along: int) -> tuple[Grid, Grid, Axes] | None:
    """The windows of a map that moves lay out along one axis, by where each number comes from.

    Returns where the first whole window stands, the upper left corners of all of them, and the
    axes that are left of the windows.
    """
    names, shape = [name_of(axis) for axis in x.axes], walk.shape(x)
    if sorted(names) != sorted("NCHW"):
        return None
    numbers = np.arange(1, prod(shape) + 1, dtype=np.int32).reshape(shape)
    try:
        laid = np.moveaxis(evaluate(walk.tape, value, {x.value: numbers}), along, -1).astype(int)
    except KeyError:
        return None
    rows = laid.reshape(-1, laid.shape[-1])
    inside, size = rows > 0, dict(zip(names, shape, strict=True))
    at = dict(zip(names, np.unravel_index(np.maximum(rows - 1, 0), shape), strict=True))
    whole = np.flatnonzero(inside.all(1))[:1]
    window = _grid({name: np.ravel(at[name][whole]) for name in "HWC"}) if len(whole) else None
    if window is None or window["C"] != range(size["C"]):
        return None
    corners, outside = {}, np.zeros_like(inside)
    for name, where in at.items():
        cell = at[name][whole] - window[name].start if name in window else 0
        corner = np.where(inside, where - cell, prod(shape)).min(1, keepdims=True)
        if (where - cell != corner)[inside].any():
            return None
        outside |= (corner + cell < 0) | (corner + cell >= size[name])
        corners[name] = np.ravel(corner)
    windows = _grid({name: corners[name] for name in "NHW"})
    if windows is None or windows["N"] != range(size["N"]) or (inside == outside).any():
        return None
    if max(windows[name].start for name in "HW") > 0:
        return None
    axes = _merged(windows, laid.shape[:-1])
    return (window, windows, axes) if axes else None


def _merged(windows: Grid, shape: tuple[int, ...]) -> Axes | None:
    """The axes of windows some of which a reshape may have merged, the images' too."""
    atoms, axes = [(name, len(span)) for name, span in windows.items()], list[Axis]()
    for size in shape:
        taken: list[Atom] = []
        while atoms and prod(n for _, n in taken) < size:
            taken.append(atoms.pop(0))
        axes.append(tuple(taken))
    alike = all(prod(n for _, n in axis) == size for axis, size in zip(axes, shape, strict=True))
    return tuple(axes) if alike and all(n == 1 for _, n in atoms) else None


def _grid(where: dict[str, np.ndarray]) -> Grid | None:
    """The places of a regular grid that some sequences run through, one for each of its axes."""
    spans: Grid = {}
    for name, each in where.items():
        places = np.unique(each)
        step = int(places[1] - places[0]) if len(places) > 1 else 1
        spans[name] = range(int(places[0]), int(places[-1]) + 1, step)
    for order in permutations(spans):
        grid = np.meshgrid(*(spans[name] for name in order), indexing="ij")
        if all(np.array_equal(np.ravel(g), where[n]) for n, g in zip(order, grid, strict=True)):
            return {name: spans[name] for name in order}
    return None


def _padding(map_of: tuple[int, ...], window: Grid, windows: Grid) -> Padding:
    """The cells around a map that windows reach; as many behind as before where nothing tells."""
    sides = []
    for name, size in zip("HW", map_of, strict=False):
        before, reach = -windows[name].start, window[name][-1] - window[name].start + 1
        even = (size + 2 * before - reach) // windows[name].step + 1 == len(windows[name])
        sides.append((before, before if even else max(0, windows[name][-1] + reach - size)))
    return sides[0], sides[1]
