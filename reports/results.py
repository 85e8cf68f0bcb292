"""All that runs and arithmetic say of the reference, as one plain dictionary.

It has the form of :class:`.Results` and a fixed order, and holds no date, host or duration.
What differs a little from machine to machine stands under keys named ``measured`` and
``environment``; two results that agree are the same without those.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

from msgspec import UNSET, UnsetType

from conformance import reference
from conformance.data import written
from conformance.graph.model import Graph
from conformance.judge.claims import DEVIATES
from conformance.judge.record import exactness, recorded
from conformance.judge.record.evidence import DamagedEvidence, Run
from conformance.judge.results import Checks, ExactRun
from conformance.reference import Claim, Model, Printed
from conformance.reports.numbers import parity, place, selftest, slot
from conformance.reports.rows import (
    Arithmetic,
    ClaimRow,
    Environment,
    Measured,
    NetworkRow,
    NotRun,
    Place,
    Results,
    RunChecks,
    RunRow,
    Status,
    Totals,
    Verdict,
    VerdictRow,
)
from conformance.reports.subjects import Subject, agreement, plain

STATUSES: tuple[Status, ...] = get_args(Status)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

#: What a row says of a claim as the claim says it.
COPIED = set(ClaimRow.__struct_fields__) & {field.name for field in fields(Claim)}

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
    counts = Counter(claim.status for claim in claims)
    found = Results(
        schema=1,
        runs=tuple(map(_run, runs)),
        counts={status: counts[status] for status in STATUSES},
        checks={run.name: _checks(run, claims, subjects) for run in runs},
        selftest={run.name: selftest(run.selftest) for run in runs if run.selftest},
        networks=tuple(_network(model, runs, subjects) for model in models.values()),
        claims=tuple(claims),
    )
    rows: Json = written(found)
    return rows


def dumped(results: Json) -> str:
    """The text of ``results.json``: a claim, a network or a run a line, so that diffs are read."""
    return "{\n" + ",\n".join(_member(*each) for each in results.items()) + "\n}\n"


def _member(key: str, value: Any) -> str:
    def line(each: Any) -> str:
        return json.dumps(each, ensure_ascii=False, allow_nan=False)

    lines = ",\n".join(map(line, value)) if isinstance(value, list) else ""
    return f"{line(key)}: " + (f"[\n{lines}\n]" if lines else line(value))


def _refuse(runs: list[Run], models: Iterable[str]) -> None:
    known, names = set(models), [run.name for run in runs]
    for run in runs:
        if names.count(run.name) > 1:
            raise DamagedEvidence(f"two runs are called {run.name}; give one of them")
        for name in run.records:
            if name not in known:
                raise DamagedEvidence(f"{run.name}: the reference has no network {name!r}")


def _run(run: Run) -> RunRow:
    environment = Environment(dict(sorted(run.versions.items())), run.code)
    return RunRow(run.name, run.framework, run.device, run.seed, environment)


def _claim(claim: Claim, runs: list[Run], subjects: dict[tuple[str, str], Subject]) -> ClaimRow:
    found = {
        run.name: subject.judged[claim.id]
        for run in runs
        if (subject := subjects.get((run.name, claim.model))) and claim.id in subject.judged
    }
    arithmetic = _arithmetic(claim)
    statuses = [each.status for each in found.values() if each.status]
    if arithmetic and (not statuses or arithmetic.status == DEVIATES):
        statuses.append(arithmetic.status)
    if claim.quantity == "cited":
        statuses = ["cited"]
    return ClaimRow(
        **{name: getattr(claim, name) for name in COPIED},
        status=min(statuses, key=STATUSES.index, default="unmeasured"),
        arithmetic=arithmetic,
        runs={
            name: Measured(reason=each.reason)
            if each.reason
            else Measured(plain(each.found), each.status or UNSET)
            for name, each in found.items()
        },
    )


def _arithmetic(claim: Claim) -> Arithmetic | None:
    """What the claim's formula comes to; it may bear out the print or what holds instead."""
    if not claim.expression or claim.quantity == "cited":
        return None
    value = Printed(claim.expression).value
    borne_out = claim.agrees(value) or Printed(claim.printed, claim.k).agrees_with(value)
    status = claim.status(value) if borne_out else DEVIATES
    return Arithmetic(claim.expression, plain(value), status)


