"""Arithmetic that several kinds share: padding, windows, sums over all but the channels."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from conformance.kinds.kind import Adjoint, Arithmetic, Forward, Gradients, Node, Step

#: Rows of a convolution are unfolded into about this many numbers at a time: what a cache holds.
UNFOLDED = 1 << 20


def size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def window(node: Node) -> str:
    """A window as the reference writes it, ``3x3`` or ``3x3/2``."""
    stride = node.attributes["stride"]
    step = "" if stride == (1, 1) else f"/{stride[0] if stride[0] == stride[1] else size(stride)}"
    return size(node.attributes["kernel"]) + step


def pad(x: np.ndarray, padding: Any, fill: float = 0.0) -> np.ndarray:
    """Pad height and width, the second and third axes; a negative padding crops."""
    (top, bottom), (left, right) = padding
    h, w = x.shape[1:3]
    x = x[:, max(0, -top) : h + min(0, bottom), max(0, -left) : w + min(0, right)]
    grow = [(max(0, p), max(0, q)) for p, q in padding]
    if not np.any(grow):
        return x
    return np.pad(x, [(0, 0), *grow, (0, 0)][: x.ndim], constant_values=fill)


def unpad(g: np.ndarray, padding: Any) -> np.ndarray:
    """The adjoint of padding is cropping, and the other way round."""
    return pad(g, [(-p, -q) for p, q in padding])


def windows(x: np.ndarray, kernel: Any, stride: Any, dilation: Any = (1, 1)) -> np.ndarray:
    """A view of batch x rows x columns x channels x kernel height x kernel width."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))
    return views[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]


def by_offset(x: np.ndarray, a: dict[str, Any], combine: Any) -> np.ndarray:
    """Combine the window's cells one offset at a time: no unfolded copy."""
    (kh, kw), (sh, sw) = a["kernel"], a["stride"]
    rows, columns = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    result: np.ndarray | None = None
    for i in range(kh):
        for j in range(kw):
            cell = x[:, i : i + (rows - 1) * sh + 1 : sh, j : j + (columns - 1) * sw + 1 : sw]
            result = cell.copy() if result is None else combine(result, cell, out=result)
    assert result is not None
    return result


def over_windows(
    g: np.ndarray, like: np.ndarray, a: dict[str, Any], chosen: Any = None
) -> np.ndarray:
    """Give every cell of a window the window's gradient, or only the cell that was chosen.

    ``like`` is the padded input; ``chosen(cell)`` is a mask of the windows whose cell, the one
    with this offset, receives it.
    """
    (kh, kw), (sh, sw) = a["kernel"], a["stride"]
    rows, columns = g.shape[1:3]
    spread = np.zeros(like.shape, g.dtype)
    for i in range(kh):
        for j in range(kw):
            place = (
                slice(None),
                slice(i, i + (rows - 1) * sh + 1, sh),
                slice(j, j + (columns - 1) * sw + 1, sw),
            )
            spread[place] += g if chosen is None else g * chosen(like[place])
    return unpad(spread, a["padding"])


def over_channels(x: np.ndarray) -> np.ndarray:
    """The sum over everything but the channels."""
    return np.asarray(x.reshape(-1, x.shape[-1]).sum(axis=0))


def exchanged(x: np.ndarray, axis: int) -> np.ndarray:
    """The first two along an axis in each other's place."""
    return x.take([1, 0, *range(2, x.shape[axis])], axis)


def inside(x: np.ndarray, a: dict[str, Any]) -> Any:
    """How many cells each window averages: all of them, or those that are no padding."""
    if a["padding"] == ((0, 0), (0, 0)) or a["count_include_pad"]:
        return x.dtype.type(prod(a["kernel"]))
    return by_offset(pad(np.ones((1, *x.shape[1:3], 1), x.dtype), a["padding"]), a, np.add)


def over_its_axis(forward: Forward) -> Forward:
    """An operation along the channels, or along the ``axis`` that the node has in their place."""

    def moved(o: Arithmetic, node: Node, slots: dict[str, Any], x: np.ndarray) -> np.ndarray:
        axis = axis_of(node)
        y = forward(o, node, slots, np.moveaxis(x, axis, -1))
        return np.moveaxis(y, -1, axis)

    return moved


def back_over_its_axis(adjoint: Adjoint) -> Adjoint:
    """The adjoint of an operation :func:`over_its_axis`."""

    def moved(step: Step, g: np.ndarray) -> Gradients:
        axis = axis_of(step.node)
        inputs = [np.moveaxis(x, axis, -1) for x in step.inputs]
        others = (np.moveaxis(x, axis, -1) for x in (step.result, step.decisive, step.decided))
        there = Step(step.node, step.slots, inputs, *others)
        to_inputs, of_slots = adjoint(there, np.moveaxis(g, axis, -1))
        return [np.moveaxis(x, -1, axis) for x in to_inputs], of_slots

    return moved


def axis_of(node: Node) -> int:
    """The axis that a node works along: the last one, unless an attribute names another."""
    return {"batch": 0, "height": 1, "width": 2}.get(node.attributes.get("axis", ""), -1)
