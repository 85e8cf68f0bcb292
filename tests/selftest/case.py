"""A wrong model beside the right one: all that the checks of the suite say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module

from conformance import reference
from conformance.graph.align import Alignment, align, findings
from conformance.graph.align import Finding as Difference
from conformance.graph.alike import alike
from conformance.graph.model import Graph
from conformance.graph.rows import row_of
from conformance.graph.shrink import smallest
from conformance.judge import published
from conformance.judge.compare import Comparison, compare
from conformance.judge.finding import CONFORMS, VARIANT, Finding, Remark
from conformance.judge.port import initialisation, verdict
from conformance.judge.port.smaller import traced
from conformance.judge.port.subject import subject
from conformance.numbers.gradients import Gradients, gradients
from conformance.numbers.integers import Integers
from conformance.numbers.own_weights import Side
from conformance.numbers.parity import NodeParity, Oracles, Parity, parity
from conformance.numbers.precision import FLOAT32
from conformance.numbers.weights import BATCH
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from conformance.trace.port import Port, Size
from conformance.trace.tape import Tape
from tests.selftest.rows import Wrong

#: The modes whose wrong models are run backwards.
BACKWARDS = ("gradient", "step")


class Correct:
    """Our own network in one framework, traced when asked for and once."""

    def __init__(self, framework: str, architecture: str) -> None:
        self.framework, self.architecture = framework, architecture
        self.graphs: dict[tuple[bool, Size], Graph] = {}

    @cached_property
    def model(self) -> reference.Model:
        return reference.find(self.architecture)

    @property
    def rows(self) -> list[str]:
        return self.model.row_names

    def graph(self, training: bool, size: Size | None = None) -> Graph:
        """Its graph on the paper's image, or on one of another size."""
        of = training, size or self.model.input
        if of not in self.graphs:
            port = frameworks.port(self.framework, self.model)
            self.graphs[of] = canonical(traced(port, of[1], training))
        return self.graphs[of]

    def alarms(self, training: bool) -> list[Difference]:
        """What differs between this network and itself traced anew: nothing may."""
        anew = Correct(self.framework, self.model.name).graph(training)
        graph = self.graph(training)
        return findings(graph, anew, align(graph, anew))


# Wrong models of one network follow each other: what the right one computes is kept for the next.


class Kept(Oracles):
    """Results that are not forgotten: another run is held against them."""

    def release(self, index: int) -> None:
        pass


@lru_cache(maxsize=1)
def oracles(correct: Correct, training: bool) -> Oracles:
    """What a right network computes for one image, each node once."""
    return Kept(correct.graph(training), 0, 1)


@lru_cache(maxsize=1)
def integers(correct: Correct, training: bool) -> Integers:
    """A right network in whole numbers."""
    return Integers(correct.graph(training), 0, FLOAT32)


@dataclass(frozen=True, slots=True)
class Named:
    """What the suite says of a wrong model: the row of the first difference, and in what."""

    layer: str
    attributes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.layer}: {', '.join(self.attributes)}" if self.attributes else "nothing"


