"""A port beside the network that it is judged as: its traces, their alignment, its variants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations
from typing import Any

from conformance.graph.align import Alignment, align, findings
from conformance.graph.align import Finding as Difference
from conformance.graph.alike import alike
from conformance.graph.model import Graph, Where
from conformance.graph.resize import CannotResize, resized, without
from conformance.judge import published
from conformance.judge.finding import CheckName, Finding
from conformance.judge.port import preparation, sizes
from conformance.judge.port.added import added
from conformance.judge.port.altered import altered
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.supposed import Turn, supposed, unread
from conformance.judge.port.unread import instead
from conformance.judge.port.variants import Explained, explain, left_out, returned
from conformance.numbers.causes.roots import stand_ins
from conformance.reference import Model
from conformance.reference import variants as known
from conformance.trace.batch import one_by_one
from conformance.trace.canonical import canonical, only, without_zeros
from conformance.trace.port import Port, Size, UntraceableModel
from conformance.trace.tape import Tape

#: More outputs than a network with auxiliary heads has are not tried in other orders.
MOST_OUTPUTS = 3

Stage = Callable[[str, int, int], None]


@dataclass
class Subject:
    """What every check of a port is given.

    ``explained_all`` says that no finding is left: where the port differs it is run beside itself.
    """

    port: Port
    model: Model
    size: Size
    tape: Tape
    inference: Comparison
    taught: Tape | None = None
    training: Comparison | None = None
    untraceable: UntraceableModel | None = None
    #: Where norms see one image only, if training takes the images one by one: the tape is of one.
    one_by_one: list[Where] | None = None
    explained_all: bool = False
    seed: int = 0
    stage: Stage = field(default=lambda name, done, total: None)
    #: Kernels of operations without a word that values have shown to be in another order.
    turned: dict[str, Turn] = field(default_factory=dict)
    _sides: dict[tuple[bool, bool], Side] = field(default_factory=dict, init=False)

    @cached_property
    def explained(self) -> Explained:
        """The known variants that explain differences, and those that none of them explains."""
        known = [each for each in self.candidates if not each.another]
        given = list(sizes.variants(self.size, self.model, self.whole))
        given += preparation.variants(self.whole, known)
        found = explain(self.whole, known, given)
        if self.training:
            returned(found, self.training, self.inference, known)
        if found.unexplained:
            less = self.whole.given
            others = [each for each in self.candidates if each.another]
            if less in others:  # its layers are left out here
                others = [less]
            for other in explain(self.whole, others).profiles:
                return explain(self.whole, known, given, other)
        return found

    @property
    def another(self) -> known.Profile | None:
        """The other network that bears this one's name, if the port is that."""
        return self.explained.another

    def beside(self, profile: known.Profile) -> Subject | None:
        """The same port beside a variant that leaves layers with weights out of the network.

        None for a variant that leaves out none, or a whole output.
        """
        ours = published.network(self.model)
        gone = left_out(Comparison(ours.inference, ours.inference, [], self.model, {}), profile)
        weighted = any(ours.inference.nodes[i].has("weighted") for i in gone)
        if not weighted or gone.intersection(ours.inference.outputs):
            return None
        try:
            inference = compared(
                ours.inference, self.inference.found, self.model, self.size, profile
            )
            training = self.training and compared(
                ours.training, self.training.found, self.model, self.size, profile
            )
        except (CannotResize, UntraceableModel):
            return None
        inference.returned = self.inference.returned
        return replace(self, inference=inference, training=training)

    @property
    def candidates(self) -> list[known.Profile]:
        return [each for each in known.of(self.model) if each.takes(*self.size[:2])]

    @property
    def whole(self) -> Comparison:
        """The comparison that sees most."""
        return self.training or self.inference

    def surplus(self, comparison: Comparison) -> list[Difference]:
        """What no known variant explains in a mode; nothing where all that is left is meant."""
        if self.explained_all:
            return []
        if comparison is self.whole:
            surplus = [comparison.findings[i] for i in self.explained.surplus]
            return surplus + self.explained.exceptions + self.added
        seen = self.explained.seen(comparison)
        left = [i for i in range(len(comparison.findings)) if i not in seen]
        own = self.explained.exceptions_in(comparison, self.whole)
        more = added(comparison, left, self.explained.accepted)
        return [comparison.findings[i] for i in left] + own + more

    @cached_property
    def added(self) -> list[Difference]:
        """What is wrong with the nodes that the accepted variants add."""
        found = added(self.whole, self.explained.surplus, self.explained.accepted)
        return [each for each in found if each not in self.explained.exceptions]

    def side(self, training: bool = False) -> Side:
        """What the oracle executes in a mode: the paper's network, or the accepted variant's."""
        key = training, self.explained_all
        if key not in self._sides:
            self._sides[key] = self._side(training)
        return self._sides[key]

    def _side(self, training: bool) -> Side:
        comparison = self.training if training else self.inference
        assert comparison is not None
        surplus = self.surplus(comparison)
        variant = None
        if len(surplus) < len(comparison.findings) + len(self.added) or self.explained_all:
            variant = altered(comparison, surplus) if comparison.findings else None
        return Side(comparison, variant, self.turned)

    def turn(self, kernels: dict[str, Turn]) -> None:
        """Take stored kernels for ones in another order."""
        self.turned |= kernels
        self._sides.clear()


