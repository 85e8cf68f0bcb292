"""What a record says of a network: every claim judged, every node compared, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import reference
from conformance import modes
from conformance.evidence import Record
from conformance.porting.hints import vanishes
from conformance.trace.port import Execution
from conformance.verdict import CannotMeasure, Verdict, judge, measure, row_of, shown
from reference import Claim, Model

CONFORMS, DEVIATES, INCONCLUSIVE = "conforms", "deviates", "inconclusive"

#: The word for a finding's check, by the claim's quantity; others are about structure.
CHECKS = {
    **dict.fromkeys(("input", "output", "maps", "neurons"), "shape"),
    "parameters": "parameters",
}


@dataclass(slots=True)
class Outcome:
    """One network in one framework: findings, what stays open, checks planned and run."""

    framework: str
    model: Model
    findings: list[dict[str, Any]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    claims: Counter[str] = field(default_factory=Counter)
    planned: int = 0
    run: int = 0
    totals: dict[str, int] | None = None
    parity: dict[str, Any] | None = None
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """One wrong thing is enough to deviate; without any, what is open is no pass."""
        if self.findings:
            return DEVIATES
        return CONFORMS if 0 < self.planned == self.run and not self.open else INCONCLUSIVE

    @property
    def summary(self) -> str:
        """How much was checked, and how near it came to its bound."""
        if not self.run:
            return "not run"
        said = [f"{self.claims.total()} claims"]
        if self.parity:
            near = f" to {self.parity['error']:.0e} (bound {self.parity['bound']:.0e})"
            agrees = self.parity["bound"] and not self.parity["first_divergence"]
            said.append(f"{self.parity['compared']} nodes{near if agrees else ' compared'}")
        for name, each in self.executions.items():
            if each["bound"] and each["error"] is not None:
                said.append(f"{name} to {each['error']:.0e} (bound {each['bound']:.0e})")
        return ", ".join(said)

    def as_json(self) -> dict[str, Any]:
        """The outcome as a row of the result."""
        return {
            "framework": self.framework,
            "architecture": self.model.name,
            "verdict": self.verdict,
            "claims": dict(sorted(self.claims.items())),
            "findings": self.findings,
            "open": self.open,
            "totals": self.totals,
            "parity": self.parity,
            "executions": self.executions,
            "checks": {"planned": self.planned, "run": self.run},
        }


def not_run(framework: str, model: Model, reason: str) -> Outcome:
    """A network of which nothing could be found out."""
    return Outcome(framework, model, open=[reason], planned=len(_claims(model)))


def outcome(
    framework: str,
    model: Model,
    record: Record,
    numbers: bool,
    beside: Mapping[str, Record] | None = None,
    executions: Sequence[Execution] = (),
) -> Outcome:
    """Judge a network by its record; ``numbers`` says whether it had to be run as well.

    ``executions`` are the other ways in which it had to be run.

    ``beside`` has the networks with which its claims compare it, :func:`compared`.
    """
    found = Outcome(framework, model)
    rows = [row.name for row in model.rows]
    for claim in _claims(model):
        _judged(found, claim, record, rows, beside)
    for node in record.graph.unknown:
        found.open.append(f"no word for {node.kind} at {node.where}")
    found.totals = {
        "parameters": record.graph.parameters("trainable"),
        "multiply_adds": record.graph.multiply_adds,
        "layers": record.graph.depth,
    }
    if numbers:
        _compared(found, record, rows)
        for name in map(str, executions):
            _executed(found, name, modes.compared(record).get(name), record, rows)
    return found


def compared(model: Model) -> list[Model]:
    """The other networks that claims on this one count too."""
    names = {name for claim in _claims(model) for _, name in claim.compared} - {model.name}
    return [reference.models()[name] for name in sorted(names)]


def _claims(model: Model) -> list[Claim]:
    """The claims that a live model decides."""
    every = reference.family(model.family).claims
    return [each for each in every if each.model == model.name and each.quantity != "cited"]


def _judged(
    found: Outcome,
    claim: Claim,
    record: Record,
    rows: list[str],
    beside: Mapping[str, Record] | None,
) -> None:
    try:
        verdict = judge(claim, found.framework, measure(claim, record, rows, beside))
    except CannotMeasure as unmeasured:
        if not claim.expression:  # with one, arithmetic decides, and the suite's data tests ask it
            found.planned += 1
            found.open.append(f"not measured: {claim}: {unmeasured}")
        return
    found.planned += 1
    found.run += 1
    found.claims[verdict.status] += 1
    if not verdict.conforms:
        found.findings.append(_finding(verdict))


def _finding(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    stands = [claim.document, claim.section, f"line {claim.line}" if claim.line else ""]
    return {
        "check": CHECKS.get(claim.quantity, "structure"),
        "node": claim.layer,
        "attribute": claim.quantity,
        "expected": claim.decided,
        "found": shown(verdict.found),
        "sentence": str(verdict),
        "source": ", ".join(filter(None, stands)),
    }


def _compared(found: Outcome, record: Record, rows: list[str]) -> None:
    """What the float64 run says: every node but the input, and control arms that must fail."""
    values = modes.compared(record).get("inference")
    if values is None:
        found.planned += sum(node.kind != "input" for node in record.graph) + 1
        found.open.append("it was not run on numbers")
        return
    controls, closest, diverged = values.controls, values.closest, values.first_divergence
    found.planned += values.planned + max(1, len(controls))
    found.run += len(values.results) + len(controls)
    found.parity = {
        "compared": len(values.results),
        "error": _finite(closest.error if closest else 0.0),
        "bound": _finite(closest.bound if closest else 0.0),
        "first_divergence": diverged.node if diverged else None,
        "controls": len(controls),
        "caught": sum(each.caught for each in controls),
    }
    if diverged:
        found.findings.append(_parted(found, values, record, rows))
    found.open += values.doubts()


def _executed(
    found: Outcome, name: str, values: modes.Compared | None, record: Record, rows: list[str]
) -> None:
    """What a run in a lower precision, or of the compiled network, says."""
    if values is None:
        found.planned += 1
        found.open.append(f"it was not run in {name}")
        return
    found.planned += values.planned
    found.run += len(values.results)
    closest = values.closest
    found.executions[name] = {
        "compared": len(values.results),
        "error": _finite(closest.error if closest else 0.0),
        "bound": _finite(closest.bound if closest else 0.0),
        "unseen": [
            f"{values.graph.nodes[each.node].kind}: {each.alteration}" for each in values.unseen
        ],
    }
    if values.first_divergence:
        found.findings.append(_parted(found, values, record, rows))
    found.open += (f"{name}: {doubt}" for doubt in values.doubts())


def _parted(
    found: Outcome, values: modes.Compared, record: Record, rows: list[str]
) -> dict[str, Any]:
    """The finding that a network's values part from the oracle's."""
    diverged = values.first_divergence
    assert diverged
    node, row = record.graph.nodes[diverged.node], row_of(record.graph, rows)[diverged.node]
    manner = "" if values.mode == "inference" else f" in {values.mode}"
    causes = next((root.causes for root in values.roots if root.node == diverged.node), ())
    why = f"; {vanishes(causes, '')}" if causes else ""
    return {
        "check": "forward",
        "node": row,
        "attribute": f"{node.kind}{manner}",
        "expected": f"at most {diverged.bound:.0e}",
        "found": f"{diverged.error:.0e}",
        "sentence": f"{found.model.name} {row} in {found.framework}: the first value that"
        f" differs{manner} is that of {node.kind} {node.where}: by {diverged.error:.0e}, bound"
        f" {diverged.bound:.0e}, everything before it by {values.before:.0e}{why}",
        "source": str(node.where),
    }


def _finite(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return value if isfinite(value) else None
