"""All that runs and arithmetic say of the reference, as one plain dictionary.

It has a schema (``results.schema.json``) and a fixed order, and holds no date, host or duration.
What differs a little from machine to machine stands under keys named ``measured`` and
``environment``; :func:`stable` leaves those out, so that two results can be compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import Any

import reference
from conformance.agreement import Agreement, agreement
from conformance.evidence import DamagedEvidence, Record, Run
from conformance.parity import NodeParity, Parity
from conformance.trace.graph import Graph
from conformance.verdict import DEVIATES, CannotMeasure, judge, measure, row_of
from reference import Claim, Model, Printed

SCHEMA = 1

#: Statuses of a claim, the worst first; a claim has the worst of what its runs and formula say.
STATUSES = (DEVIATES, "contradicted", "ambiguous", "unmeasured", "rounded", "confirmed", "cited")

#: Verdicts on a network in a run, the worst first.
VERDICTS = (DEVIATES, "inconclusive", "not run", "conforms")

#: Keys of what may differ between two machines that agree.
LOCAL = frozenset({"measured", "environment"})

Json = dict[str, Any]


def results(runs: list[Run], documents: Path = reference.HERE) -> Json:
    """Set every claim of the reference beside what each run found.

    Raises :class:`~conformance.evidence.DamagedEvidence` for runs that cannot be told apart or
    hold a network that the reference does not know.
    """
    models = reference.models(documents)
    _refuse(runs, models)
    subjects = {
        (run.name, model.name): Subject(run, run.records[model.name], model)
        for run in runs
        for model in models.values()
        if model.name in run.records
    }
    for claim in reference.claims(folder=documents):
        for run in runs:
            if subject := subjects.get((run.name, claim.model)):
                subject.judge(claim)
    claims = [_claim(claim, runs, subjects) for claim in reference.claims(folder=documents)]
    counts = Counter(claim["status"] for claim in claims)
    return {
        "schema": SCHEMA,
        "runs": [_run(run) for run in runs],
        "counts": {status: counts[status] for status in STATUSES},
        "checks": {run.name: _checks(run, claims, subjects) for run in runs},
        "networks": [_network(model, runs, subjects) for model in models.values()],
        "claims": claims,
    }


def stable(value: Any) -> Any:
    """The results without what may differ between two machines that agree."""
    if isinstance(value, dict):
        return {key: stable(each) for key, each in value.items() if key not in LOCAL}
    return [stable(each) for each in value] if isinstance(value, list) else value


def dumped(results: Json) -> str:
    """The text of ``results.json``: a claim, a network or a run a line, so that diffs are read."""
    return "{\n" + ",\n".join(_member(*each) for each in results.items()) + "\n}\n"


def _member(key: str, value: Any) -> str:
    def line(each: Any) -> str:
        return json.dumps(each, ensure_ascii=False, allow_nan=False)

    lines = ",\n".join(map(line, value)) if isinstance(value, list) else ""
    return f"{line(key)}: " + (f"[\n{lines}\n]" if lines else line(value))


def schema() -> Json:
    """The JSON Schema of the results."""
    text = Path(__file__).with_name("results.schema.json").read_text(encoding="utf-8")
    loaded: Json = json.loads(text)
    return loaded


@dataclass(slots=True)
class Judged:
    """A claim in a run: what was found and its status, or the reason why nothing was."""

    status: str = ""
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
    def rows(self) -> list[str]:
        """The row of each node, by the paper's name."""
        return row_of(self.record.graph, [row.name for row in self.model.rows])

    def judge(self, claim: Claim) -> None:
        """Measure what a claim speaks of and keep the outcome."""
        if claim.quantity == "cited":
            return
        try:
            rows = [row.name for row in self.model.rows]
            found = measure(claim, self.record, rows, self.run.records)
        except CannotMeasure as unmeasured:
            self.judged[claim.id] = Judged(reason=str(unmeasured))
            if not claim.expression:
                self.open.append(str(claim))
            return
        verdict = judge(claim, self.run.name, found)
        self.judged[claim.id] = Judged(verdict.status, found, str(verdict))

    def place(self, node: int) -> Json:
        """A node as a reader finds it: the paper's row and the port's own address."""
        graph = self.record.graph
        where = graph.nodes[node].where
        return {
            "node": node,
            "row": self.rows[node],
            "kind": graph.nodes[node].kind,
            "where": str(where),
        }


