"""Whole numbers: how many nodes of each network are equal to the bit, and why others cannot be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from conformance.reports.cells import table, text
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import blocks, of

WHOLE = (
    "Weights and image are chosen so that every value of the network is a whole number of steps,"
    " few enough for the precision to hold it. Then nothing rounds, in whatever order it is"
    " computed, and every framework, precision and device has to give the same bits: one that"
    " differs is a finding. Algorithms that round inside a product are accepted where the nearest"
    " step is the exact result, and counted apart. Nodes that round whatever they are given are"
    " listed with their reason and judged in float64."
)


def page(view: View) -> str:
    """How many nodes are exact, per network, framework, precision and device."""
    runs = list(_runs(view))
    ways = list(dict.fromkeys(_way(each) for _, _, each in runs))
    cells: dict[tuple[str, str], dict[str, Json]] = defaultdict(dict)
    for model, name, each in runs:
        cells[model, name][_way(each)] = each
    rows = [
        [text(model), view.labels[name], *(_cell(own.get(way)) for way in ways)]
        for (model, name), own in cells.items()
    ]
    totals = (_total([each for _, _, each in runs if _way(each) == way]) for way in ways)
    rows.append(["**all**", "", *totals])
    without = Counter[str]()
    for _, _, each in runs:
        without.update(each["without"])
    reasons = [[text(reason), f"{count:,}"] for reason, count in without.most_common()]
    return blocks(
        "# Whole numbers",
        WHOLE,
        "## Exact nodes",
        table(["network", "in", *ways], rows),
        "## Not exact",
        "What keeps nodes from being exact, over all runs above.",
        table(["reason", "nodes"], reasons, right=["nodes"]) if reasons else "Nothing does.",
    )


def summary(view: View) -> str:
    """How many nodes of all runs are exact."""
    return _total([each for _, _, each in _runs(view)])


def ran(view: View) -> bool:
    """Whether there is anything to show."""
    return any(True for _ in _runs(view))


def _runs(view: View) -> Iterator[tuple[str, str, Json]]:
    for network in view.results["networks"]:
        for name, found in network.get("exact", {}).items():
            for each in found:
                yield network["model"], name, each


def _way(run: Json) -> str:
    return f"{run['precision']} on {run['device']}"


def _total(runs: list[Json]) -> str:
    exact, nodes = (sum(each[key] for each in runs) for key in ("exact", "nodes"))
    return f"{of(exact, nodes)}, {exact / max(1, nodes):.1%}"


def _cell(run: Json | None) -> str:
    if run is None:
        return ""
    sign = "**✗** " if run["first_difference"] is not None or run["problem"] else ""
    rounded = f", {run['rounded']} to the nearest step" if run["rounded"] else ""
    problem = f", {text(run['problem'])}" if run["problem"] else ""
    return f"{sign}{of(run['exact'], run['nodes'])}{rounded}{problem}"
