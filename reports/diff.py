"""What changed from one report to the next: verdicts, claims, agreement, margins, versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log10
from pathlib import Path
from typing import Any

from conformance.data import read
from conformance.files import read as text_of
from conformance.files import strict
from conformance.judge.record import evidence
from conformance.judge.record.evidence import DamagedEvidence
from conformance.reports.results import STATUSES, VERDICTS, Json, results
from conformance.reports.rows import Results

#: Statuses that say nothing against what is built, however they change among themselves.
_SOUND = frozenset(STATUSES) - {"deviates", "unmeasured"}


@dataclass(slots=True)
class Changes:
    """Sentences; ``regressions`` are what no longer holds, ``others`` whatever else changed."""

    regressions: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, worse: bool, sentence: str) -> None:
        (self.regressions if worse else self.others).append(sentence)


def load(path: Path) -> Json:
    """The results in a file, or those that a folder of evidence comes to.

    Raises :class:`~conformance.judge.record.evidence.DamagedEvidence`.
    """
    folder = os.path.isdir(path)  # whatever name it is
    if folder and not (path / "results.json").is_file():
        runs = evidence.read(path)
        if not runs:
            raise DamagedEvidence(f"{path}: neither evidence nor results.json is in it")
        return results(runs)
    file = path / "results.json" if folder else path
    try:
        data = strict(text_of(file))
    except (OSError, ValueError) as error:
        raise DamagedEvidence(f"{file}: cannot be read ({error})") from None
    try:
        read(data, Results)
    except ValueError as wrong:
        raise DamagedEvidence(f"{file}: not results of this version: {wrong}") from None
    found: Json = data
    return found


def changes(old: Json, new: Json) -> Changes:
    """What changed.  What was checked once and is not any more counts as a regression."""
    found = Changes()
    _runs(old, new, found)
    before, after = _networks(old), _networks(new)
    for model in dict.fromkeys([*before, *after]):
        _verdicts(model, before.get(model), after.get(model), found)
        _totals(model, before.get(model), after.get(model), found)
        _agreement(model, before.get(model), after.get(model), found)
    _claims(old, new, found)
    found.others += _margins(before, after)
    return found


def _networks(results: Json) -> dict[str, Json]:
    return {each["model"]: each for each in results["networks"]}


def _runs(old: Json, new: Json, found: Changes) -> None:
    before, after = ({run["name"]: run for run in each["runs"]} for each in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if name not in after or name not in before:
            found.add(name not in after, f"{name}: the run is {_new(name in after)}")
            continue
        versions = [each[name]["environment"]["versions"] for each in (before, after)]
        for package in dict.fromkeys([*versions[0], *versions[1]]):
            a, b = (each.get(package, "none") for each in versions)
            if a != b:
                found.add(False, f"{name}: {package} {a} is now {b}")
        if before[name]["seed"] != after[name]["seed"]:
            seeds = before[name]["seed"], after[name]["seed"]
            found.add(False, f"{name}: seed {seeds[0]} is now {seeds[1]}")


def _new(there: bool) -> str:
    return "new" if there else "gone"


def _verdicts(model: str, old: Json | None, new: Json | None, found: Changes) -> None:
    before, after = (each["verdicts"] if each else {} for each in (old, new))
    for run in dict.fromkeys([*before, *after]):
        a, b = (each.get(run, {"verdict": "not run", "reasons": []}) for each in (before, after))
        if a["verdict"] != b["verdict"]:
            worse = VERDICTS.index(b["verdict"]) < VERDICTS.index(a["verdict"])
            why = f": {b['reasons'][0]}" if b["reasons"] else ""
            found.add(worse, f"{model} in {run}: {a['verdict']} is now {b['verdict']}{why}")


def _totals(model: str, old: Json | None, new: Json | None, found: Changes) -> None:
    before, after = (each["totals"] if each else {} for each in (old, new))
    for run in (run for run in before if run in after):
        for name, a in before[run].items():
            if a != (b := after[run].get(name, a)):
                words = name.replace("_", " ")
                found.add(False, f"{model} in {run}: {words} {a:,} is now {b:,}")


def _agreement(model: str, old: Json | None, new: Json | None, found: Changes) -> None:
    before, after = (
        {(p["first"], p["second"]): p["agrees"] for p in each["agreement"]} if each else {}
        for each in (old, new)
    )
    for pair in (pair for pair in before if pair in after):
        if before[pair] != after[pair]:
            word = "agree now" if after[pair] else "no longer agree"
            found.add(not after[pair], f"{model}: {pair[0]} and {pair[1]} {word}")


def _claims(old: Json, new: Json, found: Changes) -> None:
    before, after = ({each["id"]: each["status"] for each in all_["claims"]} for all_ in (old, new))
    for name in (name for name in before if name in after):
        a, b = before[name], after[name]
        if a != b:
            worse = b not in _SOUND and STATUSES.index(b) < STATUSES.index(a)
            found.add(worse, f"claim {name}: {a} is now {b}")
    for there, some, other in ((True, after, before), (False, before, after)):
        if count := sum(name not in other for name in some):
            found.add(False, f"{count} claims are {_new(there)}")


def _margins(old: dict[str, Json], new: dict[str, Json]) -> Iterator[str]:
    """Margins that moved by more than their spread.

    A margin is how many powers of ten lie between a network's nearest value and its bound.
    Correct runs of one network differ in it by the order of their sums alone; how far they lie
    apart, in either report, is its spread.  Where a network has one run only, the widest spread
    of any other network stands in.
    """
    before, after = (
        {model: _margins_of(network) for model, network in each.items()} for each in (old, new)
    )
    spreads: dict[str, float] = {}
    for each in (before, after):
        for model, margins in each.items():
            if len(margins) > 1:
                apart = max(margins.values()) - min(margins.values())
                spreads[model] = max(apart, spreads.get(model, 0.0))
    widest = max(spreads.values(), default=0.0)
    for model, margins in before.items():
        for run, a in margins.items():
            b = after.get(model, {}).get(run)
            spread = spreads.get(model, widest)
            if b is not None and abs(b - a) > spread:
                yield (
                    f"{model} in {run}: the margin of 1e{a:.1f} is now 1e{b:.1f}"
                    f" (spread between runs 1e{spread:.1f})"
                )


def _margins_of(network: Json) -> dict[str, float]:
    found: dict[str, Any] = {
        run: each["measured"]["closest"] or {} for run, each in network["parity"].items()
    }
    return {
        run: log10(near["bound"] / near["error"])
        for run, near in found.items()
        if near.get("bound") and near.get("error")
    }
