"""Every claim in one place, for people and for programs: a page, a CSV file, a badge."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from itertools import groupby

from conformance.reports.cells import table, text
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import MARKS, blocks, subject

COLUMNS = (
    "id",
    "family",
    "model",
    "layer",
    "subject",
    "quantity",
    "convention",
    "printed",
    "status",
    "counted",
    "why",
    "alternative",
    "arithmetic",
    "document",
    "section",
    "line",
)

#: How the two files begin.
HEADER = ",".join(COLUMNS)
BADGE = '{"schemaVersion": 1, "label": "conformance"'


def files(results: Json) -> dict[str, str]:
    """``ledger.csv`` and ``badge.json``, by their names."""
    return {"ledger.csv": rows(results), "badge.json": json.dumps(badge(results)) + "\n"}


def rows(results: Json) -> str:
    """The ledger as CSV: a row a claim, and a column a run with what it found."""
    names = [run["name"] for run in results["runs"]]
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *map(_cell, names)])
    for claim in results["claims"]:
        arithmetic = claim["arithmetic"] and claim["arithmetic"]["value"]
        own = claim | {"arithmetic": arithmetic}
        found = [claim["runs"].get(name, {}).get("found") for name in names]
        writer.writerow([_cell(each) for each in (*(own[name] for name in COLUMNS), *found)])
    return out.getvalue()


def _cell(value: object) -> str:
    """A value as text that no spreadsheet takes for a formula."""
    if isinstance(value, list):
        names = any(isinstance(each, str) for each in value)
        return (", " if names else "x").join(map(str, value))
    said = "" if value is None else str(value)
    return f"'{said}" if said[:1] in ("=", "+", "-", "@", "\t", "\r") else said


def badge(results: Json) -> Json:
    """What shields.io's endpoint asks for: how many verdicts are the wished one, and a colour."""
    verdicts = [
        each["verdict"]
        for network in results["networks"]
        for each in network["verdicts"].values()
        if each["verdict"] != "not run"
    ]
    apart = [
        pair
        for network in results["networks"]
        for pair in network["agreement"]
        if pair["findings"] or pair["first_divergence"]
    ]
    good = verdicts.count("conforms")
    wrong = "deviates" in verdicts or results["counts"]["deviates"] or apart
    whole = bool(verdicts) and good == len(verdicts)
    return {
        "schemaVersion": 1,
        "label": "conformance",
        "message": f"{good} of {len(verdicts)} conform" if verdicts else "nothing ran",
        "color": "red" if wrong else "brightgreen" if whole else "yellow",
    }


def page(view: View) -> str:
    """The whole ledger as Markdown, in the order of the documents' sections."""
    parts = [
        "# All claims",
        "[All networks](index.md); the same as data: [ledger.csv](ledger.csv). Marks: "
        + ", ".join(f"{mark} {status}" for status, (mark, _) in MARKS.items())
        + ". A dispute leads to its reason.",
    ]
    for family in view.families:
        parts.append(f"## [{text(family.title)}]({family.stem}.md)")
        claims = [view.claims[claim.id] for claim in family.claims]
        claims.sort(key=lambda claim: (claim["document"], claim["section"]))
        for (document, section), some in groupby(
            claims, key=lambda claim: (claim["document"], claim["section"])
        ):
            parts.append(f"### {text(', '.join(filter(None, (document, section))))}")
            parts.append(table(["line", "claim", "printed", "found", ""], _lines(view, some)))
    return blocks(*parts)


def _lines(view: View, claims: Iterator[Json]) -> Iterator[list[str]]:
    for claim in claims:
        mark = MARKS[claim["status"]][0]
        if name := view.disputes.get(claim["id"]):
            mark += f" [{name}]({claim['family']}.md#{name.lower()})"
        found = (f"{value}{where}" for value, where in view.found(claim).items())
        yield [
            text(claim["line"]),
            text(subject(claim, counted=True)),
            text(claim["printed"]),
            "<br>".join(found),
            mark,
        ]
