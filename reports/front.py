"""The front page: which networks hold where, and what the documents got wrong."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice, zip_longest

from conformance.reference import Printed
from conformance.reference.claims import LISTED
from conformance.reports import exact, precisions, selftest, variants
from conformance.reports.cells import listed, table, text
from conformance.reports.results import VERDICTS as ORDER
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import (
    MARKS,
    SIGNS,
    VERDICTS,
    agreeing,
    blocks,
    counted,
    missing,
    of,
    subject,
)

#: How many refuted claims the page shows.
SHOWN = 10

#: The verdicts that a run may have on a network, the best first, each with its sign.
VERDICT_SIGNS = [(word, SIGNS[word]) for word in reversed(ORDER)]


def front(view: View) -> str:
    """Which networks hold where, and what the documents got wrong."""
    networks = view.results["networks"]
    frameworks = dict.fromkeys(run["framework"] for run in view.results["runs"])
    return blocks(
        "# Conformance report",
        f"{len(networks)} published networks, [{len(view.claims):,} printed numbers](ledger.md)"
        f" about them, {len(frameworks)} frameworks"
        f" ({listed(map(text, frameworks)) or 'no runs'}). Every number is set beside what each"
        " framework really builds, and every node's value beside an independent oracle's.",
        _families(view),
        "Networks by verdict: " + listed(f"{sign} {word}" for word, sign in VERDICT_SIGNS) + ";"
        " `agree` counts those that are alike, in layers and values, in every two runs. Claims"
        " by status: " + listed(f"{mark} {status}" for status, (mark, _) in MARKS.items()) + ".",
        f"[Self-test](selftest.md), {text(selftest.summary(view))}."
        f" [Known variants](variants.md): {variants.summary(view)}."
        f" [Precisions](precisions.md): {precisions.summary(view)}."
        + (f" [Whole numbers](exact.md): {exact.summary(view)}." if exact.ran(view) else ""),
        "## Where the documents are wrong",
        f"Of {view.results['counts']['contradicted']} refuted claims, the furthest off of each"
        " family; the rest is on the families' pages.",
        _worst(view),
        "## Runs",
        _runs(view),
        *_not_run(view),
        "## Every network",
        "`claims` are printed numbers that the live network was measured for.",
        _networks(view),
        "## How to read the pages",
        "A family's page repeats the tables of its documents, with their rows, columns and"
        " digits. Behind a printed number stands its mark, and below it what is really built"
        " wherever that says more than the print. Numbers agree to the last printed digit:"
        " `3.8e9` holds for anything less than one unit of its last digit away. There is no"
        " other tolerance for counts. Values are compared in float64 with an independent"
        " oracle, and then between the frameworks.",
        "\n".join(
            f"- {mark} **{status}** ({view.results['counts'][status]:,}): {says}"
            for status, (mark, says) in MARKS.items()
        ),
        "The same as data: [results.json](results.json), [ledger.csv](ledger.csv).",
    )


def _families(view: View) -> str:
    """A line a page: how many of its networks have which verdict, of its claims which status."""
    totals = view.results["counts"]
    statuses = [status for status in MARKS if totals[status]]
    marks = [MARKS[status][0] for status in statuses]
    lines: list[list[str]] = []
    for family in view.families:
        own = [each for each in view.results["networks"] if each["family"] == family.stem]
        found = [view.claims[claim.id]["status"] for claim in family.claims]
        lines.append(
            [
                f"[{text(family.title)}]({family.stem}.md)",
                *_judged(view, own),
                *(str(found.count(status) or "") for status in statuses),
                str(len(found)),
            ]
        )
    whole = [
        "all",
        *_judged(view, view.results["networks"]),
        *(f"{totals[status]:,}" for status in statuses),
        f"{len(view.claims):,}",
    ]
    lines.append([f"**{cell}**" if cell else "" for cell in whole])
    header = ["page", "networks", *view.labels.values(), "agree", *marks, "claims"]
    return table(header, lines, right=["networks", *marks, "claims"])


def _judged(view: View, networks: list[Json]) -> list[str]:
    """How many networks there are; for each run how many have which verdict; how many agree."""
    if not networks:
        return [""] * (2 + len(view.labels))
    cells = [str(len(networks))]
    for name in view.labels:
        verdicts = [network["verdicts"][name]["verdict"] for network in networks]
        counts = ((sign, verdicts.count(word)) for word, sign in VERDICT_SIGNS)
        cells.append(", ".join(f"{sign} {count}" for sign, count in counts if count))
    paired = [network["agreement"] for network in networks if network["agreement"]]
    alike = sum(all(pair["agrees"] for pair in pairs) for pairs in paired)
    return [*cells, of(alike, len(paired)) if paired else "–"]


def _networks(view: View) -> str:
    header = ["network", "claims", *view.labels.values(), "agree"]
    measured: dict[str, int] = defaultdict(int)
    for claim in view.claims.values():
        measured[claim["model"]] += any("found" in each for each in claim["runs"].values())
    rows = []
    for network in view.results["networks"]:
        link = f"{network['family']}.md"
        cells = [
            f"[{VERDICTS[network['verdicts'][name]['verdict']]}]({link}#verdicts)"
            for name in view.labels
        ]
        name = f"[{text(network['model'])}]({link})"
        rows.append([name, str(measured[network["model"]]), *cells, agreeing(network)])
    return table(header, rows, right=["claims"])


def _worst(view: View) -> str:
    rows = [
        [
            f"[{text(subject(claim))}]({claim['family']}.md#{view.anchor(claim)})",
            text(claim["printed"]),
            text(counted(claim)),
            text(claim["why"]),
        ]
        for claim in worst(view)
    ]
    return table(["claim", "printed", "really", "why"], rows)


def worst(view: View) -> list[Json]:
    """The refuted claims that are furthest off, each family in its turn."""
    families: list[list[Json]] = []
    for family in view.families:
        claims = [view.claims[claim.id] for claim in family.claims]
        refuted = [claim for claim in claims if claim["status"] == "contradicted"]
        apart = {(c["quantity"], c["printed"], c["counted"]): c for c in reversed(refuted)}
        families.append(sorted(apart.values(), key=_weight, reverse=True))
    families.sort(key=lambda claims: _weight(claims[0]) if claims else (), reverse=True)
    turns = (claim for turn in zip_longest(*families) for claim in turn if claim)
    return list(islice(turns, SHOWN))


def _weight(claim: Json) -> tuple[bool, float]:
    """What puts a refuted claim before another: that it speaks of a network, then how far off."""
    return bool(claim["model"]), _off(claim)


def _off(claim: Json) -> float:
    """How far a refuted number is from the one that holds: 0 for alike, 1 for nothing alike."""
    if claim["quantity"] in LISTED:
        return 0.5
    printed, held = Printed(claim["printed"], 1000).value, Printed(claim["counted"], 1000).value
    if isinstance(printed, tuple) or isinstance(held, tuple):
        return 0.5
    return abs(float(printed) - float(held)) / max(abs(float(printed)), abs(float(held)))


def _runs(view: View) -> str:
    rows = []
    for run in view.results["runs"]:
        versions = run["environment"]["versions"]
        checks = view.results["checks"][run["name"]]
        rows.append(
            [
                text(run["name"]),
                text(listed(f"{name} {version}" for name, version in versions.items())),
                str(run["seed"]),
                of(checks["claims"]["run"], checks["claims"]["planned"]),
                of(checks["nodes"]["run"], checks["nodes"]["planned"]),
            ]
        )
    return table(["run", "versions", "seed", "claims measured", "nodes compared"], rows)


def _not_run(view: View) -> list[str]:
    lines = [f"- {text(line)}" for line in missing(view.results, view.claims)]
    return ["### What was not checked", "\n".join(lines)] if lines else []
