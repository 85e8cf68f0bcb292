"""What a training step may make of a running statistic, by another convention than the node's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from conformance.graph.model import Node
from conformance.kinds.experiment import written


def moved(
    node: Node, slot: str, count: int, old: np.ndarray, want: np.ndarray, got: np.ndarray,
    near: Callable[[np.ndarray], bool],
) -> Iterator[str]:  # fmt: skip
    """What explains the ``mean`` or ``variance`` that a step left behind, the simplest first.

    ``count`` is how many values each channel's statistic was taken over, ``old`` what stood there
    before and ``want`` what should stand there.
    """
    kept = node.attributes["momentum"]
    if not np.isfinite(got).all() or near(want):
        return
    if near(old):
        yield "it is not updated"
    if kept == 1.0 or near(old):
        return
    flowing = {"": (want - kept * old) / (1 - kept)}
    if slot == "variance" and count > 1:
        unbiased = node.attributes["unbiased"]
        word = "n, not n - 1 (biased)" if unbiased else "n - 1, not n (unbiased)"
        share = (count - 1) / count if unbiased else count / (count - 1)
        flowing[f"the variance that flows in is divided by {word}"] = flowing[""] * share
    for words, new in flowing.items():
        if words and near(kept * old + (1 - kept) * new):
            yield words
            continue
        apart = old - new
        for text, share in written(float(np.vdot(got - new, apart) / np.vdot(apart, apart))):
            if near(share * old + (1 - share) * new):
                said = f"it keeps {text} of the old value, not {kept:g}"
                yield f"{said}, and {words}" if words else said
                break
