"""The wrong models judged: is each caught, at the right layer, by the right word?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import reference
from conformance import frameworks
from conformance.align import Alignment, Finding, align, findings
from conformance.parity import NodeParity, parity
from conformance.selftest import Mutant
from conformance.trace.canonical import canonical
from conformance.trace.graph import Graph
from conformance.trace.port import Port
from conformance.trace.tape import Tape
from conformance.verdict import row_of
from reference import Model


class Correct:
    """Our own network in one framework, traced when asked for and once."""

    def __init__(self, framework: str, architecture: str) -> None:
        self.framework = framework
        self.model: Model = reference.find(architecture)
        self.graphs: dict[bool, Graph] = {}

    @property
    def rows(self) -> list[str]:
        return [row.name for row in self.model.rows]

    def graph(self, training: bool) -> Graph:
        if training not in self.graphs:
            port = frameworks.port(self.framework, self.model)
            self.graphs[training] = canonical(port.trace(self.model.input, training))
        return self.graphs[training]

    def false_alarms(self) -> int:
        """The findings between this network and itself traced anew, in both modes."""
        anew = Correct(self.framework, self.model.name)
        pairs = [(self.graph(mode), anew.graph(mode)) for mode in (False, True)]
        return sum(len(findings(a, b, align(a, b))) for a, b in pairs)


@dataclass(frozen=True, slots=True)
class Named:
    """What the suite says of a wrong model: where the first difference is, and in what."""

    layer: str
    attributes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.layer}: {', '.join(self.attributes)}" if self.attributes else "nothing"


class Case:
    """A wrong model beside the right one."""

    def __init__(self, mutant: Mutant, correct: Correct) -> None:
        self.bug, self.correct = mutant.bug, correct
        self.port: Port = frameworks.tracer(correct.framework).port(mutant.wrong)

    @cached_property
    def tape(self) -> Tape:
        return self.port.trace(self.correct.model.input, self.bug.mode == "training")

    @cached_property
    def wrong(self) -> Graph:
        return canonical(self.tape)

    @property
    def right(self) -> Graph:
        return self.correct.graph(self.bug.mode == "training")

    @cached_property
    def alignment(self) -> Alignment:
        return align(self.right, self.wrong)

    def named(self) -> Named:
        """The row of the first difference, and all that differs in the node it is at."""
        found = findings(self.right, self.wrong, self.alignment)
        if not found:
            return Named("", ())
        same = [f for f in found if _nodes(f) == _nodes(found[0])]
        extra = found[0].expected_node is None
        graph, node = (self.wrong, found[0].found_node) if extra else (
            self.right, found[0].expected_node
        )
        assert node is not None
        return Named(row_of(graph, self.correct.rows)[node], tuple(f.attribute for f in same))

    def parted(self) -> tuple[str, NodeParity] | None:
        """Where the results part in float64, as a row and an error; None if they never do."""
        result = parity(
            self.port, self.tape, self.wrong, self.right, self.alignment.pairs, to_the_end=False
        )
        if (first := result.first_divergence) is None:
            return None
        return row_of(self.right, self.correct.rows)[first.node], first


def _nodes(finding: Finding) -> tuple[int | None, int | None]:
    return finding.expected_node, finding.found_node


#: What looks at a mode's mutants.  A mode that is not here has no check yet.
CHECKS: dict[str, Callable[[Case], Named]] = {"structure": Case.named, "training": Case.named}