def _refuse(runs: list[Run], models: Iterable[str]) -> None:
    known, names = set(models), [run.name for run in runs]
    for run in runs:
        if names.count(run.name) > 1:
            raise DamagedEvidence(f"two runs are called {run.name}; give one of them")
        for name in run.records:
            if name not in known:
                raise DamagedEvidence(f"{run.name}: the reference has no network {name!r}")


def _run(run: Run) -> Json:
    return {
        "name": run.name,
        "framework": run.framework,
        "device": run.device,
        "seed": run.seed,
        "environment": {"versions": dict(sorted(run.versions.items())), "code": run.code},
    }


def _claim(claim: Claim, runs: list[Run], subjects: dict[tuple[str, str], Subject]) -> Json:
    found = {
        run.name: subject.judged[claim.id]
        for run in runs
        if (subject := subjects.get((run.name, claim.model))) and claim.id in subject.judged
    }
    arithmetic = _arithmetic(claim)
    statuses = [each.status for each in found.values() if each.status]
    if arithmetic and (not statuses or arithmetic["status"] == DEVIATES):
        statuses.append(arithmetic["status"])
    if claim.quantity == "cited":
        statuses = ["cited"]
    return {
        "id": claim.id,
        "family": claim.family,
        "model": claim.model,
        "layer": claim.layer,
        "subject": claim.subject,
        "quantity": claim.quantity,
        "printed": claim.printed,
        "convention": claim.convention,
        "document": claim.document,
        "section": claim.section,
        "line": claim.line,
        "counted": claim.counted,
        "why": claim.why,
        "alternative": claim.alternative,
        "status": min(statuses, key=STATUSES.index, default="unmeasured"),
        "arithmetic": arithmetic,
        "runs": {
            name: {"reason": each.reason}
            if each.reason
            else {"found": _plain(each.found), "status": each.status}
            for name, each in found.items()
        },
    }


def _arithmetic(claim: Claim) -> Json | None:
    """What the claim's formula comes to; it may bear out the print or what holds instead."""
    if not claim.expression or claim.quantity == "cited":
        return None
    value = Printed(claim.expression).value
    borne_out = claim.agrees(value) or Printed(claim.printed, claim.k).agrees_with(value)
    return {
        "expression": claim.expression,
        "value": _plain(value),
        "status": claim.status(value) if borne_out else DEVIATES,
    }


def _checks(run: Run, claims: list[Json], subjects: dict[tuple[str, str], Subject]) -> Json:
    """How many checks the run meant to do, how many it did, and why not the rest."""
    planned = [each for each in claims if each["model"] and each["status"] != "cited"]
    missing: dict[str, list[str]] = {}
    for each in planned:
        outcome = each["runs"].get(run.name, {"reason": "the network was not run"})
        if "reason" in outcome:
            missing.setdefault(outcome["reason"], []).append(each["id"])
    own = [subject for (name, _), subject in subjects.items() if name == run.name]
    parities = [each.record.parity for each in own if each.record.parity]
    return {
        "claims": {"planned": len(planned), "run": len(planned) - sum(map(len, missing.values()))},
        "nodes": {
            "planned": sum(_computed(each.record.graph) for each in own),
            "run": sum(len(parity.nodes) for parity in parities),
        },
        "not_run": [{"reason": reason, "claims": ids} for reason, ids in missing.items()],
    }


def _computed(graph: Graph) -> int:
    return sum(node.kind != "input" for node in graph)


def _network(model: Model, runs: list[Run], subjects: dict[tuple[str, str], Subject]) -> Json:
    own = {run.name: subjects.get((run.name, model.name)) for run in runs}
    present = {name: subject for name, subject in own.items() if subject}
    return {
        "model": model.name,
        "family": model.family,
        "verdicts": {name: _verdict(subject) for name, subject in own.items()},
        "totals": {name: _totals(each.record.graph) for name, each in present.items()},
        "parity": {name: _parity(each) for name, each in present.items() if each.record.parity},
        "agreement": [_agreement(a, b) for a, b in combinations(present.values(), 2)],
    }


def _verdict(subject: Subject | None) -> Json:
    """A network in a run: conforms, deviates, or why neither can be said."""
    if subject is None:
        return {"verdict": "not run", "reasons": []}
    wrong = [each.sentence for each in subject.judged.values() if each.status == DEVIATES]
    parity, graph = subject.record.parity, subject.record.graph
    if parity and (first := parity.first_divergence):
        place = subject.place(first.node)
        wrong.append(f"the first value that differs is that of {_named(place)}")
    if wrong:
        return {"verdict": DEVIATES, "reasons": wrong}
    doubts = [f"nobody measured: {claim}" for claim in subject.open]
    doubts += [f"no word for {node.kind} at {node.where}" for node in graph.unknown]
    doubts += _numeric_doubts(parity, graph)
    return {"verdict": "inconclusive" if doubts else "conforms", "reasons": doubts}


