"""What a record says of a network: every claim judged, every node compared, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance import reference
from conformance.graph.model import Graph
from conformance.graph.rows import row_of
from conformance.judge import exactness
from conformance.judge.claims import CannotMeasure, Verdict, judge, measure, shown
from conformance.judge.evidence import Record
from conformance.judge.hints import vanishes
from conformance.judge.modes import Compared, compared, finite
from conformance.judge.repeat import Repeat
from conformance.numbers.deviation import SlotParity
from conformance.numbers.exact import Exact
from conformance.numbers.precision import PRECISIONS
from conformance.reference import Claim, Model
from conformance.trace.port import Execution

CONFORMS, DEVIATES, INCONCLUSIVE = "conforms", "deviates", "inconclusive"

#: How much of a mode was compared, in words.
THINGS = {
    "inference": "{} nodes",
    "training": "training {} results",
    "gradients": "{} gradients",
    "training gradients": "training {} gradients",
}

#: The word for a finding's check, by the mode of the numbers.
NUMERIC = {
    "inference": "forward",
    "training": "training",
    "gradients": "gradient",
    "training gradients": "gradient",
}

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
    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeat: dict[str, Any] | None = None
    exact: list[dict[str, Any]] = field(default_factory=list)
    exactly: list[str] = field(default_factory=list)

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
        for mode, found in self.numbers.items():
            things = THINGS.get(mode, f"{mode}: {{}}").format(found["compared"])
            if found["bound"] and found["first_divergence"] is None:
                said.append(f"{things} to {found['error']:.0e} (bound {found['bound']:.0e})")
                if mode in PRECISIONS and PRECISIONS[mode].unused(found["error"], found["bound"]):
                    said[-1] += ", computed in a finer precision"
            else:
                said.append(f"{things} compared")
        said += self.exactly
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
            "parity": self.numbers.get("inference"),
            "training": self.numbers.get("training"),
            "gradients": self.numbers.get("gradients"),
            "training_gradients": self.numbers.get("training gradients"),
            "executions": {mode: each for mode, each in self.numbers.items() if mode not in THINGS},
            "exact": self.exact,
            "repeat": self.repeat,
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
    thorough: bool = False,
    repeat: Repeat | None = None,
    executions: Sequence[Execution] = (),
) -> Outcome:
    """Judge a network by its record.

    ``numbers`` says whether it had to be run as well, ``thorough`` whether in training and
    backwards too, ``executions`` in which other ways, and ``repeat`` how that went with other
    seeds.  ``beside`` has the networks with which its claims compare it, :func:`compared_with`.
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
        modes = compared(record)
        _ran(found, "inference", record.graph, modes, rows)
        if thorough:
            _ran(found, "training", record.training, modes, rows)
            _ran(found, "gradients", record.graph, modes, rows)
            _ran(found, "training gradients", record.training, modes, rows)
        for how in executions:
            _ran(found, str(how), record.graph, modes, rows)
        for each in record.exact:
            _ran_exactly(found, record.graph, each, rows)
    if repeat:
        _repeated(found, repeat, rows)
    return found


def compared_with(model: Model) -> list[Model]:
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


def _ran(
    found: Outcome, mode: str, graph: Graph | None, modes: dict[str, Compared], rows: list[str]
) -> None:
    """What a run says: every result, and control arms that must fail."""
    said = "" if mode == "inference" else f"{mode}: "
    if (values := modes.get(mode)) is None:
        found.planned += sum(node.kind != "input" for node in graph or ()) + 1
        found.open.append(f"{said}it was not run on numbers")
        return
    controls, closest, diverged = values.controls, values.closest, values.first_divergence
    found.planned += values.planned + max(1, len(controls))
    found.run += len(values.results) + len(controls)
    found.numbers[mode] = {
        "compared": len(values.results),
        "error": finite(closest.error if closest else 0.0),
        "bound": finite(closest.bound if closest else 0.0),
        "first_divergence": diverged.node if diverged else None,
        "controls": len(controls),
        "caught": sum(each.caught for each in controls),
    }
    _judge_numbers(found, values, rows)


def _ran_exactly(found: Outcome, graph: Graph, run: Exact, rows: list[str]) -> None:
    """What a run on whole numbers says."""
    planned, compared = exactness.planned(graph, run)
    found.planned += planned
    found.run += compared
    found.exact.append(exactness.as_json(graph, run))
    found.exactly.append(exactness.summary(graph, run))
    if finding := exactness.difference(graph, rows, run):
        subject = f"{found.model.name} {finding['node']} in {found.framework}"
        found.findings.append(finding | {"sentence": f"{subject}: {finding['sentence']}"})
    found.open += [f"exact in {run.precision}: {doubt}" for doubt in exactness.doubts(graph, run)]


def _repeated(found: Outcome, repeat: Repeat, rows: list[str]) -> None:
    """What other seeds say; what one has said already is not said again."""
    found.repeat = repeat.as_json()
    known = set()
    for each in repeat.repetitions:
        first = each.seed == repeat.seeds[0]
        if not first:
            found.planned += each.planned
            found.run += each.run
        if each.compared:
            diverged = each.compared.first_divergence
            said = each.mode, diverged and diverged.node, *each.compared.doubts()
            if said not in known and not first:
                _judge_numbers(found, each.compared, rows, each.seed)
            known.add(said)


def _judge_numbers(
    found: Outcome, values: Compared, rows: list[str], seed: int | None = None
) -> None:
    """The result that diverges first is a finding, and whatever is missing stays open."""
    mode, told = values.mode, "" if seed is None else f"with --seed {seed}: "
    if diverged := values.first_divergence:
        node = values.graph.nodes[diverged.node]
        row = row_of(values.graph, rows)[diverged.node]
        what = f"{node.kind} {node.where}"
        if isinstance(diverged, SlotParity):
            what = f"{diverged.slot} of {what}"
        subject = {
            "inference": "the first value that differs",
            "training": "the first value that differs in training",
            "gradients": "the first gradient that differs, from the output back,",
            "training gradients": "the first gradient of training that differs, from the output"
            " back,",
        }.get(mode, f"the first value that differs in {mode}")
        slot = diverged.slot if isinstance(diverged, SlotParity) else ""
        root = next((r for r in values.roots if (r.node, r.slot) == (diverged.node, slot)), None)
        why = f"; {vanishes(root.causes, '')}" if root and root.causes else ""
        found.findings.append(
            {
                "check": NUMERIC.get(mode, "forward"),
                "node": row,
                "attribute": node.kind,
                "expected": f"at most {diverged.bound:.0e}",
                "found": f"{diverged.error:.0e}",
                "sentence": f"{told}{found.model.name} {row} in {found.framework}: {subject} is"
                f" that of {what}: by {diverged.error:.0e}, bound {diverged.bound:.0e},"
                f" everything before it by {values.before:.0e}{why}",
                "source": str(node.where),
            }
        )
    said = told if mode == "inference" else f"{told}{mode}: "
    found.open += [f"{said}{doubt}" for doubt in values.doubts()]
