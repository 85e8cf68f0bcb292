"""One network in one run, what was found of its claims, and how it agrees with another run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from conformance.graph.model import Graph
from conformance.graph.rows import row_of
from conformance.judge.claims import CannotMeasure, judge, measure
from conformance.judge.record.agreement import Agreement, joined
from conformance.judge.record.evidence import Record, Run
from conformance.judge.record.modes import Compared, compared, finite
from conformance.reference import Claim, Model
from conformance.reports.numbers import place
from conformance.reports.rows import AgreementRow, Difference, Largest, Place, Status


@dataclass(slots=True)
class Judged:
    """A claim in a run: what was found and its status, or the reason why nothing was."""

    status: Status | None = None
    found: Any = None
    sentence: str = ""
    reason: str = ""


@dataclass
class Subject:
    """One network in one run, and what was found of its claims, by their ids."""

    run: Run
    record: Record
    model: Model
    judged: dict[str, Judged] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    @cached_property
    def modes(self) -> dict[str, Compared]:
        """What its numbers were compared in."""
        return compared(self.record)

    @cached_property
    def rows(self) -> list[str]:
        """The row of each node, by the paper's name."""
        return self.owners(self.record.graph)

    def owners(self, graph: Graph) -> list[str]:
        return row_of(graph, self.model.row_names)

    def judge(self, claim: Claim) -> None:
        """Measure what a claim speaks of and keep the outcome."""
        if claim.quantity == "cited":
            return
        try:
            rows = self.model.row_names
            found = measure(claim, self.record, rows, self.run.records)
        except CannotMeasure as unmeasured:
            self.judged[claim.id] = Judged(reason=str(unmeasured))
            if not claim.expression:
                self.open.append(str(claim))
            return
        verdict = judge(claim, self.run.name, found)
        self.judged[claim.id] = Judged(verdict.status, found, str(verdict))

    def place(self, graph: Graph, node: int | None, slot: str = "") -> Place | None:
        """A node as a reader finds it: the paper's row and the port's own address."""
        if node is None:
            return None
        rows = self.rows if graph is self.record.graph else self.owners(graph)
        return place(graph, rows, node, slot)


def agreement(first: Subject, second: Subject) -> AgreementRow:
    """Two runs of one network, aligned and compared."""
    found: Agreement = joined(first.run, second.run, first.model.name)
    modes = found.modes.values()
    divergences = (
        first.place(mode.graph, *mode.first_divergence) for mode in modes if mode.first_divergence
    )
    worst = max(modes, key=lambda mode: mode.largest)
    return AgreementRow(
        first=first.run.name,
        second=second.run.name,
        agrees=found.agrees,
        complete=all(mode.complete for mode in modes),
        planned=sum(mode.planned for mode in modes),
        compared=sum(mode.compared for mode in modes),
        whole=sum(mode.whole for mode in modes),
        problem=found.problem,
        alone=tuple(found.alone),
        findings=tuple(_findings(found, first, second)),
        conventions=tuple(sorted({each.attribute for mode in modes for each in mode.conventions})),
        first_divergence=next(divergences, None),
        measured=Largest(
            finite(worst.largest), worst.worst and first.place(worst.graph, *worst.worst)
        ),
    )


def _findings(found: Agreement, first: Subject, second: Subject) -> Iterator[Difference]:
    """What differs in any mode; in training only what inference does not show as well."""
    said = set()
    for name, mode in found.modes.items():
        for each in mode.findings:
            places = (
                first.place(mode.graph, each.expected_node),
                second.place(mode.other, each.found_node),
            )
            sides = plain(each.expected), plain(each.found)
            told = str((each.attribute, sides, [place and place.where for place in places]))
            if name == "inference" or told not in said:
                yield Difference(name, each.attribute, *sides, *places)
            said.add(told)


def plain(value: Any) -> Any:
    """A found value as JSON; a fraction is written ``121/196``."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else str(value)
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value
