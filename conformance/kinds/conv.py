"""Convolution: dilated, grouped, or with a table of which maps are connected."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from conformance.chunks import each
from conformance.kinds.arrays import UNFOLDED, exchanged, over_channels, pad, unpad, window, windows
from conformance.kinds.experiment import Altered, Trial, least_squares
from conformance.kinds.hypotheses import (
    ORDERS,
    biases,
    inputs_reordered,
    products,
    turned,
    uses,
)
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step
from conformance.kinds.windows import border, dilation, padding


def convolve(x: np.ndarray, kernel: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    """Cross-correlation, as every framework's convolution is, by one matrix product a strip."""
    groups, (kh, kw, into, out) = attributes["groups"], kernel.shape
    x = pad(x, attributes["padding"])
    view = windows(x, (kh, kw), attributes["stride"], attributes["dilation"])
    batch, height, width = view.shape[:3]
    shares = kernel.reshape(kh * kw * into, groups, out // groups)
    result = np.empty((groups, batch, height, width, out // groups), x.dtype)
    strip = max(1, UNFOLDED // (width * len(shares)))

    def multiply(part: tuple[int, int, int]) -> None:
        g, n, start = part
        rows = view[n, start : start + strip, :, g * into : (g + 1) * into]
        # The unfolded rows run through the kernel's height, width and channels.
        columns = rows.transpose(0, 1, 3, 4, 2).reshape(-1, len(shares))
        place = result[g, n, start : start + strip].reshape(len(columns), -1)
        np.matmul(columns, shares[:, g], out=place)

    each(multiply, product(range(groups), range(batch), range(0, height, strip)))
    return np.moveaxis(result, 0, 3).reshape(batch, height, width, out)


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    y = convolve(o.read(x), o.read(slots["kernel"]), node.attributes)
    return o.stored(y) + slots["bias"] if "bias" in slots else y


def connected(kernel: tuple[int, ...], table: Any) -> np.ndarray:
    """Which inputs a connection table connects with which outputs: inputs x outputs."""
    mask = np.zeros(kernel[2:], bool)
    for output, maps in enumerate(table):
        mask[list(maps), output] = True
    return mask


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    a, kernel = step.node.attributes, step.slots["kernel"]
    x = pad(step.inputs[0], a["padding"])
    groups, (kh, kw, into, out) = a["groups"], kernel.shape
    (sh, sw), (dh, dw) = a["stride"], a["dilation"]
    view = windows(x, (kh, kw), a["stride"], a["dilation"])
    batch, height, width = view.shape[:3]
    to_kernel, to_input = np.zeros_like(kernel), np.zeros_like(x)
    share = out // groups
    strip = max(1, UNFOLDED // (batch * width * kh * kw * into * groups))
    strips = [
        (start, slice(group * share, (group + 1) * share), slice(group * into, (group + 1) * into))
        for start in range(0, height, strip)
        for group in range(groups)
    ]

    def of_kernel() -> None:
        for start, outputs, channels in strips:
            part = view[:, start : start + strip, :, channels].transpose(0, 1, 2, 4, 5, 3)
            above = g[:, start : start + strip, :, outputs].reshape(-1, share)
            weights = part.reshape(-1, kh * kw * into).T @ above
            to_kernel[..., outputs] += weights.reshape(kh, kw, into, share)

    def of_input() -> None:
        for start, outputs, channels in strips:
            above = g[:, start : start + strip, :, outputs]
            top, tall = start * sh, above.shape[1]
            above = above.reshape(-1, share)
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

    each(lambda half: half(), (of_kernel, of_input))
    if table := a.get("table"):  # what it leaves out is not there to be moved
        to_kernel *= connected(kernel.shape, table)
    return [unpad(to_input, a["padding"])], {"kernel": to_kernel, "bias": over_channels(g)}


def preprocessed(t: Trial) -> Altered:
    """The image was prepared by ``a x + b`` a channel before the first convolution read it."""
    channels = t.x.shape[-1]
    if not t.first or t.node.attributes["groups"] != 1 or channels > 4:
        return
    if not t.holds(2 * channels):
        return
    kernel, a = t.slots["kernel"], t.node.attributes
    parts = [convolve(t.x[..., c : c + 1], kernel[:, :, c : c + 1], a) for c in range(channels)]
    ones = np.ones_like(t.x[..., :1])
    parts += [convolve(ones, kernel[:, :, c : c + 1], a) for c in range(channels)]
    found = least_squares(parts, t.found - t.slots.get("bias", 0.0))
    if not np.isfinite(found).all():
        return
    exact = found.reshape(2, -1)
    whole = 1 / (1 / exact[0]).round()  # as where bytes are divided by 255
    rounded = [np.round(exact, digits) + 0.0 for digits in (2, 4, 12)]
    rounded[1:1] = [np.stack([whole, offset]) for _, offset in (rounded[1], rounded[2])]
    for factor, offset in rounded:
        said = [" ".join(dict.fromkeys(f"{v:.6g}" for v in values)) for values in (factor, offset)]
        words = f"the image is prepared once more, as {said[0]} x + {said[1]}"
        yield words, t.run(t.x * factor + offset)


CONV = Kind(
    name="conv",
    attributes="kernel stride padding dilation groups bias",
    optional="table",
    slots="kernel bias",
    forward=forward,
    adjoint=adjoint,
    reads="inputs",
    spread=lambda node, x: Spread(0.0, 1.1),
    altered=(
        "first two output channels swapped",
        lambda t: t.run(slots={"kernel": exchanged(t.slots["kernel"], axis=-1)}),
    ),
    causes=(
        *biases,
        padding,
        border,
        *map(turned, ORDERS[4]),
        inputs_reordered,
        dilation,
    ),
    fitted=(products, preprocessed),
    written=lambda node: f"{window(node)} {node.shape[-1]}",
    counted="convolutional layers",
    connections=uses,
    traits="weighted",
)
