"""Ways to state a hypothesis about one node.

A hypothesis is a generator of alterations, of which the first that explains the port is believed.
Its words say what was computed in place of the node; "it" is the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.numbers.causes.experiment import Altered, Trial

Hypothesis = Callable[[Trial], Altered]


def as_kind(kind: str, words: str, **attributes: Any) -> Hypothesis:
    """Another kind's operation in the place of the node's own."""

    def tried(t: Trial) -> Altered:
        yield words, t.run(kind=kind, **attributes)

    return tried


def slot(words: str, name: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Hypothesis:
    """The node's own operation with one slot changed, or left out; where it has that slot."""

    def tried(t: Trial) -> Altered:
        if name in t.slots:
            yield words, t.run(slots={name: change(t.slots[name])})

    return tried


def result(words: str, make: Callable[[Trial], np.ndarray]) -> Hypothesis:
    """A result made by hand."""

    def tried(t: Trial) -> Altered:
        yield words, make(t)

    return tried


def square(words: str, order: tuple[int, ...]) -> Hypothesis:
    """The kernel with axes exchanged, where that leaves its shape."""

    def tried(t: Trial) -> Altered:
        kernel = t.slots["kernel"]
        axes = [a for a, b in enumerate(order) if a != b]
        sides = {kernel.shape[a] for a in axes}
        if len(sides) == 1 and sides != {1}:
            yield words, t.run(slots={"kernel": kernel.transpose(order)})

    return tried
