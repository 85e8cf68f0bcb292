"""Numbers that are fed to algebra to find out what it is; the same in every run."""

from __future__ import annotations

import numpy as np

from conformance.graph.reach import reached
from conformance.trace.tape import Tape

#: Two float64 evaluations of one formula, spelt differently, agree far better than this; two
#: formulas that differ in any constant a paper prints do not come near it.
SAME = 1e-9


def leaves(tape: Tape, value: int, name: str = "parameter", until: int = -1) -> set[int]:
    """The parameters (or other operations of one name) that a value is computed from.

    The search does not go beyond the value ``until``.
    """
    behind = reached([value], lambda each: tape[each].inputs, {until})
    return {each for each in behind if tape[each].name == name}


def probes(tape: Tape, parameters: set[int]) -> dict[int, np.ndarray]:
    """Distinct positive values for parameters, the same in every run."""
    random = np.random.Generator(np.random.Philox(1998))
    return {p: random.uniform(0.5, 1.5, tape[p].shape) for p in sorted(parameters)}


def wide(shape: tuple[int, ...], axis: int) -> list[int]:
    """The shape of a vector along one axis of an array, to be broadcast over the others."""
    return [n if place == axis else 1 for place, n in enumerate(shape)]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two evaluations are one formula; what is not finite is none."""
    largest = np.abs(b).max(initial=0)
    return bool(np.isfinite(largest) and np.allclose(a, b, rtol=SAME, atol=SAME * largest))
