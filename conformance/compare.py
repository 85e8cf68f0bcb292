"""Two live models with their own weights, layer by layer: structure, weights, activations.

Nodes correspond by :mod:`conformance.align`.  Weights are compared slot by slot in neutral layout.
Then both models run in float64 on one image, with what they store rounded to float32, and every
pair of results is compared within the bound of :mod:`conformance.parity`: the oracle executes A's
graph on A's weights in both precisions, which says what rounding costs this network up to there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import inf, isfinite
from typing import Any

import numpy as np

from conformance.align import Alignment, Finding, align, findings
from conformance.oracle import CannotCompute, Oracle
from conformance.parity import HALFWAY, SINGLE
from conformance.relation import Relation, checksum, relation
from conformance.stored import Slots
from conformance.trace.axes import to_neutral
from conformance.trace.canonical import canonical
from conformance.trace.graph import Graph, Node
from conformance.trace.port import Own, Port, Size, UntraceableModel
from conformance.weights import Weights

SAME, DIFFER, INCONCLUSIVE = "same", "differ", "inconclusive"

Progress = Callable[[int, int], None]


def address(node: Node) -> str:
    """Where a node is, in its port's own words."""
    return node.where.path or node.where.line or node.kind


class Side:
    """One of the two: a port traced for one size of image, and what it stores."""

    def __init__(self, name: str, port: Port, size: Size):
        self.name, self.port = name, port
        self.tape = port.trace(size)
        self.graph: Graph = canonical(self.tape)

    @cached_property
    def own(self) -> Own:
        """What the port stores.  Raises :class:`UntraceableModel` if that is not what it reads."""
        own = self.port.own()
        read = {p.handle for node in self.graph for part in node.parameters.values() for p in part}
        if strange := sorted(read - own.arrays.keys()):
            raise UntraceableModel(
                f"{self.name} stores no {strange[0]} when it is built a second time: its factory"
                " must give the same names in every call"
            )
        return own

    @cached_property
    def training(self) -> Graph:
        """The graph of training, in which auxiliary heads are seen."""
        shape = self.graph.nodes[self.graph.inputs[0]].shape
        return canonical(self.port.trace((shape[0], shape[1], shape[2]), training=True))

    def single(self, handle: str) -> np.ndarray:
        """A stored array as float32 holds it: what a checkpoint can carry."""
        with np.errstate(over="ignore"):
            return self.own(handle).astype(np.float32).astype(np.float64)

    def unread(self, *graphs: Graph) -> set[str]:
        """The stored arrays that none of these graphs reads."""
        parts = [part for g in graphs for node in g for part in node.parameters.values()]
        return self.own.arrays.keys() - {piece.handle for part in parts for piece in part}

    def at(self, index: int | None, training: bool = False) -> str:
        """Where a node is, in the port's own words."""
        if index is None:
            return ""
        return address((self.training if training else self.graph).nodes[index])


@dataclass(frozen=True, slots=True)
class SlotPair:
    """One slot of a pair of nodes, and how B's values are related to A's.

    The nodes are those of the graph of training where only that reads the slot.
    """

    a: int
    b: int
    slot: str
    relation: Relation
    training: bool = False


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


@dataclass(slots=True)
class Comparison:
    """Everything that was found; results are in the order of A's nodes."""

    structure: list[Finding]
    slots: list[SlotPair] = field(default_factory=list)
    results: list[ResultPair] = field(default_factory=list)
    planned: int = 0
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def run(self) -> int:
        return len(self.slots) + len(self.results)

    @property
    def parted(self) -> ResultPair | None:
        """The first pair whose results are not the same, in whatever order of channels."""
        return next((each for each in self.results if not each.agrees), None)

    @property
    def before(self) -> float:
        """The largest error of the nodes before the first that parts."""
        end = self.results.index(self.parted) if self.parted else len(self.results)
        return max((each.error for each in self.results[:end]), default=0.0)

    @property
    def moved(self) -> list[ResultPair]:
        """Pairs that agree but for the order of their channels."""
        return [each for each in self.results if each.agrees and each.moved]

    @property
    def differing(self) -> list[SlotPair]:
        """Slots that are not equal.

        Another order of channels is none of them where all results agree: what follows follows it.
        """
        return [
            each
            for each in self.slots
            if not each.relation.equal
            and (self.parted or each.training or each.relation.word != "permuted")
        ]

    @property
    def verdict(self) -> str:
        if self.structure or self.differing or self.parted:
            return DIFFER
        return SAME if 0 < self.planned == self.run and not self.problem else INCONCLUSIVE