def _checks(
    run: Run, claims: list[ClaimRow], subjects: dict[tuple[str, str], Subject]
) -> RunChecks:
    """How many checks the run meant to do, how many it did, and why not the rest."""
    planned = [each for each in claims if each.model and each.status != "cited"]
    missing: dict[str, list[str]] = {}
    for each in planned:
        outcome = each.runs.get(run.name, Measured(reason="the network was not run"))
        if outcome.reason:
            missing.setdefault(outcome.reason, []).append(each.id)
    own = [subject for (name, _), subject in subjects.items() if name == run.name]
    values = [each.modes["inference"] for each in own if "inference" in each.modes]
    return RunChecks(
        claims=Checks(len(planned), len(planned) - sum(map(len, missing.values()))),
        nodes=Checks(
            sum(_computed(each.record.graph) for each in own),
            sum(len(each.results) for each in values),
        ),
        not_run=tuple(NotRun(reason, tuple(ids)) for reason, ids in missing.items()),
    )


def _computed(graph: Graph) -> int:
    return sum(node.kind != "input" for node in graph)


def _network(model: Model, runs: list[Run], subjects: dict[tuple[str, str], Subject]) -> NetworkRow:
    own = {run.name: subjects.get((run.name, model.name)) for run in runs}
    present = {name: subject for name, subject in own.items() if subject}
    return NetworkRow(
        model=model.name,
        family=model.family,
        verdicts={name: _verdict(subject) for name, subject in own.items()},
        totals={name: _totals(each.record.graph) for name, each in present.items()},
        **{
            key: {
                name: parity(each.modes[mode], each.owners(each.modes[mode].graph))
                for name, each in present.items()
                if mode in each.modes
            }
            for key, mode in MODES.items()
        },
        executions={
            name: {
                mode: parity(found, each.owners(found.graph))
                for mode, found in each.modes.items()
                if mode not in MODES.values()
            }
            for name, each in present.items()
        },
        exact=_exact(present),
        agreement=tuple(agreement(a, b) for a, b in combinations(present.values(), 2)),
    )


def _exact(present: dict[str, Subject]) -> dict[str, tuple[ExactRun, ...]] | UnsetType:
    """What runs on whole numbers found, by run; nothing where there was none."""
    found = {
        name: tuple(exactness.row(each.record.graph, run) for run in each.record.exact)
        for name, each in present.items()
        if each.record.exact
    }
    return found or UNSET


def _verdict(subject: Subject | None) -> VerdictRow:
    """A network in a run: conforms, deviates, or why neither can be said."""
    if subject is None:
        return VerdictRow("not run", ())
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
            at = place(found.graph, subject.owners(found.graph), first.node, slot(first))
            wrong.append(f"{said}the first value that differs is that of {_named(at)}")
        doubts += [said + doubt for doubt in found.doubts()]
    for run in subject.record.exact:
        graph = subject.record.graph
        if said := exactness.difference(graph, run):
            wrong.append(said)
        doubts += [f"exact in {run.precision}: {each}" for each in exactness.doubts(graph, run)]
    if wrong:
        return VerdictRow(DEVIATES, tuple(wrong))
    return VerdictRow("inconclusive" if doubts else "conforms", tuple(doubts))


def _totals(graph: Graph) -> Totals:
    return Totals(
        trainable=graph.parameters("trainable"),
        with_running_statistics=graph.parameters("with running statistics"),
        multiply_adds=graph.multiply_adds,
        connections=graph.connections,
        weight_layers=graph.depth,
        nodes=len(graph),
    )


def _named(place: Place) -> str:
    """A node's place in words: its row, what it is, its number and the port's address."""
    where = f", {place.where}" if place.where else ""
    kind = f"{place.kind}'s {place.slot}" if place.slot else place.kind
    return f"{place.row or 'no row'} {kind} (node {place.node}{where})"