class Side:
    """Which graph the oracle executes, and which of the port's nodes stands for which of its.

    ``variant`` is the network that accepted variants describe; None is the paper's own.
    """

    def __init__(
        self, comparison: Comparison, variant: Graph | None, turned: dict[str, Turn]
    ) -> None:
        self.comparison, self.turned = comparison, turned
        self.variant = variant is not None
        self.expected = variant or comparison.expected
        pairs = comparison.pairs
        if variant:
            read = variant.ancestors(*variant.outputs)  # and not what stood for a layer of it
            pairs = {i: i for i in sorted(read) if variant.nodes[i].known}
        self.pairs = stand_ins(self.expected, comparison.found, pairs)
        self.found = supposed(self.expected, comparison.found, self.pairs, turned)
        self.names = comparison.labels if variant else comparison.names
        behind = range(len(self.expected))
        self.rows = [comparison.rows[comparison.behind(i) if variant else i] for i in behind]
        if variant:  # what stands for a layer has its name
            ours = unread(comparison.expected, comparison.found, comparison.pairs)
            replaced = {b: comparison.names[a] for a, b, _ in ours}
            self.names = [replaced.get(i, name) for i, name in enumerate(self.names)]

    def finding(self, check: CheckName, node: int, attribute: str, **found: Any) -> Finding:
        """A finding at a node of the executed graph."""
        return Finding(
            check=check, node=self.names[node], attribute=attribute,
            kind=self.expected.nodes[node].kind,
            port_node=str(self.found.nodes[self.pairs[node]].where), **found,
        )  # fmt: skip


def subject(port: Port, model: Model, size: Size | None, seed: int, stage: Stage) -> Subject:
    """Trace a port in both modes and set it beside the network, for images of a size.

    Without a ``size`` the images are the paper's; a port that takes none of those is given others.
    Raises :class:`~conformance.trace.port.UntraceableModel`.
    """
    stage("tracing the port", 0, 0)
    size, tape = (size, sizes.at(port, size)) if size else sizes.traced(port, model)
    # What is held against many networks reads a tape once.
    ours, read = published.network(model), getattr(port, "canonical", canonical)
    inference = compared(ours.inference, read(tape), model, size)
    found = Subject(port, model, size, tape, inference, seed=seed, stage=stage)
    if port.trains:
        stage("tracing the port in training", 0, 0)
        try:
            found.taught = port.trace(size, training=True)
            found.one_by_one = one_by_one(found.taught)
            if found.one_by_one is not None:
                found.taught = port.trace(size, training=True, batch=1)
            found.training = compared(ours.training, read(found.taught), model, size)
        except UntraceableModel as refused:
            found.taught, found.untraceable = None, refused
    return _nearest(found)


