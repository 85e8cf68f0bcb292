"""One node on trial: what it reads, what it holds, and the operations to compute it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.kinds.kind import KINDS, Arithmetic, Node, changed

#: No larger number stands under a fraction or a root that a person would have written.
LARGEST = 1 << 16

#: A number is solved for from so many at least: what fits fewer of them is no evidence.
TIMES = 2

#: Words for what a node was computed as, and the result of that.
Altered = Iterator[tuple[str, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A node whose result is not what was expected, or one on the way to it.

    ``inputs`` and ``slots`` are what the node is expected to be computed from, ``want`` what comes
    of them.  ``got`` is what the port has instead, where that is known.  ``image`` is the height,
    width and channels of the map that the node reads as a vector, and ``first`` says whether it
    reads the network's input.
    """

    oracle: Arithmetic
    node: Node
    slots: Mapping[str, np.ndarray]
    inputs: tuple[np.ndarray, ...]
    want: np.ndarray
    got: np.ndarray | None
    near: Callable[[np.ndarray], bool]
    image: tuple[int, ...] = ()
    first: bool = False

    @property
    def found(self) -> np.ndarray:
        """What the port has, for hypotheses that are tried only where that is known."""
        assert self.got is not None
        return self.got

    @property
    def x(self) -> np.ndarray:
        return self.inputs[0]

    def run(
        self,
        *inputs: np.ndarray,
        kind: str = "",
        slots: Mapping[str, np.ndarray | None] | None = None,
        **attributes: Any,
    ) -> np.ndarray:
        """The node's operation, or that of ``kind``, with these changes; a slot of None is none."""
        node = changed(self.node, self.node.attributes | attributes)
        held = {k: v for k, v in {**self.slots, **(slots or {})}.items() if v is not None}
        forward = KINDS[kind or node.kind].forward
        result = forward(self.oracle, node, held, *(inputs or self.inputs))
        return shaped(np.asarray(result), node.shape)

    def holds(self, unknown: int) -> bool:
        """Whether the port's result has the numbers that so many can be solved for from."""
        return self.got is not None and self.got.size >= TIMES * unknown

    def fitted(
        self, value: float, make: Callable[[float], np.ndarray], words: str, seen: int = -1
    ) -> Altered:
        """A number that was solved for, as few of its digits as explain what the port has.

        ``words`` have a place for the number; ``seen`` is from how many it comes, all that the
        port has unless given.  Nothing, where even the number itself does not explain it.
        """
        enough = seen >= TIMES if seen >= 0 else self.holds(1)
        if enough and np.isfinite(value) and self.near(make(value)):
            for text, number in written(value):
                yield words.format(text), make(number)


def wrong(
    oracle: Arithmetic, node: Node, slots: Mapping[str, np.ndarray], inputs: Sequence[np.ndarray]
) -> tuple[str, np.ndarray]:
    """A node's control arm: what it is called, and what it computes in the node's place."""
    words, make = KINDS[node.kind].altered
    trial = Trial(oracle, node, slots, tuple(inputs), np.empty(0), None, lambda result: False)
    return words, shaped(np.asarray(make(trial)), node.shape)


def written(value: float) -> Iterator[tuple[str, float]]:
    """A number, ever more exactly: as a person would write it first."""
    yield "0", 0.0
    for digits in (1, 2, 3):
        yield f"{value:.{digits}g}", float(f"{value:.{digits}g}")
    for digits in (1, 2, 3):  # what many layers keep of a setting
        text = f"{value:.{digits}g}"
        yield text, float(np.float32(float(text)))
    size, sign = abs(value), "-" if value < 0 else ""
    if 1 / LARGEST < size < 1:
        yield f"{sign}1/{(n := round(1 / size))}", float(np.copysign(1 / n, value))
    if 1 < size**2 < LARGEST:
        yield f"{sign}sqrt({(n := round(size**2))})", float(np.copysign(n**0.5, value))
    if 1 / LARGEST < size**2 < 1:
        yield f"{sign}1/sqrt({(n := round(size**-2))})", float(np.copysign(n**-0.5, value))
    for digits in (4, 6, 8):
        yield f"{value:.{digits}g}", float(f"{value:.{digits}g}")
    yield f"about {value:.6g}", value


def least_squares(columns: list[np.ndarray], target: np.ndarray) -> np.ndarray:
    """The numbers by which arrays add up to a target, as nearly as can be."""
    matrix = np.stack([column.reshape(-1) for column in columns], axis=1)
    if not (np.isfinite(matrix).all() and np.isfinite(target).all()):
        return np.full(len(columns), np.nan)
    found: np.ndarray = np.linalg.lstsq(matrix, target.reshape(-1), rcond=None)[0]
    return found


def shaped(result: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A result in its node's shape where the two differ by axes of length 1 only.

    A map of one pixel may be a vector on its way to the next node: that is no node of its own.
    """
    longer = [[n for n in each if n != 1] for each in (result.shape[1:], shape)]
    return result.reshape(len(result), *shape) if longer[0] == longer[1] else result
