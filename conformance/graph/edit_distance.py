"""The cheapest way to turn one sequence of layers into another: least edit distance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from conformance.graph.sequences import Costs

#: More than any two sequences cost.
NEVER = 10**8

#: Steps on the way back: which of the two sequences is one shorter there.
BOTH, LEFT, RIGHT = 0, 1, 2


def match(
    left: Sequence[int], right: Sequence[int], costs: Costs
) -> tuple[int, list[tuple[int, int]]]:
    """The least cost of turning one sequence of traits into the other, and the elements it keeps.

    Of several equally cheap ways it takes the one that keeps as much as possible at the front.
    """
    both = zip(left, right, strict=False)
    head = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
    total, rest = _least(left[head:], right[head:], costs)
    return total, [*((i, i) for i in range(head)), *((head + i, head + j) for i, j in rest)]


def _least(
    left: Sequence[int], right: Sequence[int], costs: Costs
) -> tuple[int, list[tuple[int, int]]]:
    """As :func:`match`, for sequences that begin differently."""
    columns = {each: column for column, each in enumerate(dict.fromkeys(right))}
    where = np.array([columns[each] for each in right], int)
    rows: dict[int, np.ndarray] = {}
    along = np.cumsum([0, *map(costs.gap, right)], dtype=np.int32)
    total = along
    steps = np.full((len(left) + 1, len(right) + 1), RIGHT, np.uint8)
    for i, layer in enumerate(left, 1):
        if layer not in rows:
            rows[layer] = np.array([costs(layer, each) for each in columns], np.int32)[where]
        without = total + costs.gap(layer)
        best = without.copy()
        best[1:] = np.minimum(best[1:], total[:-1] + rows[layer])
        total = along + np.minimum.accumulate(best - along)
        # Gaps win a tie: seen from the end, that puts them as late as possible.
        steps[i] = np.where(total == without, LEFT, np.where(total == best, BOTH, RIGHT))
        steps[i, 1:][total[1:] == total[:-1] + np.diff(along)] = RIGHT
    pairs = []
    i, j = len(left), len(right)
    while i and j:
        step = steps[i, j]
        i, j = i - (step != RIGHT), j - (step != LEFT)
        if step == BOTH:
            pairs.append((int(i), int(j)))
    return int(total[-1]), pairs[::-1]
