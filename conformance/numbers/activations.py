"""Two ports run on one image with their own weights, and every pair of results compared.

Both run in float64, with what they store rounded to float32: what a checkpoint can carry.  The
bound is that of :mod:`.parity`: an oracle executes A's graph on A's weights in both
precisions, which says what rounding costs this network up to there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod
from typing import Any

import numpy as np

from conformance.graph.axes import to_neutral
from conformance.numbers.deviation import distance, order_of
from conformance.numbers.oracle import CannotCompute, Oracle
from conformance.numbers.own_weights import Side
from conformance.numbers.precision import FLOAT32, FLOAT64
from conformance.numbers.stored import Slots
from conformance.numbers.weights import Weights
from conformance.trace.port import Run

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ResultPair:
    """The results of a pair of nodes: largest difference and bound over A's root mean square.

    ``moved`` counts the channels that B has in another place, when that is the only difference.
    """

    a: int
    b: int
    error: float
    bound: float
    moved: int = 0

    @property
    def agrees(self) -> bool:
        return self.error <= self.bound


def run_both(
    a: Side, b: Side, pairs: dict[int, int], progress: Progress
) -> tuple[list[ResultPair], str]:
    """The results of these pairs of nodes, in A's order, and what kept others from being compared.

    A's results wait on disk, so that one node at a time is in memory.
    """
    image = Weights(a.graph).image()
    if image.shape[1:] != b.graph.nodes[b.graph.inputs[0]].shape:
        return [], "the two take images of different sizes"
    with tempfile.TemporaryFile() as room, np.errstate(all="ignore"):
        first = _First(a, image, room, progress, pairs)
        a.port.run(Run(a.tape, a.single, image), frozenset(first.wanted), first)
        second = _Second(b, pairs, first, progress)
        b.port.run(Run(b.tape, b.single, image), frozenset(second.wanted), second)
    outputs = set(a.graph.outputs)
    results = [
        replace(each, error=inf) if each.moved and each.a in outputs else each
        for each in sorted(second.results, key=lambda each: each.a)
    ]
    return results, first.problem


class _First:
    """Receives A's results, writes them down, and lets two oracles keep step."""

    def __init__(
        self, side: Side, image: np.ndarray, room: Any, progress: Progress, pairs: dict[int, int]
    ):
        self.side, self.room, self.progress, self.pairs = side, room, progress, pairs
        graph = side.graph
        self.wanted = {n.value: i for i, n in enumerate(graph) if n.seen}
        slots = Slots(graph, side.single)
        self.oracles = [Oracle(graph, slots, image), Oracle(graph, slots, image, FLOAT32)]
        for index in set(range(len(graph))) - set(self.wanted.values()):
            for oracle in self.oracles:
                oracle.release(index)
        self.places: dict[int, tuple[int, float, float]] = {}
        self.costs: dict[int, float] = {}
        self.problem = ""

    def __call__(self, value: int, array: np.ndarray) -> None:
        index = self.wanted[value]
        node = self.side.graph.nodes[index]
        if not node.known and (array.size != prod(node.shape) or np.iscomplexobj(array)):
            if index in self.pairs:  # and not what only A is made of inside
                said = f"unsupported operation {node.kind.removeprefix('unknown:')}"
                where = self.side.at(index)
                self._open(f"{said} at {where}: which number of it is which is not known")
            return
        got = to_neutral(array, node.axes).reshape((-1, *node.shape))
        rms = float(np.sqrt(np.mean(np.square(got)))) or 1.0
        bound = self._bound(index, got, rms)
        if not np.isfinite(got).all():
            self._open(f"the results of A are not finite from {self.side.at(index)} on")
            bound = inf
        self.places[index] = self.room.tell(), rms, bound
        self.room.write(np.ascontiguousarray(got, np.float64).tobytes())
        self.progress(len(self.places), len(self.wanted) + len(self.pairs))

    def _bound(self, index: int, got: np.ndarray, rms: float) -> float:
        """How far another correct port may be from this result."""
        node = self.side.graph.nodes[index]
        try:
            if not node.known:
                for oracle in self.oracles:  # A's own word for it, so that what follows is bounded
                    oracle.results[index] = got.astype(oracle.dtype)
            double, single = (oracle.result(index) for oracle in self.oracles)
        except CannotCompute as unknown:
            self._open(f"{unknown}, so nothing after it has a bound")
            return inf
        inherited = max((self.costs.get(i, 0.0) for i in node.inputs), default=0.0)
        cost = max(distance(single, double, rms), inherited, FLOAT32.unit)
        self.costs[index] = cost
        for oracle in self.oracles:
            oracle.release(index)
        if distance(got, double, rms) > cost * FLOAT64.margin:
            self._open(f"A does not compute what its trace says at {self.side.at(index)}")
        return cost * FLOAT64.margin

    def _open(self, problem: str) -> None:
        self.problem = self.problem or problem

    def read(self, index: int) -> np.ndarray:
        """A's result again."""
        shape = self.side.graph.nodes[index].shape
        self.room.seek(self.places[index][0])
        data = self.room.read(8 * int(np.prod(shape)))
        return np.frombuffer(data, np.float64).reshape((1, *shape))


class _Second:
    """Receives B's results and compares them with A's."""

    def __init__(self, side: Side, pairs: dict[int, int], first: _First, progress: Progress):
        self.side, self.first, self.progress = side, first, progress
        self.wanted = {side.graph.nodes[j].value: (i, j) for i, j in pairs.items()}
        self.results: list[ResultPair] = []

    def __call__(self, value: int, array: np.ndarray) -> None:
        i, j = self.wanted[value]
        _, rms, bound = self.first.places.get(i, (0, 0.0, inf))
        if bound == inf:  # nothing can be said, and the check counts as not run
            return
        node = self.side.graph.nodes[j]
        got = to_neutral(array, node.axes).reshape((-1, *node.shape))
        want = self.first.read(i)
        error, moved = distance(got, want, rms), 0
        if error > bound and (order := reordered(want, got, rms, bound)) is not None:
            moved = int((order != np.arange(len(order))).sum())
            error = distance(got, want[..., order], rms)
        self.results.append(ResultPair(i, j, error, bound, moved))
        done = len(self.first.wanted) + len(self.results)
        self.progress(done, len(self.first.wanted) + len(self.wanted))


def reordered(want: np.ndarray, got: np.ndarray, rms: float, bound: float) -> np.ndarray | None:
    """Which channel of ``want`` each of ``got`` is, when their order is all that differs."""
    if want.shape != got.shape or not np.isfinite(got).all():
        return None
    order = order_of(want, got)
    return order if distance(got, want[..., order], rms) <= bound else None