def _nearest(found: Subject) -> Subject:
    """A port beside the network, or beside the variant with fewer layers if that explains more.

    Where many layers are missing, others stand in for them when the two are aligned.
    """
    best = found
    for profile in found.candidates:
        there = best.explained
        if profile.another or not (there.unexplained or profile in there.profiles):
            continue
        less = found.beside(profile)
        if less is None or profile not in less.explained.profiles:
            continue
        here = less.explained
        if (here.unexplained, profile not in there.profiles) <= (there.unexplained, False):
            best = less
    if best.explained.unexplained:
        others = [best.beside(each) for each in best.candidates if each.another]
        named = [each for each in others if each and each.another]
        best = min([best, *named], key=lambda each: each.explained.unexplained)
    return best


def _ordered(expected: Graph, found: Graph) -> tuple[Graph, Alignment, list[Difference]]:
    """Two graphs aligned; auxiliary outputs may be returned in any order."""
    best: tuple[Graph, Alignment, list[Difference]] | None = None
    several = len(expected.outputs) == len(found.outputs) <= MOST_OUTPUTS
    for outputs in permutations(expected.outputs) if several else (expected.outputs,):
        ordered = replace(expected, outputs=outputs)
        alignment = align(ordered, found)
        differences = findings(ordered, found, alignment)
        if best is None or len(differences) < len(best[2]):
            best = ordered, alignment, differences
        if not differences:
            break
    assert best is not None
    return best


def _beside(expected: Graph, found: Graph) -> tuple[Graph, Graph, Alignment, list[Difference]]:
    """Two graphs as they are compared."""
    expected = published.by_convention(_pooled(expected, found), found)
    expected, found = alike(expected, found)
    expected, alignment, differences = _ordered(expected, found)
    return expected, found, alignment, differences


def _pooled(expected: Graph, found: Graph) -> Graph:
    """The network less pools of one pixel, which do nothing, where the port's graph has none.

    That pixel may be the port's alone, where the network has no meaning on its image.
    """
    single = _ends_in_a_pixel(found) and not _ends_in_a_pixel(expected)
    idle = {
        i
        for i, node in enumerate(expected)
        if node.kind == "global_avg_pool"
        and (single or expected.nodes[node.inputs[0]].shape[:2] == (1, 1))
    }
    if not idle or any(node.kind == "global_avg_pool" for node in found):
        return expected
    (image,) = expected.inputs
    less = without(expected, idle)
    return resized(less, expected.nodes[image].shape, kept=_heads(less, found))


def _ends_in_a_pixel(graph: Graph) -> bool:
    """Whether the last map that a layer with parameters gives has one pixel."""
    main = graph.ancestors(graph.outputs[0])
    maps = [graph.nodes[i].shape for i in sorted(main) if graph.nodes[i].has("weighted")]
    return next((m[:2] == (1, 1) for m in reversed(maps) if len(m) == 3), False)


def _heads(graph: Graph, found: Graph) -> set[int]:
    """The nodes that lead to auxiliary outputs only, if the port has none of these."""
    main = graph.ancestors(*graph.outputs[: len(found.outputs)])
    return {*range(len(graph))} - main


def compared(
    paper: Graph, found: Graph, model: Model, size: Size, given: known.Profile | None = None
) -> Comparison:
    """A trace beside the network at its own size; beside the paper's where that has no meaning."""
    if given:
        gone = left_out(Comparison(paper, paper, [], model, {}), given)
        paper = resized(without(paper, gone), model.input)
    try:
        sized, unsized = published.sized(paper, model, size), ""
    except published.NoSuchSize as refused:
        try:  # heads that the port has not need no meaning: they are missing
            sized, unsized = resized(paper, size, kept=_heads(paper, found)), ""
        except CannotResize:
            sized, unsized = paper, str(refused)
    returned = None
    if len(sized.outputs) == 1 < len(found.outputs) <= MOST_OUTPUTS:
        # Heads that are for training only: each output is tried as the network's.
        alone = [only(found, output) for output in found.outputs]
        place, found = min(enumerate(alone), key=lambda each: len(_beside(sized, each[1])[3]))
        returned = len(alone), place
    expected, found, alignment, differences = _beside(sized, found)
    if differences and (live := without_zeros(found)) is not found:
        less = _beside(sized, live)
        if len(less[3]) < len(differences):
            expected, found, alignment, differences = less
    if unsized and not differences:
        raise UntraceableModel(unsized)
    result = Comparison(
        expected, found, differences, model, alignment.pairs, paper, unsized, given, returned
    )
    result.instead = instead(result)
    return result
