"""The aten operators that reduce windows of a map; see :mod:`.operators`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor

from conformance.trace.torch.layout import Translation

if TYPE_CHECKING:
    from conformance.trace.torch.recorder import Recorder, Value


def max_pool(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, kernel: list[int],
    stride: Sequence[int] = (), padding: Sequence[int] = (0,), dilation: Sequence[int] = (1,),
    ceil_mode: bool = False, *, rank: int,
) -> list[Value] | None:  # fmt: skip
    """The largest of every window, and where it is."""
    if any(d != 1 for d in dilation):
        return None
    size, step, pads, _ = _placed(x, outputs[0], kernel, stride, padding, rank)
    value = recorder.tape.window(recorder.of(x), "max", size, step, pads)
    return [value, *positions(recorder, "max_pool.indices", x, outputs)]


def avg_pool(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, kernel: list[int],
    stride: Sequence[int] = (), padding: Sequence[int] = (0,), ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, rank: int,
) -> int:  # fmt: skip
    """The average of every window, by the divisor that the port asks for."""
    tape, value = recorder.tape, recorder.of(x)
    size, step, pads, beyond = _placed(x, outputs[0], kernel, stride, padding, rank)
    if divisor_override:
        value = tape.window(value, "sum", size, step, pads)
        if divisor_override == 1:
            return value
        return tape.elementwise("div", value, recorder.of(divisor_override))
    if count_include_pad and any(beyond):
        # What ceil_mode reaches beyond the padding is not in the divisor; the padding is.
        value = tape.pad(value, [(p, p) for p, _ in pads])
        pads = [(0, b) for b in beyond]
    count = count_include_pad and not any(beyond)
    return tape.window(value, "mean", size, step, pads, count_padding=count)


def adaptive_pool(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, output_size: Sequence[int], *,
    rank: int, word: str,
) -> list[Value] | None:  # fmt: skip
    """Windows that divide the map; None for the largest of some that differ in size or distance."""
    size, step = [], []
    for inside, out in zip(x.shape[-rank:], outputs[0].shape[-rank:], strict=True):
        starts = [i * inside // out for i in range(out)]
        stops = [-(-(i + 1) * inside // out) for i in range(out)]
        lengths = {b - a for a, b in zip(starts, stops, strict=True)}
        steps = {b - a for a, b in pairwise(starts)} or {inside}
        if len(lengths) > 1 or len(steps) > 1 or 0 in steps:
            if (rank, word) != (2, "mean"):
                return None
            height, width = outputs[0].shape[-2:]  # they overlap, or are of different sizes
            spatial = (x.ndim - 2, x.ndim - 1)
            return [recorder.tape.adaptive_mean(recorder.of(x), (height, width), spatial)]
        size.append(lengths.pop())
        step.append(steps.pop())
    value = recorder.of(x)
    if x.shape != outputs[0].shape:
        count = True if word == "mean" else None
        value = recorder.tape.window(value, word, size, step, ((0, 0),) * rank, count)
    return [value, *positions(recorder, "adaptive_max_pool.indices", x, outputs)]


def spread(sizes: Sequence[int], rank: int) -> tuple[int, ...]:
    """A size for every axis; one stands for all."""
    return tuple(sizes) * (rank if len(sizes) == 1 else 1)


def _placed(
    x: Tensor, output: Tensor, kernel: Sequence[int], stride: Sequence[int],
    padding: Sequence[int], rank: int,
) -> tuple[tuple[int, ...], tuple[int, ...], list[tuple[int, int]], list[int]]:  # fmt: skip
    """Size, stride and padding of windows, and how far ``ceil_mode`` lets the last one reach beyond
    the padded input, on each axis."""
    size, step, pad = (spread(each, rank) for each in (kernel, stride or kernel, padding))
    sides = zip(x.shape[-rank:], output.shape[-rank:], size, step, pad, strict=True)
    beyond = [max(0, (count - 1) * s + k - (n + 2 * p)) for n, count, k, s, p in sides]
    return size, step, [(p, p + b) for p, b in zip(pad, beyond, strict=True)], beyond


def positions(recorder: Recorder, name: str, x: Tensor, outputs: list[Tensor]) -> list[Value]:
    """The second output of a maximum, its position: written down only if it is read."""
    tape = recorder.tape
    return [
        partial(tape.unknown, f"aten.{name}", [recorder.of(x)], output.shape)
        for output in outputs[1:]
    ]


WINDOWS: dict[str, Translation] = {
    "max_pool2d_with_indices": partial(max_pool, rank=2),
    "max_pool3d_with_indices": partial(max_pool, rank=3),
    "avg_pool2d": partial(avg_pool, rank=2),
    "avg_pool3d": partial(avg_pool, rank=3),
    "_adaptive_avg_pool2d": partial(adaptive_pool, rank=2, word="mean"),
    "adaptive_max_pool2d": partial(adaptive_pool, rank=2, word="max"),
}
