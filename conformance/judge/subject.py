"""A port beside the network that it is judged as: its traces, their alignment, its variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from conformance import reference
from conformance.graph.align import Finding as Difference
from conformance.graph.align import align, findings
from conformance.graph.model import Graph
from conformance.graph.names import names
from conformance.judge import published
from conformance.judge.added import added
from conformance.judge.altered import altered
from conformance.judge.variants import Comparison, Explained, explain, matches
from conformance.numbers.causes.roots import stand_ins
from conformance.reference import Model
from conformance.reference import variants as known
from conformance.trace.canonical import canonical
from conformance.trace.port import Port, Size, UntraceableModel
from conformance.trace.tape import Tape

#: Attributes that only training shows.
TRAINED = ("momentum", "statistics", "unbiased", "rate")

Stage = Callable[[str, int, int], None]


@dataclass
class Subject:
    """What every check of a port is given.

    ``explained_all`` says that no finding is left: where the port differs it is run beside itself.
    """

    port: Port
    model: Model
    tape: Tape
    inference: Comparison
    taught: Tape | None = None
    training: Comparison | None = None
    untraceable: str = ""
    explained_all: bool = False
    seed: int = 0
    stage: Stage = field(default=lambda name, done, total: None)

    @cached_property
    def explained(self) -> Explained:
        """The known variants that explain differences, and those that none of them explains."""
        return explain(self.whole, [each for each in self.candidates if not each.another])

    @cached_property
    def another(self) -> known.Profile | None:
        """The other network that bears this one's name, if the port is that."""
        if not self.explained.surplus:
            return None
        others = explain(self.whole, [each for each in self.candidates if each.another])
        return next(iter(others.profiles), None)

    @property
    def candidates(self) -> list[known.Profile]:
        return known.of(self.model)

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
        seen: set[int] = set()
        nearly = [profile for profile, _ in self.explained.nearly]
        for profile in self.explained.profiles + nearly:
            seen |= matches(comparison, profile, False) or set()
        left = [f for i, f in enumerate(comparison.findings) if i not in seen]
        return left + added(
            comparison, [i for i in range(len(comparison.findings)) if i not in seen]
        )

    @cached_property
    def added(self) -> list[Difference]:
        """What is wrong with the nodes that the accepted variants add."""
        found = added(self.whole, self.explained.surplus)
        return [each for each in found if each not in self.explained.exceptions]

    def side(self, training: bool = False) -> Side:
        """What the oracle executes in a mode: the paper's network, or the accepted variant's."""
        comparison = self.training if training else self.inference
        assert comparison is not None
        surplus = self.surplus(comparison)
        variant = None
        if len(surplus) < len(comparison.findings) + len(self.added) or self.explained_all:
            variant = altered(comparison, surplus) if comparison.findings else None
        return Side(comparison, variant)


class Side:
    """Which graph the oracle executes, and which of the port's nodes stands for which of its.

    ``variant`` is the network that accepted variants describe; None is the paper's own.
    """

    def __init__(self, comparison: Comparison, variant: Graph | None) -> None:
        self.comparison = comparison
        self.found = comparison.found
        self.variant = variant is not None
        self.expected = variant or comparison.expected
        pairs = {i: i for i in range(len(self.expected))} if variant else comparison.pairs
        self.pairs = stand_ins(self.expected, comparison.found, pairs)
        self.names = (
            comparison.labels
            if variant
            else names(self.expected, [row.name for row in comparison.model.rows])
        )
        behind = range(len(self.expected))
        self.rows = [comparison.rows[comparison.behind(i) if variant else i] for i in behind]


def subject(port: Port, model: Model, size: Size | None, seed: int, stage: Stage) -> Subject:
    """Trace a port in both modes and set it beside the network.

    Without a ``size`` the images are the paper's; a port that takes none of those is given others.
    Raises :class:`~conformance.trace.port.UntraceableModel`.
    """
    stage("tracing the port", 0, 0)
    size, tape = (size, port.trace(size)) if size else _taken(port, model)
    try:
        ours = published.network(model, size)
    except published.NoSuchSize as refused:
        raise UntraceableModel(str(refused)) from None
    found = Subject(port, model, tape, _compare(ours.inference, canonical(tape), model))
    found.seed, found.stage = seed, stage
    if port.trains:
        stage("tracing the port in training", 0, 0)
        try:
            found.taught = port.trace(size, training=True)
            found.training = _compare(ours.training, canonical(found.taught), model)
        except UntraceableModel as refused:
            found.taught, found.untraceable = None, str(refused)
    return found


def _taken(port: Port, model: Model) -> tuple[Size, Tape]:
    """The first size of image that a port takes: the paper's, another of the reference, or grey."""
    refused: UntraceableModel | None = None
    for size in sizes(model):
        try:
            return size, port.trace(size)
        except UntraceableModel as reason:
            refused = refused or reason
    assert refused is not None
    raise refused


def sizes(model: Model) -> list[Size]:
    """Sizes of images that a port of a network may be made for, the network's own first."""
    known = list(dict.fromkeys(each.input for each in reference.models().values()))
    known.sort(key=lambda size: size[:2] != model.input[:2])
    colours = [(*size[:2], channels) for size in known for channels in (3, 1) if size[0] > 1]
    return list(dict.fromkeys([model.input, *colours, (28, 28, 1)]))


def _compare(expected: Graph, found: Graph, model: Model) -> Comparison:
    expected = published.by_convention(expected, found)
    alignment = align(expected, found)
    differences = [*_image(expected, model), *findings(expected, found, alignment)]
    return Comparison(expected, found, differences, model, alignment.pairs)


def _image(expected: Graph, model: Model) -> Iterator[Difference]:
    """Another image than the paper's, where it makes another network: other kernels."""
    ours = published.network(model)
    counts = [graph.parameters("weights") for graph in (expected, ours.inference, ours.training)]
    if counts[0] in counts[1:]:
        return
    size = expected.nodes[expected.inputs[0]].shape
    for attribute, want, have in (
        ("size", model.input[:2], size[:2]),
        ("channels", model.input[2], size[2]),
    ):
        if want != have:
            yield Difference(attribute, want, have, expected.inputs[0], 0)