def compare(a: Side, b: Side, progress: Progress = lambda done, total: None) -> Comparison:
    """Compare two ports.

    Raises :class:`~conformance.trace.port.UntraceableModel` where one cannot be built or run.
    """
    alignment = align(a.graph, b.graph)
    found = Comparison([*findings(a.graph, b.graph, alignment), *_outputs(a, b, alignment)])
    pairs = sorted(alignment.pairs.items())
    observed = [(i, j) for i, j in pairs if _seen(a.graph, i) and _seen(b.graph, j)]
    found.slots = _weights(a, b, a.graph, b.graph, _slots(a.graph, b.graph, pairs))
    missing = {(s.a, s.slot) for s in found.slots if s.relation.word == "missing"}
    found.structure = [f for f in found.structure if (f.expected_node, f.attribute) not in missing]
    if a.unread(a.graph) or b.unread(b.graph):
        try:
            _heads(a, b, found)
        except UntraceableModel as refused:
            found.problem = f"what only training reads is not compared: {refused}"
    found.planned = len(found.slots) + len(observed)
    _activations(a, b, dict(observed), found, progress)
    return found


def _heads(a: Side, b: Side, found: Comparison) -> None:
    """Compare what inference does not read: the weights of auxiliary heads."""
    pairs = sorted(align(a.training, b.training).pairs.items())
    slots = _slots(a.training, b.training, pairs)
    heads = [a.unread(a.graph), b.unread(b.graph)]
    only = [
        (i, j, slot)
        for i, j, slot in slots
        for node, handles in ((a.training.nodes[i], heads[0]), (b.training.nodes[j], heads[1]))
        if any(piece.handle in handles for piece in node.parameters.get(slot, ()))
    ]
    compared = _weights(a, b, a.training, b.training, list(dict.fromkeys(only)))
    found.slots += [replace(each, training=True) for each in compared]
    for side, letter in ((a, "A"), (b, "B")):
        for handle in sorted(side.unread(side.graph, side.training)):
            found.notes.append(f"{letter} stores {handle}, which nothing reads")