class Case:
    """A wrong model beside the right one."""

    def __init__(self, mutant: Wrong, correct: Correct) -> None:
        self.mutant, self.correct = mutant, correct
        self.training = mutant.mode in ("training", "step")
        self.port: Port = frameworks.tracer(correct.framework).port(mutant.wrong)

    @cached_property
    def size(self) -> Size:
        """That of the image: of what is run backwards, the smallest that changes nothing else."""
        model = self.correct.model
        if self.mutant.mode not in BACKWARDS:
            return model.input
        network = published.network(model)
        return smallest(network.training if self.training else network.inference) or model.input

    @cached_property
    def tape(self) -> Tape:
        return traced(self.port, self.size, self.training)

    @cached_property
    def wrong(self) -> Graph:
        return alike(self.right, canonical(self.tape))[1]

    @cached_property
    def right(self) -> Graph:
        return self.correct.graph(self.training, self.size)

    @cached_property
    def alignment(self) -> Alignment:
        return align(self.right, self.wrong)

    def named(self) -> Named:
        """The row of the first node that differs, and all that differs in it."""
        found = findings(self.right, self.wrong, self.alignment)
        if not found:
            return Named("", ())
        first = found[0].expected_node, found[0].found_node
        same = [f for f in found if (f.expected_node, f.found_node) == first]
        return Named(self.row(*first), tuple(f.attribute for f in same))

    def started(self) -> Named:
        """The row of the first slot that starts like no usual scheme, or like another layer's."""
        return _first(self.start)

    @cached_property
    def start(self) -> list[Finding]:
        """The gate's findings in what the model starts from."""
        asked = subject(self.port, self.correct.model, None, 0, lambda *said: None)
        return initialisation.check(asked, False)[0].findings

    def gated(self) -> Named:
        """The row of the gate's first finding, and what differs there; the port is not run."""
        return _first(judged(self.port, self.correct).findings)

    def compared(self) -> Named:
        """The layer of the first attribute or slot that differs from the small network's."""
        found = self.comparison
        places = [(found.a.at(each.expected_node), each.attribute) for each in found.structure]
        slots = [each for each in found.slots if not each.relation.equal]
        places += [(found.a.at(each.a, each.training), each.slot) for each in slots]
        here = [attribute for place, attribute in places if place == places[0][0]]
        return Named(places[0][0], tuple(here)) if places else Named("", ())

    @cached_property
    def comparison(self) -> Comparison:
        """The small network of the room, and the same after the mistake."""
        return compared(self.correct.framework, self.port)

    def remarked(self) -> Named:
        """The row of the first remark on a port that is accepted, and what it is about."""
        found = judged(self.port, self.correct)
        if found.verdict not in (CONFORMS, VARIANT):
            return Named("refused", tuple(f.attribute for f in found.findings))
        return _first(found.judgement.remarks)

    def differentiated(self) -> Named:
        """The row of the first node whose gradient parts from the oracle's."""
        suspects = self.gradients.suspects(self.right)
        return Named(self.row(suspects[0], None), ("gradient",)) if suspects else Named("", ())

    @cached_property
    def both(self) -> Oracles:
        """What the right network computes, forward and back."""
        return Kept(self.right, 0, BATCH if self.training else 1)

    @cached_property
    def gradients(self) -> Gradients:
        """The way back beside that of the right network."""
        return gradients(
            self.port, self.tape, self.wrong, self.right, self.alignment.pairs,
            training=self.training, oracles=self.both,
        )  # fmt: skip

    @cached_property
    def forward(self) -> Parity:
        """The values of the same run beside those of the right network."""
        return parity(
            self.port, self.tape, self.wrong, self.right, self.alignment.pairs,
            training=self.training, oracles=self.both,
        )  # fmt: skip

    def row(self, expected: int | None, found: int | None) -> str:
        """The row that a node of the right graph, or an additional one of the wrong, is in."""
        if expected is not None:
            return row_of(self.right, self.correct.rows)[expected]
        assert found is not None  # a finding is about a node
        return row_of(self.wrong, self.correct.rows)[found]

    @cached_property
    def values(self) -> Parity:
        """The float64 run beside the right network, up to where the results part."""
        both, pairs = oracles(self.correct, self.training), self.alignment.pairs
        # A cause is looked for in what no result is seen of: that is computed anew.
        unseen = set(range(len(self.right))) - {
            a for a, b in pairs.items() if self.wrong.nodes[b].seen
        }
        for index, node in enumerate(self.right):
            if index in unseen or unseen & set(node.inputs):
                both.double.results.pop(index, None)
                both.single.results.pop(index, None)
        return parity(
            self.port, self.tape, self.wrong, self.right, pairs, to_the_end=False, oracles=both
        )

    def parted(self) -> tuple[str, NodeParity] | None:
        """Where the results part in float64: the row and the node; None if they never do."""
        first = self.values.first_divergence
        return (self.row(first.node, None), first) if first else None


def judged(port: Port, correct: Correct) -> verdict.Judged:
    """What the gate says of a port without running it."""
    return verdict.judge(port, correct.model, numbers=False)


def compared(framework: str, port: Port) -> Comparison:
    """The small network of a framework's room beside another port."""
    pairs = import_module(f"tests.selftest.{framework}.pairs")
    network = frameworks.tracer(framework).port(pairs.network)
    return compare(Side("one", network, pairs.SIZE), Side("other", port, pairs.SIZE))


def _first(found: Sequence[Finding | Remark]) -> Named:
    """The row of the first of the gate's findings or remarks, and in what all of them differ."""
    if not found:
        return Named("", ())
    row = found[0].node.removeprefix("after ").split("/")[0].split(" ")[0]
    return Named(row, tuple(dict.fromkeys(each.attribute for each in found)))
