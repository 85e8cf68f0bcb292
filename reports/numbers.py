"""Numeric checks and the self-test as results have them.

What may differ between two machines that agree stands under ``measured``.
"""

from __future__ import annotations

from typing import Any

from conformance.graph.model import Graph
from conformance.judge.record.modes import Compared, finite
from conformance.numbers.deviation import Control, NodeParity, SlotParity

Json = dict[str, Any]


def place(graph: Graph, rows: list[str], node: int) -> Json:
    """A node as a reader finds it: the paper's row and the port's own address."""
    found = graph.nodes[node]
    return {"node": node, "row": rows[node], "kind": found.kind, "where": str(found.where)}


def parity(found: Compared, rows: list[str]) -> Json:
    """One numeric check, with what is beyond its bound or came nearest to it."""
    closest, first = found.closest, found.first_divergence
    separations = [ratio(each.error, each.bound) for each in found.controls]
    return {
        "planned": found.planned,
        "compared": len(found.results),
        "agrees": first is None and not found.problem and bool(found.results),
        "problem": found.problem,
        "first_divergence": first
        and {
            **result(found, rows, first),
            "measured": {
                "error": finite(first.error),
                "bound": finite(first.bound),
                "before": finite(found.before),
            },
        },
        "controls": [
            _control(found, rows, each)
            for each in sorted(found.controls, key=lambda each: each.node)
        ],
        "measured": {
            "error": finite(max((each.error for each in found.results), default=0.0)),
            "closest": closest
            and {
                **result(found, rows, closest),
                "error": finite(closest.error),
                "bound": finite(closest.bound),
            },
            "separation": min(
                separations,
                key=lambda ratio: float("inf") if ratio is None else ratio,
                default=None,
            ),
        },
    }


def _control(found: Compared, rows: list[str], control: Control) -> Json:
    """A control arm; whether a lower precision sees it may be a matter of the machine."""
    caught, separation = {"caught": control.caught}, ratio(control.error, control.bound)
    return {
        "row": rows[control.node],
        "kind": found.graph.nodes[control.node].kind,
        "alteration": control.alteration,
        **({} if found.lower else caught),
        "measured": {"separation": separation} | (caught if found.lower else {}),
    }


def result(found: Compared, rows: list[str], result: NodeParity | SlotParity) -> Json:
    """Where a result is: its node and, of a slot's, which slot."""
    at = place(found.graph, rows, result.node)
    return at | {"slot": result.slot} if isinstance(result, SlotParity) else at


def selftest(found: Json) -> Json:
    """A self-test as it was recorded, with what may differ between machines set apart."""
    return {
        "planned": found["planned"],
        "mutants": [
            {key: value for key, value in each.items() if key not in ("error", "bound")}
            | {"measured": {"error": each["error"], "bound": each["bound"]}}
            for each in found["mutants"]
        ],
        "unjudged": found["unjudged"],
        "false_alarms": found["false_alarms"],
        "checked": found["checked"],
        "measured": {"separation": found["separation"] and finite(found["separation"])},
    }


def ratio(error: float, bound: float) -> float | None:
    return finite(error / bound) if bound else None