def _numeric_doubts(parity: Parity | None, graph: Graph) -> list[str]:
    if parity is None:
        return ["it was not run on numbers"]
    doubts = [parity.problem] if parity.problem else []
    if len(parity.nodes) < _computed(graph):
        doubts.append(f"{len(parity.nodes)} of {_computed(graph)} nodes were compared")
    if not parity.controls:
        doubts.append("no control arm was run")
    doubts += [
        f"a control arm was not caught: {graph.nodes[each.node].kind}, {each.alteration}"
        for each in parity.controls
        if not each.caught
    ]
    return doubts


def _totals(graph: Graph) -> Json:
    return {
        "trainable": graph.parameters("trainable"),
        "with_running_statistics": graph.parameters("with running statistics"),
        "multiply_adds": graph.multiply_adds,
        "connections": graph.connections,
        "weight_layers": graph.depth,
        "nodes": len(graph),
    }


def _parity(subject: Subject) -> Json:
    parity = subject.record.parity
    assert parity is not None
    closest = max(parity.nodes, key=_nearness, default=None)
    first = parity.first_divergence
    return {
        "planned": _computed(subject.record.graph),
        "compared": len(parity.nodes),
        "agrees": first is None and not parity.problem and bool(parity.nodes),
        "problem": parity.problem,
        "first_divergence": first and _divergence(subject, parity, first),
        "controls": [
            {
                "row": subject.rows[each.node],
                "kind": subject.record.graph.nodes[each.node].kind,
                "alteration": each.alteration,
                "caught": each.caught,
                "measured": {"separation": _ratio(each.error, each.bound)},
            }
            for each in sorted(parity.controls, key=lambda each: each.node)
        ],
        "measured": {
            "error": _finite(max((each.error for each in parity.nodes), default=0.0)),
            "closest": closest
            and {
                **subject.place(closest.node),
                "error": _finite(closest.error),
                "bound": _finite(closest.bound),
            },
            "separation": min(
                (_ratio(each.error, each.bound) for each in parity.controls),
                key=lambda ratio: float("inf") if ratio is None else ratio,
                default=None,
            ),
        },
    }


def _nearness(result: NodeParity) -> float:
    """How near a node came to its bound; what is not a number came nearest."""
    near = result.error / result.bound if result.bound else float("inf")
    return near if isfinite(near) else float("inf")


def _divergence(subject: Subject, parity: Parity, first: NodeParity) -> Json:
    return {
        **subject.place(first.node),
        "measured": {
            "error": _finite(first.error),
            "bound": _finite(first.bound),
            "before": _finite(parity.before(first)),
        },
    }


def _agreement(first: Subject, second: Subject) -> Json:
    found: Agreement = agreement(first.record, second.record)
    part = found.first_divergence
    return {
        "first": first.run.name,
        "second": second.run.name,
        "agrees": found.agrees,
        "complete": found.complete,
        "planned": found.planned,
        "compared": found.compared,
        "problem": found.problem,
        "findings": [
            {
                "attribute": each.attribute,
                "first": _plain(each.expected),
                "second": _plain(each.found),
                "first_node": None if (a := each.expected_node) is None else first.place(a),
                "second_node": None if (b := each.found_node) is None else second.place(b),
            }
            for each in found.findings
        ],
        "first_divergence": None if part is None else first.place(part),
        "measured": {
            "largest": _finite(found.largest),
            "node": None if found.node is None else first.place(found.node),
        },
    }


def _named(place: Json) -> str:
    """A node's place in words: its row, what it is, its number and the port's address."""
    where = f", {place['where']}" if place["where"] else ""
    return f"{place['row'] or 'no row'} {place['kind']} (node {place['node']}{where})"


def _ratio(error: float, bound: float) -> float | None:
    return _finite(error / bound) if bound else None


def _finite(value: float) -> float | None:
    """The number, or None for what is no number: JSON has no word for it."""
    return value if isfinite(value) else None


def _plain(value: Any) -> Any:
    """A found value as JSON; a fraction is written ``121/196``."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
