"""The results by what they are looked up by, and how a claim is shown in a cell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from conformance import reference
from conformance.judge.record.evidence import Run
from conformance.reports.cells import listed, number, text
from conformance.reports.results import STATUSES, Json
from conformance.reports.words import MARKS, literal


@dataclass
class View:
    """What the pages are made of: results, runs and the reference they speak of."""

    results: Json
    runs: list[Run]
    documents: Path

    def __post_init__(self) -> None:
        stems = reference.families(self.documents)
        self.families = [reference.family(stem, self.documents) for stem in stems]
        self.claims: dict[str, Json] = {each["id"]: each for each in self.results["claims"]}
        devices = {run["device"] for run in self.results["runs"]}
        self.names: dict[str, str] = {
            run["name"]: run["framework"] if len(devices) == 1 else run["name"]
            for run in self.results["runs"]
        }
        self.labels = {name: text(label) for name, label in self.names.items()}
        # Disputes are numbered on their family's page.
        self.disputes = {
            dispute.claim: f"D{index}"
            for family in self.families
            for index, dispute in enumerate(family.disputed, 1)
        }

    def marks(self, claims: list[Json]) -> str:
        """The mark of the worst claim of a cell, and the disputes over any of them."""
        worst = min((claim["status"] for claim in claims), key=STATUSES.index)
        disputes = dict.fromkeys(self.dispute(claim) for claim in claims if claim["counted"])
        return " ".join([MARKS[worst][0], *disputes]).strip()

    def really(self, claims: list[Json]) -> list[str]:
        """What is built, wherever it is not just what is printed."""
        found: dict[str, set[str]] = defaultdict(set)
        for claim in claims:
            if not literal(claim):
                for value, names in self.found(claim).items():
                    found[value].add(f"{text(claim['model'])}{names}")
        if len(found) < 2:
            return list(found)
        return [f"{listed(sorted(who))}: {value}" for value, who in found.items()]

    def values(self, claim: Json) -> dict[str, list[str]]:
        """Each value that was found, and in which runs if they do not agree."""
        values: dict[str, list[str]] = defaultdict(list)
        for name, each in claim["runs"].items():
            if "found" in each:
                values[number(each["found"], claim["printed"])].append(self.names[name])
        if not values and claim["arithmetic"]:
            values[number(claim["arithmetic"]["value"], claim["printed"])] = []
        return values if len(values) > 1 else {value: [] for value in values}

    def found(self, claim: Json) -> dict[str, str]:
        """The same, each value as the text of a cell and its runs as ``in flax, keras``."""
        return {
            text(value): f" in {listed(map(text, names))}" if names else ""
            for value, names in self.values(claim).items()
        }

    def anchor(self, claim: Json) -> str:
        return self.disputes.get(claim["id"], "disputed").lower()

    def dispute(self, claim: Json) -> str:
        return f"[{self.disputes[claim['id']]}](#{self.anchor(claim)})"
