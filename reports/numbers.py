"""Numeric checks and the self-test as results have them.

What may differ between two machines that agree stands under ``measured``.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from conformance.graph.model import Graph
from conformance.judge.record.modes import Compared, finite
from conformance.numbers.deviation import Control, NodeParity, SlotParity
from conformance.reports.rows import (
    Beyond,
    Caught,
    Closest,
    ControlRow,
    Divergence,
    ErrorAndBound,
    Errors,
    Mutant,
    ParityRow,
    Place,
    Selftest,
    Separation,
)


def place(graph: Graph, rows: list[str], node: int, slot: str = "") -> Place:
    """A node, or a slot of it, as a reader finds it: the paper's row and the port's own address."""
    return Place(**_place(graph, rows, node, slot))


def _place(graph: Graph, rows: list[str], node: int, slot: str = "") -> dict[str, Any]:
    found = graph.nodes[node]
    return {
        "node": node,
        "row": rows[node],
        "kind": found.kind,
        "where": str(found.where),
        "slot": slot or UNSET,
    }


def parity(found: Compared, rows: list[str]) -> ParityRow:
    """One numeric check, with what is beyond its bound or came nearest to it."""
    closest, first = found.closest, found.first_divergence
    separations = [ratio(each.error, each.bound) for each in found.controls]
    return ParityRow(
        planned=found.planned,
        compared=len(found.results),
        agrees=first is None and not found.problem and bool(found.results),
        problem=found.problem,
        first_divergence=Divergence(
            **_place(found.graph, rows, first.node, slot(first)),
            measured=Beyond(finite(first.error), finite(first.bound), finite(found.before)),
        )
        if first
        else None,
        controls=tuple(
            _control(found, rows, each)
            for each in sorted(found.controls, key=lambda each: each.node)
        ),
        measured=Errors(
            error=finite(max((each.error for each in found.results), default=0.0)),
            closest=Closest(
                **_place(found.graph, rows, closest.node, slot(closest)),
                error=finite(closest.error),
                bound=finite(closest.bound),
            )
            if closest
            else None,
            separation=min(
                separations,
                key=lambda ratio: float("inf") if ratio is None else ratio,
                default=None,
            ),
        ),
    )


def _control(found: Compared, rows: list[str], control: Control) -> ControlRow:
    """A control arm; whether a lower precision sees it may be a matter of the machine."""
    separation = ratio(control.error, control.bound)
    return ControlRow(
        row=rows[control.node],
        kind=found.graph.nodes[control.node].kind,
        alteration=control.alteration,
        caught=UNSET if found.lower else control.caught,
        measured=Caught(separation, control.caught if found.lower else UNSET),
    )


def slot(result: NodeParity | SlotParity) -> str:
    """The slot that a result is of; empty where it is a node's."""
    return result.slot if isinstance(result, SlotParity) else ""


def selftest(found: dict[str, Any]) -> Selftest:
    """A self-test as it was recorded, with what may differ between machines set apart."""
    return Selftest(
        planned=found["planned"],
        mutants=tuple(
            Mutant(
                **{key: value for key, value in each.items() if key not in ("error", "bound")},
                measured=ErrorAndBound(each["error"], each["bound"]),
            )
            for each in found["mutants"]
        ),
        unjudged=found["unjudged"],
        false_alarms=found["false_alarms"],
        checked=found["checked"],
        measured=Separation(found["separation"] and finite(found["separation"])),
    )


def ratio(error: float, bound: float) -> float | None:
    return finite(error / bound) if bound else None