def _slots(one: Graph, other: Graph, pairs: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
    return [
        (i, j, slot)
        for i, j in pairs
        for slot in sorted(one.nodes[i].parameters.keys() | other.nodes[j].parameters.keys())
    ]


def _seen(graph: Graph, index: int) -> bool:
    """Whether the port holds a node's result by itself."""
    return graph.nodes[index].value >= 0 and graph.nodes[index].kind != "input"


def _outputs(a: Side, b: Side, alignment: Alignment) -> list[Finding]:
    """The models return as many things, and corresponding ones, in one order."""
    want = tuple(alignment.pairs.get(i) for i in a.graph.outputs)
    if None in want or want == b.graph.outputs:
        return []  # an unpaired output is a finding already
    expected, got = ([side.at(i) for i in side.graph.outputs] for side in (a, b))
    return [Finding("outputs", expected, got, a.graph.outputs[0], b.graph.outputs[0])]


def _weights(
    a: Side, b: Side, one: Graph, two: Graph, slots: list[tuple[int, int, str]]
) -> list[SlotPair]:
    """Every slot of every pair; on the way it is known which layers of A hold which values."""
    in_a, in_b = Slots(one, a.own), Slots(two, b.own)
    held: dict[Any, str] = {}
    for i, _, slot in slots:
        if slot in one.nodes[i].parameters and np.ptp(values := in_a(i, slot)):
            held.setdefault((values.shape, checksum(values)), f"{address(one.nodes[i])} ({slot})")
    result = []
    for i, j, slot in slots:
        node, other = one.nodes[i], two.nodes[j]
        if slot not in node.parameters or slot not in other.parameters:
            result.append(SlotPair(i, j, slot, _missing(slot, in_a, i, in_b, j)))
            continue
        before = one.nodes[node.inputs[0]]
        image = one.nodes[before.inputs[0]].shape if before.kind == "flatten" else before.shape
        found = relation(
            slot,
            partial(in_a, i),
            partial(in_b, j),
            tuple(s for s in node.parameters if s != slot and node.slots[s] == node.slots[slot]),
            image,
            lambda values: held.get((values.shape, checksum(values)), ""),
        )
        result.append(SlotPair(i, j, slot, found))
    return result


def _missing(slot: str, in_a: Slots, i: int, in_b: Slots, j: int) -> Relation:
    """A slot that one side lacks: it matters as far as the other's is not neutral."""
    neutral = 1.0 if slot in ("gamma", "variance", "coefficient") else 0.0
    lacks, slots, index = ("B", in_a, i) if slot in in_a.graph.nodes[i].slots else ("A", in_b, j)
    difference = float(np.max(np.abs(slots(index, slot) - neutral), initial=0.0))
    return Relation("missing", f"{lacks} has none", difference)


# ---------------------------------------------------------------------------------------------
# Activations


def _activations(
    a: Side, b: Side, pairs: dict[int, int], found: Comparison, progress: Progress
) -> None:
    """Run A and keep its results on disk, run B and compare, one node in memory at a time."""
    image = Weights(a.graph).image()
    if image.shape[1:] != b.graph.nodes[b.graph.inputs[0]].shape:
        found.problem = found.problem or "the two take images of different sizes"
        return
    with tempfile.TemporaryFile() as room:
        first = _First(a, image, room, progress, len(pairs))
        a.port.run(a.tape, a.single, image, frozenset(first.wanted), first)
        found.problem = found.problem or first.problem
        second = _Second(b, pairs, first, progress)
        b.port.run(b.tape, b.single, image, frozenset(second.wanted), second)
    found.results = sorted(second.results, key=lambda each: each.a)
    outputs = set(a.graph.outputs)
    found.results = [
        ResultPair(r.a, r.b, inf, r.bound, r.moved) if r.moved and r.a in outputs else r
        for r in found.results
    ]


class _First:
    """Receives A's results, writes them down, and lets two oracles keep step."""

    def __init__(self, side: Side, image: np.ndarray, room: Any, progress: Progress, pairs: int):
        self.side, self.room, self.progress, self.pairs = side, room, progress, pairs
        graph = side.graph
        self.wanted = {n.value: i for i, n in enumerate(graph) if _seen(graph, i)}
        slots = Slots(graph, side.single)
        self.oracles = [Oracle(graph, slots, image), Oracle(graph, slots, image, np.float32)]
        for index in set(range(len(graph))) - set(self.wanted.values()):
            for oracle in self.oracles:
                oracle.release(index)
        self.places: dict[int, tuple[int, float, float]] = {}
        self.costs: dict[int, float] = {}
        self.problem = ""

    def __call__(self, value: int, array: np.ndarray) -> None:
        index = self.wanted[value]
        node = self.side.graph.nodes[index]
        got = to_neutral(array, node.axes).reshape((-1, *node.shape))
        rms = float(np.sqrt(np.mean(np.square(got)))) or 1.0
        bound = self._bound(index, got, rms)
        if not np.isfinite(got).all():
            self._open(f"the results of A are not finite from {self.side.at(index)} on")
            bound = inf
        self.places[index] = self.room.tell(), rms, bound
        self.room.write(np.ascontiguousarray(got, np.float64).tobytes())
        self.progress(len(self.places), len(self.wanted) + self.pairs)

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
        cost = max(distance(single, double, rms), inherited, SINGLE)
        self.costs[index] = cost
        for oracle in self.oracles:
            oracle.release(index)
        if distance(got, double, rms) > cost * HALFWAY:
            self._open(f"A does not compute what its trace says at {self.side.at(index)}")
        return cost * HALFWAY

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


def distance(got: np.ndarray, want: np.ndarray, rms: float) -> float:
    """The largest difference over a root mean square; infinite for what is not comparable."""
    if got.shape != want.shape:
        return inf
    with np.errstate(invalid="ignore"):
        difference = float(np.max(np.abs(got - want), initial=0.0)) / rms
    return difference if isfinite(difference) else inf


def reordered(want: np.ndarray, got: np.ndarray, rms: float, bound: float) -> np.ndarray | None:
    """Which channel of ``want`` each of ``got`` is, when their order is all that differs."""
    if want.shape != got.shape or not np.isfinite(got).all():
        return None
    probe = np.random.Generator(np.random.Philox(key=0)).random(want[..., 0].size)
    a, b = (probe @ x.reshape(-1, x.shape[-1]) for x in (want, got))
    order = np.empty(len(a), int)
    order[np.argsort(b, kind="stable")] = np.argsort(a, kind="stable")
    return order if distance(got, want[..., order], rms) <= bound else None
