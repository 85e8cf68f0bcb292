"""Two live models with their own weights, layer by layer: structure, weights, activations.

Nodes correspond by :mod:`conformance.graph.align`.  Weights are compared slot by slot in neutral
layout, and then what every pair of nodes computes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import isfinite
from typing import Any, Literal

import numpy as np
from msgspec import UNSET
from msgspec.structs import asdict

from conformance.data import written
from conformance.graph.align import Alignment, align, findings
from conformance.graph.align import Finding as Difference
from conformance.graph.alike import alike
from conformance.graph.model import Graph
from conformance.graph.reach import reached
from conformance.judge.finding import (
    DIFFER,
    INCONCLUSIVE,
    SAME,
    Finding,
    Json,
    Judgement,
    Part,
    Remark,
    Unjudged,
    finite,
)
from conformance.judge.port import folded
from conformance.judge.record.rows import GraphRow
from conformance.judge.results import Activation, Compare, Divergence, Port, common
from conformance.judge.settled import Instead, candidates, words
from conformance.numbers.activations import Progress, ResultPair, run_both
from conformance.numbers.own_weights import Side, address
from conformance.numbers.relation import Relation, checksum, relation
from conformance.numbers.stored import Slots
from conformance.trace.port import UntraceableModel


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


@dataclass
class Comparison:
    """Everything that was found; results are in the order of A's nodes."""

    a: Side
    b: Side
    structure: list[Difference]
    slots: list[SlotPair] = field(default_factory=list)
    results: list[ResultPair] = field(default_factory=list)
    planned: int = 0
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    pairs: dict[int, int] = field(default_factory=dict)
    #: Batch norms that B has folded into convolutions, and what that allows the results to be off.
    folds: int = 0
    cost: float = 1.0
    #: Layers that no rule reads in one of the two, of which values say that they are the other's.
    settled: list[Instead] = field(default_factory=list)

    def __post_init__(self) -> None:
        #: Both graphs as they were compared, with what has been settled in its place.
        self.read = self.a.graph, self.b.graph

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

    @cached_property
    def judgement(self) -> Judgement:
        """The fold of all three checks."""
        wrong = self.differing
        structure = Part([self.difference(each) for each in self.structure])
        structure.remarks = [self.other_words(each) for each in self.settled]
        weights = Part([self.slot(each) for each in wrong], len(self.slots), len(self.slots))
        weights.remarks = [
            self.moved_slot(each)
            for each in self.slots
            if not each.relation.equal and each not in wrong
        ]
        if self.folds:
            count = f"{self.folds} batch norm{'' if self.folds == 1 else 's'}"
            said = f"{count} folded into the convolutions before, judged by what float32 costs"
            weights.remarks.append(Remark("", "folded", 0, self.folds, hint=said))
        values = Part(planned=self.planned - len(self.slots), run=len(self.results))
        if self.parted:
            values.findings.append(self.value(self.parted))
        if self.problem:
            values.open.append(Unjudged("forward", self.problem))
        return Judgement.of([structure, weights, values])

    @property
    def verdict(self) -> Literal["same", "differ", "inconclusive"]:
        match self.judgement.verdict:
            case "conforms":
                return SAME
            case "deviates":
                return DIFFER
        return INCONCLUSIVE

    def difference(self, each: Difference) -> Finding:
        """A finding of the structure, in both ports' own words."""
        one, other = each.expected_node, each.found_node
        nodes = [self.a.graph.nodes[one]] if one is not None else []
        nodes += [self.b.graph.nodes[other]] if other is not None else []
        return Finding(
            "structure", self.a.at(one), each.attribute, each.expected, each.found,
            kind=nodes[0].kind, port_node=self.b.at(other),
        )  # fmt: skip

    def other_words(self, each: Instead) -> Remark:
        """A layer that is written in operations that no rule reads."""
        return Remark(
            self.a.at(each.a), "operation", words(self.a.graph, each.in_a),
            words(self.b.graph, each.in_b), self.b.at(each.b),
            "cannot be read, and computes the same: by its values",
        )  # fmt: skip

    def settle(self, each: Instead) -> None:
        """Take a layer that computes the same for the same, whatever it is made of."""
        said = [f for f in self.structure if each.explains(f, self.b.graph)]
        self.structure = [f for f in self.structure if f not in said]
        self.settled.append(each)

    def slot(self, each: SlotPair) -> Finding:
        """A finding of the weights."""
        found = each.relation
        return Finding(
            "weights", self.a.at(each.a, each.training), each.slot, "equal", found.word,
            port_node=self.b.at(each.b, each.training), hint=found.detail,
            difference=found.difference if isfinite(found.difference) else UNSET,
        )  # fmt: skip

    def moved_slot(self, each: SlotPair) -> Remark:
        """Weights in another order that nothing suffers from."""
        found = self.slot(each)
        return Remark(
            found.node, found.attribute, found.expected, found.found, found.port_node,
            f"{found.attribute} is {found.found}",
        )  # fmt: skip

    def value(self, each: ResultPair) -> Finding:
        """A finding of the activations: the first pair that is not the same."""
        return Finding(
            "forward", self.a.at(each.a), "value", finite(each.bound), finite(each.error),
            kind=self.a.graph.nodes[each.a].kind, port_node=self.b.at(each.b),
        )  # fmt: skip

    def near(self, parted: ResultPair) -> list[Finding]:
        """What may be the cause of the first divergence: what lies behind results that agree."""
        settled = [each for each in self.results if each.agrees and not each.moved]
        a, b = self.a.graph.nodes, self.b.graph.nodes
        in_a = reached([parted.a], lambda i: a[i].inputs, {each.a for each in settled})
        in_b = reached([parted.b], lambda i: b[i].inputs, {each.b for each in settled})
        found = [
            (d.expected_node, self.difference(d))
            for d in self.structure
            if d.expected_node in in_a or d.found_node in in_b
        ]
        found += [
            (s.a, self.slot(s))
            for s in self.slots
            if not s.relation.equal and not s.training and (s.a in in_a or s.b in in_b)
        ]
        return [finding for _, finding in sorted(found, key=lambda each: each[0] != parted.a)]

    def result(self) -> Compare:
        """The result of ``conformance compare``."""
        parted = self.parted
        height, width, channels = self.a.graph.nodes[self.a.graph.inputs[0]].shape
        return Compare(
            schema=1,
            a=_port(self.a, self.read[0]),
            b=_port(self.b, self.read[1]),
            input=(height, width, channels),
            **(common(self.judgement) | {"verdict": self.verdict}),
            slots=dict(sorted(Counter(each.relation.word for each in self.slots).items())),
            first_divergence=self._divergence(parted) if parted else None,
            activations=tuple(map(self._activation, self.results)),
            notes=(*self.notes, *self._drawn_anew()),
        )

    def _drawn_anew(self) -> list[str]:
        words = {each.relation.word for each in self.slots if each.slot == "kernel"}
        said = "no kernel agrees: does either factory draw its weights anew?"
        return [said] if words == {"wrong"} else []

    def drawing(self) -> Json:
        """What a page with both graphs is made of."""
        order = {each.a: each for each in self.results}
        return {
            "port": self.b.name,
            "architecture": self.a.name,
            "totals": {},
            "expected": written(GraphRow.of(self.a.graph)),
            "found": written(GraphRow.of(self.b.graph)),
            "pairs": {str(one): other for one, other in self.pairs.items()},
            "parity": {
                "nodes": [
                    {"node": node, "error": finite(each.error), "bound": finite(each.bound)}
                    for node, each in sorted(order.items())
                ]
            },
        }

    def _activation(self, each: ResultPair) -> Activation:
        """One pair of results; an error or bound that is no number is null."""
        kind, error, bound = self.a.graph.nodes[each.a].kind, finite(each.error), finite(each.bound)
        a, b = self.a.at(each.a), self.b.at(each.b)
        return Activation(a, b, kind, error, bound, each.agrees, each.moved)

    def _divergence(self, each: ResultPair) -> Divergence:
        seen = asdict(self._activation(each))
        return Divergence(**seen, before=self.before, causes=tuple(self.near(each)))


