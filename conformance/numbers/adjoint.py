"""Reverse mode for the oracle: NumPy walks a neutral graph back, one adjoint rule for each kind.

A rule turns the gradient with respect to a node's result into those with respect to its inputs
and its slots.  Which side of a rectifier a value is on and which cell of a window is the largest
is decided in double precision whatever the precision of the walk: a value near such an edge would
otherwise make a difference that has nothing to do with how the gradient is summed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from conformance.graph.model import Node
from conformance.numbers.oracle import (
    UNFOLDED,
    CannotCompute,
    Oracle,
    batch_statistics,
    by_offset,
    pad,
    windows,
)

#: The slots that a training step moves by their gradient.
TRAINED = frozenset({"kernel", "bias", "gamma", "beta", "coefficient"})


class Step(NamedTuple):
    """What a rule is given: the node with its slots, inputs and result, and ``decisive``, its
    first input in double precision."""

    node: Node
    slots: dict[str, np.ndarray]
    inputs: list[np.ndarray]
    result: np.ndarray
    decisive: np.ndarray


#: Gradients with respect to the inputs, in their order, and with respect to the slots.
Gradients = tuple[list[np.ndarray], dict[str, np.ndarray]]


def backward(
    forward: Oracle, cotangents: dict[int, np.ndarray], decisive: Oracle | None = None
) -> Iterator[tuple[int, np.ndarray, dict[str, np.ndarray]]]:
    """Differentiate the sum of ``results * cotangents``, from the last node to the first.

    ``forward`` still holds the result of every node, as does ``decisive``, the same in double
    precision.  Yields a node, the gradient with respect to its result and those with respect to
    its trained slots; a node that no output depends on is left out.  Raises
    :class:`~conformance.numbers.oracle.CannotCompute` where there is no rule.
    """
    graph, kind = forward.graph, forward.dtype
    edges = (decisive or forward).results
    arrived = {index: np.asarray(array, kind) for index, array in cotangents.items()}
    for index in range(len(graph) - 1, -1, -1):
        if index not in arrived:
            continue
        gradient, node = arrived.pop(index), graph.nodes[index]
        if node.kind == "input":
            yield index, gradient, {}
            continue
        if node.kind not in ADJOINTS:
            raise CannotCompute(f"no adjoint rule for {node.kind} at {node.where}")
        slots = forward.parameters(index)
        inputs = [forward.results[i] for i in node.inputs]
        step = Step(node, slots, inputs, forward.results[index], edges[node.inputs[0]])
        with np.errstate(all="ignore"):
            parts, of_slots = ADJOINTS[node.kind](step, gradient)
        for source, part in zip(node.inputs, parts, strict=True):
            part = part.reshape(forward.results[source].shape)
            # Two readers' parts are added into a new array: a rule may have passed its own on.
            arrived[source] = arrived[source] + part if source in arrived else part
        yield index, gradient, {name: of_slots[name] for name in of_slots if name in slots}


def _channels(x: np.ndarray) -> np.ndarray:
    """The sum over everything but the channels."""
    return np.asarray(x.reshape(-1, x.shape[-1]).sum(axis=0))


def _without_padding(g: np.ndarray, padding: Any) -> np.ndarray:
    """The adjoint of padding is cropping, and the other way round."""
    return pad(g, [(-p, -q) for p, q in padding])


def _conv(step: Step, g: np.ndarray) -> Gradients:
    a, kernel = step.node.attributes, step.slots["kernel"]
    x = pad(step.inputs[0], a["padding"])
    groups, (kh, kw, into, out) = a["groups"], kernel.shape
    (sh, sw), (dh, dw) = a["stride"], a["dilation"]
    view = windows(x, (kh, kw), a["stride"], a["dilation"])
    batch, height, width = view.shape[:3]
    to_kernel, to_input = np.zeros_like(kernel), np.zeros_like(x)
    share = out // groups
    strip = max(1, UNFOLDED // (batch * width * kh * kw * into * groups))
    for start in range(0, height, strip):
        rows = view[:, start : start + strip]
        top, tall = start * sh, rows.shape[1]
        for group in range(groups):
            outputs = slice(group * share, (group + 1) * share)
            channels = slice(group * into, (group + 1) * into)
            part = rows[..., channels, :, :].transpose(0, 1, 2, 4, 5, 3)
            above = g[:, start : start + strip, :, outputs].reshape(-1, share)
            product = part.reshape(-1, kh * kw * into).T @ above
            to_kernel[..., outputs] += product.reshape(kh, kw, into, share)
            for i in range(kh):
                for j in range(kw):
                    cell = above @ kernel[i, j, :, outputs].T
                    first, left = top + i * dh, j * dw
                    to_input[
                        :,
                        first : first + (tall - 1) * sh + 1 : sh,
                        left : left + (width - 1) * sw + 1 : sw,
                        channels,
                    ] += cell.reshape(batch, tall, width, into)
    if table := step.node.attributes.get("table"):
        # What a connection table leaves out is not there to be moved.
        connected = np.zeros(kernel.shape[2:], kernel.dtype)
        for output, maps in enumerate(table):
            connected[list(maps), output] = 1
        to_kernel *= connected
    to_input = _without_padding(to_input, a["padding"])
    return [to_input], {"kernel": to_kernel, "bias": _channels(g)}


def _dense(step: Step, g: np.ndarray) -> Gradients:
    (x,) = step.inputs
    to_input = (g @ step.slots["kernel"].T).reshape(x.shape)
    return [to_input], {"kernel": x.reshape(len(x), -1).T @ g, "bias": _channels(g)}


def _spread(g: np.ndarray, like: np.ndarray, a: dict[str, Any], chosen: Any = None) -> np.ndarray:
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
    return _without_padding(spread, a["padding"])


def _max_pool(step: Step, g: np.ndarray) -> Gradients:
    a = step.node.attributes
    padded = pad(step.decisive, a["padding"], -np.inf)
    largest = by_offset(padded, a, np.maximum)
    taken = np.zeros(largest.shape, bool)

    def chosen(cell: np.ndarray) -> np.ndarray:
        # Of equal cells, the first.  They are equal where a rectifier has closed them all, or where
        # overlapping windows before chose one value twice: what they are given ends in one place.
        new = (cell == largest) & ~taken
        np.logical_or(taken, new, out=taken)
        return new

    return [_spread(g, padded, a, chosen)], {}


def _avg_pool(step: Step, g: np.ndarray) -> Gradients:
    a, (x,) = step.node.attributes, step.inputs
    padded = pad(x, a["padding"])
    counts: Any = g.dtype.type(prod(a["kernel"]))
    if a["padding"] != ((0, 0), (0, 0)) and not a["count_include_pad"]:
        counts = by_offset(pad(np.ones((1, *x.shape[1:3], 1), x.dtype), a["padding"]), a, np.add)
    return [_spread(g / counts, padded, a)], {}


def _global_avg_pool(step: Step, g: np.ndarray) -> Gradients:
    (x,) = step.inputs
    return [np.broadcast_to(g / g.dtype.type(prod(x.shape[1:3])), x.shape)], {}


def _subsample(step: Step, g: np.ndarray) -> Gradients:
    a, coefficient = step.node.attributes, step.slots["coefficient"]
    padded, divisor = pad(step.inputs[0], a["padding"]), g.dtype.type(a["divisor"])
    summed = by_offset(padded, a, np.add) / divisor
    to_input = _spread(g * coefficient / divisor, padded, a)
    return [to_input], {"coefficient": _channels(g * summed), "bias": _channels(g)}


def _rbf(step: Step, g: np.ndarray) -> Gradients:
    (x,), centres = step.inputs, step.slots["centres"]
    away = x.reshape(len(x), 1, -1) - centres
    return [(2 * g[..., None] * away).sum(axis=1).reshape(x.shape)], {}


def _batch_norm(step: Step, g: np.ndarray) -> Gradients:
    (x,), slots, kind = step.inputs, step.slots, g.dtype.type
    own = step.node.attributes.get("statistics") == "batch"
    if own:
        mean, variance = batch_statistics(x)
    else:
        mean, variance = slots.get("mean", kind(0)), slots["variance"]
    scale = 1 / np.sqrt(variance + kind(step.node.attributes["epsilon"]))
    normal = (x - mean) * scale
    of_slots = {"gamma": _channels(g * normal), "beta": _channels(g)}
    if own:  # what moves the batch's mean or spread is taken back
        count = kind(x.size // x.shape[-1])
        g = g - of_slots["beta"] / count - normal * (of_slots["gamma"] / count)
    return [g * (slots.get("gamma", kind(1)) * scale)], of_slots


def _lrn(step: Step, g: np.ndarray) -> Gradients:
    a, (x,), kind = step.node.attributes, step.inputs, g.dtype.type
    n, alpha, beta = int(a["n"]), kind(a["alpha"]), kind(a["beta"])
    maps, flat = x.shape[-1], [(0, 0)] * (x.ndim - 1)

    def summed(values: np.ndarray, below: int, above: int) -> np.ndarray:
        wide = np.pad(values, [*flat, (below, above)])
        return np.asarray(sum(wide[..., i : i + maps] for i in range(n)))

    base = kind(a["k"]) + alpha * summed(x * x, n // 2, (n - 1) // 2)
    shrunk = base**-beta
    # A channel is in the windows of the channels around it, mirrored.
    around = summed(g * x * shrunk / base, (n - 1) // 2, n // 2)
    return [g * shrunk - 2 * alpha * beta * x * around], {}


def _softmax(step: Step, g: np.ndarray) -> Gradients:
    y = step.result
    return [y * (g - (g * y).sum(axis=-1, keepdims=True))], {}


def _concat(step: Step, g: np.ndarray) -> Gradients:
    ends = np.cumsum([x.shape[-1] for x in step.inputs])[:-1]
    return np.split(g, ends, axis=-1), {}


def _scale(step: Step, g: np.ndarray) -> Gradients:
    factor = np.asarray(step.node.attributes["factor"], g.dtype)
    of_slots = {"gamma": _channels(g * step.inputs[0] * factor), "beta": _channels(g)}
    return [g * factor * step.slots.get("gamma", g.dtype.type(1))], of_slots


def _pad(step: Step, g: np.ndarray) -> Gradients:
    a = step.node.attributes
    before, after = a.get("channels", (0, 0))
    return [_without_padding(g[..., before : g.shape[-1] - after], a["padding"])], {}


def _upsample(step: Step, g: np.ndarray) -> Gradients:
    (x,), (height, width) = step.inputs, step.node.attributes["factor"]
    batch, rows, columns, maps = x.shape
    return [g.reshape(batch, rows, height, columns, width, maps).sum(axis=(2, 4))], {}


ADJOINTS: dict[str, Any] = {
    "conv": _conv,
    "dense": _dense,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_avg_pool": _global_avg_pool,
    "subsample": _subsample,
    "rbf": _rbf,
    "batch_norm": _batch_norm,
    "lrn": _lrn,
    "relu": lambda step, g: ([g * (step.decisive > 0)], {}),
    "tanh": lambda step, g: ([g * (1 - step.result**2)], {}),
    "sigmoid": lambda step, g: ([g * step.result * (1 - step.result)], {}),
    "softmax": _softmax,
    "add": lambda step, g: ([g, g], {}),
    "concat": _concat,
    "scale": _scale,
    "dropout": lambda step, g: ([g / g.dtype.type(1 - step.node.attributes["rate"])], {}),
    "flatten": lambda step, g: ([g.reshape(step.inputs[0].shape)], {}),
    "pad": _pad,
    "upsample": _upsample,
}
