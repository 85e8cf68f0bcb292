"""The cause of a divergence: what makes the error of the node where two models part vanish.

The first node whose result is wrong is computed again, by the oracle's own operations and on the
inputs that both models agree on, in every way in which ports are known to go wrong.  What gives
the port's result, within the node's bound, is the cause; of several, the simplest is first.
Where nothing does, nothing is claimed.  It costs a few times that one node, and only once two
models have parted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from conformance.graph.model import Graph, Node
from conformance.kinds import KINDS, Kind
from conformance.kinds.experiment import Trial, shaped
from conformance.kinds.kind import Hypothesis
from conformance.numbers.causes.common import COMMON, COMMON_FITTED
from conformance.numbers.deviation import distance
from conformance.numbers.oracle import Oracle

#: How many nodes that the port does not show may lie between what agrees and what does not.
REACH = 3

Near = Callable[[np.ndarray], bool]
Stage = Callable[[Kind, bool], tuple[Hypothesis, ...]]

#: Hypotheses about a node's kind, those with a number to solve for where the result is seen, and
#: those about any kind: the first that explain it are taken.
STAGES: tuple[Stage, ...] = (
    lambda row, seen: row.causes,
    lambda row, seen: row.fitted if seen else (),
    lambda row, seen: COMMON + (COMMON_FITTED if seen else ()),
)

#: Slots that may be other than expected, and what that is called; the first are as expected.
Variants = Iterable[tuple[str, Mapping[str, np.ndarray]]]


@dataclass(slots=True)
class Segment:
    """The node that diverged and what leads to it unseen, from results that both models share.

    ``nodes`` are in order and end with that node; ``given`` are the results they begin with.
    """

    oracle: Oracle
    nodes: list[int]
    given: dict[int, np.ndarray]
    results: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        return self.oracle.graph

    def inputs(self, index: int) -> tuple[np.ndarray, ...]:
        known = self.given | self.results
        return tuple(known[i] for i in self.graph.nodes[index].inputs)

    def compute(self, after: int = -1) -> np.ndarray:
        """The last result, with everything after a node, or all, computed from what is known."""
        for index in self.nodes:
            if index > after:
                self.results[index] = self._operation(index, self.oracle.parameters(index))
        return self.results[self.nodes[-1]]

    def _operation(self, index: int, slots: Mapping[str, np.ndarray]) -> np.ndarray:
        node = self.graph.nodes[index]
        result = KINDS[node.kind].forward(self.oracle, node, slots, *self.inputs(index))
        return shaped(np.asarray(result), node.shape)

    def with_result(self, index: int, result: np.ndarray) -> np.ndarray:
        """What the last node computes when another one has this result."""
        if index == self.nodes[-1]:
            return result
        there = Segment(self.oracle, self.nodes, self.given, self.results | {index: result})
        return there.compute(index)

    def trial(
        self, index: int, slots: Mapping[str, np.ndarray], got: np.ndarray | None,
        near: Near,
    ) -> Trial:  # fmt: skip
        """One of the nodes on trial; ``got`` is known of the last one only."""
        node = self.graph.nodes[index]
        before = [self.graph.nodes[i] for i in node.inputs]
        image: tuple[int, ...] = ()
        if before and before[0].kind == "flatten":
            image = self.graph.nodes[before[0].inputs[0]].shape
        return Trial(
            self.oracle, node, slots, self.inputs(index), self._operation(index, slots), got,
            near, image, any(each.kind == "input" for each in before),
        )  # fmt: skip


def nearness(got: np.ndarray, rms: float, bound: float) -> Near:
    """Whether a result is what the port has, to the bound of the node."""

    def near(result: np.ndarray) -> bool:
        return distance(got, result, rms) <= bound

    return near


def causes(
    segment: Segment,
    got: np.ndarray,
    rms: float,
    bound: float,
    variants: Callable[[int], Variants] = lambda index: (),
) -> tuple[str, ...]:
    """What the port may have computed instead, in the place of the last node of a segment.

    ``got`` is the port's result, ``rms`` and ``bound`` are those of the node, and ``variants`` says
    of which other values the slots of a node may be.  Nothing of a right result.
    """
    near = nearness(got, rms, bound)
    with np.errstate(all="ignore"):
        expected = segment.compute()
        if got.shape != expected.shape or not np.isfinite(got).all() or near(expected):
            return ()
        for stage in STAGES:
            if found := tuple(dict.fromkeys(_explained(segment, stage, got, near, variants))):
                return found
    return ()


def _explained(
    segment: Segment, stage: Stage, got: np.ndarray, near: Near, variants: Callable[[int], Variants]
) -> Iterator[str]:
    """What the hypotheses of a stage say that explain the port's result, the last node's first."""
    for index in reversed(segment.nodes):
        node, seen = segment.graph.nodes[index], index == segment.nodes[-1]
        known: set[str] = set()
        for given, slots in (("", segment.oracle.parameters(index)), *variants(index)):
            t = segment.trial(index, slots, got if seen else None, near)
            if given and near(segment.with_result(index, t.want)):
                yield _said(given, node, seen)
                continue
            for hypothesis in stage(KINDS[node.kind], seen):
                words = _first(hypothesis, t, segment, index)
                if words and words not in known:  # it holds whatever the slots are
                    known.add(words)
                    yield _said(f"{given}, and {words}" if given else words, node, seen)


def _first(hypothesis: Hypothesis, t: Trial, segment: Segment, index: int) -> str:
    """The words of a hypothesis' first alteration that gives the port's result."""
    for words, result in hypothesis(t):
        result = shaped(result, t.node.shape)
        if result.shape == t.want.shape and t.near(segment.with_result(index, result)):
            return words
    return ""


def _said(words: str, node: Node, seen: bool) -> str:
    """The words, which speak of the last node as "it", for one that lies unseen before that."""
    if seen:
        return words
    before = f"the {node.kind.replace('_', ' ')} before it"
    subject, _, rest = words.partition(" ")
    return f"{before} {rest}" if subject == "it" else f"{words}, in {before}"