def _port(side: Side, read: Graph) -> Port:
    numbers = read.parameters("with running statistics")
    return Port(side.name, side.port.framework, len(side.graph), numbers)


def compare(a: Side, b: Side, progress: Progress = lambda done, total: None) -> Comparison:
    """Compare two ports.

    Raises :class:`~conformance.trace.port.UntraceableModel` where one cannot be built or run.
    """
    a.graph, b.graph = alike(a.graph, b.graph)
    alignment = align(a.graph, b.graph)
    found = Comparison(a, b, [*findings(a.graph, b.graph, alignment), *_outputs(a, b, alignment)])
    one, two, unread = candidates(a.graph, b.graph, alignment.pairs)
    found.pairs = alignment.pairs | {each.a: each.b for each in unread}
    pairs = sorted(found.pairs.items())
    observed = [(i, j) for i, j in pairs if a.graph.nodes[i].seen and b.graph.nodes[j].seen]
    found.slots = _weights(a, b, one, two, _slots(one, two, pairs))
    missing = {(s.a, s.slot) for s in found.slots if s.relation.word == "missing"}
    found.structure = [f for f in found.structure if (f.expected_node, f.attribute) not in missing]
    observed = _folded(found, alignment, observed)
    if a.unread(a.graph) or b.unread(b.graph):
        try:
            _heads(a, b, found)
        except UntraceableModel as refused:
            found.problem = f"what only training reads is not compared: {refused}"
    found.planned = len(found.slots) + len(observed)
    results, problem = run_both(a, b, dict(observed), progress)
    found.results = [replace(each, bound=each.bound * found.cost) for each in results]
    found.problem = found.problem or problem
    same = {(each.a, each.b) for each in found.results if each.agrees and not each.moved}
    for each in unread:
        if (each.a, each.b) in same and each.tells(Slots(one, a.own)):
            found.settle(each)
    if found.settled:
        found.read = one, two
    return found


