"""Windows that lie elsewhere or reach over something else: of convolutions, pools and borders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.kinds.arrays import by_offset, pad
from conformance.kinds.experiment import Altered, Trial
from conformance.values import text


def padding(t: Trial) -> Altered:
    """The window begins elsewhere, on one axis or alike on both."""
    a = t.node.attributes
    for around in _placements(t, a["kernel"]):
        if around != a["padding"]:
            words = f"padding is {sides(around)}, not {sides(a['padding'])}"
            yield words, t.run(padding=around)


def other_window(t: Trial) -> Altered:
    """Another window leaves the map its size, in this pool or in one of the other kind."""
    a = t.node.attributes
    for kind in (t.node.kind, "avg_pool" if t.node.kind == "max_pool" else "max_pool"):
        for side in range(2, max(a["kernel"]) + 2):
            for around in _placements(t, (side, side)) if a["kernel"] != (side, side) else ():
                pool = "maximum" if kind == "max_pool" else "average"
                words = f"it is the {pool} of a {side}x{side} window, padded {sides(around)}"
                changes = {"kernel": (side, side), "padding": around, "count_include_pad": False}
                yield words, t.run(kind=kind, **changes)


def _placements(t: Trial, kernel: tuple[int, int]) -> Iterator[Any]:
    """Paddings that leave the map its size, those of one width on both axes first."""
    a, shape = t.node.attributes, t.node.shape
    dilation = a.get("dilation", (1, 1))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    starts = [range(-1, each) for each in reach]
    tried = [(p, p) for p in starts[0] if p in starts[1]]
    tried += [(p, a["padding"][1][0]) for p in starts[0]]
    tried += [(a["padding"][0][0], p) for p in starts[1]]
    for before in dict.fromkeys(tried):
        yield tuple(
            (p, (shape[i] - 1) * a["stride"][i] + reach[i] - t.x.shape[1 + i] - p)
            for i, p in enumerate(before)
        )


def sides(around: Any) -> str:
    """A padding in words; what a window leaves out is none."""
    return text(tuple((int(p), int(max(q, 0))) for p, q in around))


def border(t: Trial) -> Altered:
    """Something else than zeros around the map."""
    around = t.node.attributes["padding"]
    if min(p for side in around for p in side) < 0 or around == ((0, 0), (0, 0)):
        return
    words = {"reflect": "mirrored", "edge": "repeated", "wrap": "continued from the other side"}
    for mode, word in words.items():
        if max(p for side in around for p in side) < min(t.x.shape[1:3]):
            grown = np.pad(t.x, ((0, 0), *around, (0, 0)), mode=mode)  # type: ignore[call-overload]
            yield f"the border is {word}, not zero", t.run(grown, padding=((0, 0), (0, 0)))


def zeros_in_the_border(t: Trial) -> Altered:
    around_it = t.run(pad(t.x, t.node.attributes["padding"]), padding=((0, 0), (0, 0)))
    yield "the padding is zeros, which may be the largest", around_it


def dilation(t: Trial) -> Altered:
    a = t.node.attributes
    for factor in (1, 2, 3):
        around = tuple(
            tuple(p * factor // d for p in side)
            for side, d in zip(a["padding"], a["dilation"], strict=True)
        )
        grown = [n + sum(around[i]) - (k - 1) * factor for i, (n, k) in enumerate(
            zip(t.x.shape[1:3], a["kernel"], strict=True))]  # fmt: skip
        if a["dilation"] != (factor, factor) and min(grown) > 0:
            words = f"dilation is {factor}x{factor}"
            yield words, t.run(dilation=(factor, factor), padding=around)


def divisor(t: Trial) -> Altered:
    a = t.node.attributes
    counted = not a["count_include_pad"]
    words = f"padding is {'counted' if counted else 'not counted'} in the average"
    yield words, t.run(count_include_pad=counted)


def summed(t: Trial) -> Altered:
    a = t.node.attributes
    yield "it is the sum, not the mean", by_offset(pad(t.x, a["padding"]), a, np.add)


def part_of_the_map(t: Trial) -> Altered:
    for side in range(min(t.x.shape[1:3]) - 1, 0, -1):
        part = t.x[:, :side, :side]
        yield f"only {side}x{side} of the map is averaged", part.mean(axis=(1, 2), keepdims=True)
