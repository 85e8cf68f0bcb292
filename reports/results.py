"""All that runs and arithmetic say of the reference, as one plain dictionary.

It has a schema (``results.schema.json``) and a fixed order, and holds no date, host or duration.
What differs a little from machine to machine stands under keys named ``measured`` and
``environment``; :func:`stable` leaves those out, so that two results can be compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from conformance import reference
from conformance.data import written
from conformance.graph.model import Graph
from conformance.graph.rows import row_of
from conformance.judge.claims import DEVIATES, CannotMeasure, judge, measure
from conformance.judge.record import exactness, recorded
from conformance.judge.record.agreement import Agreement, joined
from conformance.judge.record.evidence import DamagedEvidence, Record, Run
from conformance.judge.record.modes import Compared, compared, finite
from conformance.reference import Claim, Model, Printed
from conformance.reports.numbers import parity, place, result, selftest

SCHEMA = 1

#: Statuses of a claim, the worst first; a claim has the worst of what its runs and formula say.
STATUSES = (DEVIATES, "contradicted", "ambiguous", "unmeasured", "rounded", "confirmed", "cited")

#: Verdicts on a network in a run, the worst first.
VERDICTS = (DEVIATES, "inconclusive", "not run", "conforms")

#: Keys of what may differ between two machines that agree.
LOCAL = frozenset({"measured", "environment"})

#: Where a network has what its numbers were compared in.
MODES = {
    "parity": "inference",
    "training": "training",
    "gradients": "gradients",
    "training_gradients": "training gradients",
}

Json = dict[str, Any]


def results(runs: list[Run], documents: Path = reference.HERE) -> Json:
    """Set every claim of the reference beside what each run found.

    Raises :class:`.DamagedEvidence` for runs that cannot be told apart or
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
        "selftest": {run.name: selftest(run.selftest) for run in runs if run.selftest},
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

    def place(self, graph: Graph, node: int | None, slot: str = "") -> Json | None:
        """A node as a reader finds it: the paper's row and the port's own address."""
        if node is None:
            return None
        rows = self.rows if graph is self.record.graph else self.owners(graph)
        return place(graph, rows, node) | ({"slot": slot} if slot else {})


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
    values = [each.modes["inference"] for each in own if "inference" in each.modes]
    return {
        "claims": {"planned": len(planned), "run": len(planned) - sum(map(len, missing.values()))},
        "nodes": {
            "planned": sum(_computed(each.record.graph) for each in own),
            "run": sum(len(each.results) for each in values),
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
        **{
            key: {
                name: parity(each.modes[mode], each.owners(each.modes[mode].graph))
                for name, each in present.items()
                if mode in each.modes
            }
            for key, mode in MODES.items()
        },
        "executions": {
            name: {
                mode: parity(found, each.owners(found.graph))
                for mode, found in each.modes.items()
                if mode not in MODES.values()
            }
            for name, each in present.items()
        },
        **_exact(present),
        "agreement": [_agreement(a, b) for a, b in combinations(present.values(), 2)],
    }


def _exact(present: dict[str, Subject]) -> Json:
    """What runs on whole numbers found, by run; nothing where there was none."""
    found = {
        name: [written(exactness.row(each.record.graph, run)) for run in each.record.exact]
        for name, each in present.items()
        if each.record.exact
    }
    return {"exact": found} if found else {}


def _verdict(subject: Subject | None) -> Json:
    """A network in a run: conforms, deviates, or why neither can be said."""
    if subject is None:
        return {"verdict": "not run", "reasons": []}
    wrong = [each.sentence for each in subject.judged.values() if each.status == DEVIATES]
    published = recorded.structure(subject.record, subject.model, subject.run.name)
    wrong += [each.said for each in published.findings]
    doubts = [f"nobody measured: {claim}" for claim in subject.open]
    doubts += [f"no word for {node.kind} at {node.where}" for node in subject.record.graph.unknown]
    if "inference" not in subject.modes:
        doubts.append("it was not run on numbers")
    for mode, found in subject.modes.items():
        said = "" if mode == "inference" else f"{mode}: "
        if first := found.first_divergence:
            at = result(found, subject.owners(found.graph), first)
            wrong.append(f"{said}the first value that differs is that of {_named(at)}")
        doubts += [said + doubt for doubt in found.doubts()]
    for run in subject.record.exact:
        graph = subject.record.graph
        if said := exactness.difference(graph, run):
            wrong.append(said)
        doubts += [f"exact in {run.precision}: {each}" for each in exactness.doubts(graph, run)]
    if wrong:
        return {"verdict": DEVIATES, "reasons": wrong}
    return {"verdict": "inconclusive" if doubts else "conforms", "reasons": doubts}


def _totals(graph: Graph) -> Json:
    return {
        "trainable": graph.parameters("trainable"),
        "with_running_statistics": graph.parameters("with running statistics"),
        "multiply_adds": graph.multiply_adds,
        "connections": graph.connections,
        "weight_layers": graph.depth,
        "nodes": len(graph),
    }


def _agreement(first: Subject, second: Subject) -> Json:
    found: Agreement = joined(first.run, second.run, first.model.name)
    modes = found.modes.values()
    apart = next((mode for mode in modes if mode.first_divergence), None)
    worst = max(modes, key=lambda mode: mode.largest)
    return {
        "first": first.run.name,
        "second": second.run.name,
        "agrees": found.agrees,
        "complete": all(mode.complete for mode in modes),
        "planned": sum(mode.planned for mode in modes),
        "compared": sum(mode.compared for mode in modes),
        "whole": sum(mode.whole for mode in modes),
        "problem": found.problem,
        "alone": list(found.alone),
        "findings": list(_findings(found, first, second)),
        "conventions": sorted({each.attribute for mode in modes for each in mode.conventions}),
        "first_divergence": apart and first.place(apart.graph, *(apart.first_divergence or ())),
        "measured": {
            "largest": finite(worst.largest),
            "node": worst.worst and first.place(worst.graph, *worst.worst),
        },
    }


def _findings(found: Agreement, first: Subject, second: Subject) -> Iterator[Json]:
    """What differs in any mode; in training only what inference does not show as well."""
    said = set()
    for name, mode in found.modes.items():
        for each in mode.findings:
            places = (
                first.place(mode.graph, each.expected_node),
                second.place(mode.other, each.found_node),
            )
            sides = _plain(each.expected), _plain(each.found)
            told = str((each.attribute, sides, [place and place["where"] for place in places]))
            if name == "inference" or told not in said:
                yield {
                    "mode": name,
                    "attribute": each.attribute,
                    "first": sides[0],
                    "second": sides[1],
                    "first_node": places[0],
                    "second_node": places[1],
                }
            said.add(told)


def _named(place: Json) -> str:
    """A node's place in words: its row, what it is, its number and the port's address."""
    where = f", {place['where']}" if place["where"] else ""
    kind = f"{place['kind']}'s {place['slot']}" if "slot" in place else place["kind"]
    return f"{place['row'] or 'no row'} {kind} (node {place['node']}{where})"


def _plain(value: Any) -> Any:
    """A found value as JSON; a fraction is written ``121/196``."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