def _folded(
    found: Comparison, alignment: Alignment, observed: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Judge batch norms that B has folded into its convolutions; the pairs of results with them."""
    a, b = found.a, found.b
    folds = folded.folds(a.graph, b.graph, alignment)
    if not folds:
        return observed
    in_a, in_b = Slots(a.graph, a.own), Slots(b.graph, b.own)
    ends = {fold.conv: fold for fold in folds}
    norms = {fold.norm for fold in folds}
    found.structure = [
        each
        for each in found.structure
        if each.expected_node not in norms
        and not (each.expected_node in ends and each.attribute == "bias")
    ]
    found.slots = [each for each in found.slots if each.a not in ends]
    for fold in folds:
        found.slots += [
            SlotPair(fold.conv, fold.folded, slot, relation)
            for slot, relation in folded.relations(fold, in_a, in_b).items()
        ]
    found.slots.sort(key=lambda each: each.a)
    found.folds, found.cost = len(folds), folded.FLOAT32
    return [(ends[i].norm if i in ends else i, j) for i, j in observed]


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


def _outputs(a: Side, b: Side, alignment: Alignment) -> list[Difference]:
    """The models return as many things, and corresponding ones, in one order."""
    want = tuple(alignment.pairs.get(i) for i in a.graph.outputs)
    if None in want or want == b.graph.outputs:
        return []  # an unpaired output is a finding already
    expected, got = ([side.at(i) for i in side.graph.outputs] for side in (a, b))
    return [Difference("outputs", expected, got, a.graph.outputs[0], b.graph.outputs[0])]


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
