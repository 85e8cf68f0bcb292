"""A numeric check done again and again, each time with other weights: how far its margins spread.

The weights follow from the seed, so a repetition is named by its seed and can be had again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TypeVar

from conformance.graph.model import Graph
from conformance.judge.record import modes
from conformance.judge.record.modes import Compared
from conformance.judge.results import Repeated, Spread, Three
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Parity

Progress = Callable[[int, int], None]
Found = TypeVar("Found", Parity, Gradients)


@dataclass(frozen=True, slots=True)
class Repetition:
    """How one numeric check went with one seed.

    ``nearest`` is the largest error over its bound, ``separation`` the smallest error of a control
    arm over its bound, None where none was run; ``compared`` is kept only of what was no pass.
    """

    mode: str
    seed: int
    planned: int
    run: int
    nearest: float
    separation: float | None
    seconds: float
    compared: Compared | None


class Repeat:
    """Seeds from ``seed`` up, ``times`` of them, and how each check went with each."""

    def __init__(self, seed: int, times: int = 1) -> None:
        self.seeds = range(seed, seed + times)
        self.repetitions: list[Repetition] = []

    def run(
        self, mode: str, graph: Graph, check: Callable[[int, Progress], Found], progress: Progress
    ) -> Found:
        """Do ``check(seed, progress)`` once a seed and return what the first one found."""
        found = []
        for done, seed in enumerate(self.seeds):
            start = perf_counter()
            result = check(seed, self._shown(done, progress))
            self._remember(seed, modes.check(mode, graph, result), perf_counter() - start)
            found.append(result)
            del found[1:]
        return found[0]

    def _shown(self, done: int, progress: Progress) -> Progress:
        """The progress of one repetition as that of all."""
        return lambda part, whole: progress(done * whole + part, len(self.seeds) * whole)

    def _remember(self, seed: int, found: Compared, seconds: float) -> None:
        passed = found.first_divergence is None and not any(found.doubts())
        self.repetitions.append(
            Repetition(
                found.mode,
                seed,
                found.planned + max(1, len(found.controls)),
                len(found.results) + len(found.controls),
                modes.nearness(found.closest) if found.closest else 0.0,
                min((modes.nearness(each) for each in found.controls), default=None),
                seconds,
                None if passed else found,
            )
        )

    def row(self) -> Repeated:
        """For each mode the spread; what is no number is null."""
        found: dict[str, list[Repetition]] = {}
        for each in self.repetitions:
            found.setdefault(each.mode, []).append(each)
        spreads = {mode: _spread(each) for mode, each in found.items()}
        return Repeated(len(self.seeds), self.seeds[0], spreads)


def _spread(repetitions: list[Repetition]) -> Spread:
    parted = [e.seed for e in repetitions if e.compared and e.compared.first_divergence]
    apart = [e.separation for e in repetitions if e.separation is not None]
    return Spread(
        tuple(parted),
        _three(each.nearest for each in repetitions),
        modes.finite(min(apart, default=float("inf"))),
        _three(each.seconds for each in repetitions),
    )


def _three(values: Iterable[float]) -> Three:
    found = sorted(values)
    return Three(*map(modes.finite, (found[0], median(found), found[-1])))


def sentences(spread: Repeated) -> list[str]:
    """What repetitions say, a line a mode: medians, with least and greatest beside."""
    first, times = spread.first_seed, spread.times
    seeds = f"seeds {first} to {first + times - 1}"
    return [
        f"{mode}, {seeds}: {len(each.deviating)} of {times} deviate;"
        f" largest error {_said(each.nearest)} of its bound, control arms at least"
        f" {_number(each.separation)} of theirs; {_number(each.seconds.median)} s each"
        for mode, each in spread.modes.items()
    ]


def _said(three: Three) -> str:
    least, greatest = _number(three.least), _number(three.greatest)
    return f"{_number(three.median)} ({least} to {greatest})"


def _number(value: float | None) -> str:
    return "without end" if value is None else f"{value:.2g}"
