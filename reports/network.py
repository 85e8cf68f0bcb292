"""One network's page: what its template is filled with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from math import log2
from typing import Any

from conformance.graph.align import align
from conformance.graph.model import Graph, count_parameters
from conformance.graph.rows import row_of
from conformance.judge.record.evidence import Record
from conformance.judge.record.modes import compared
from conformance.reports import curves, labels
from conformance.reports.drawing import draw
from conformance.reports.fold import parts
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import MARKS, subject

#: A graph of so few drawn nodes is shown unfolded.
SMALL = 40

#: How many differences of two runs are told at the top of the page; nodes bear them all.
SENTENCES = 10

#: What is plotted of each mode.
MODES = {
    "inference": "Each node's largest difference from the oracle in float64, over the root mean"
    " square, in the order of execution.",
    "training": "The same in a step of training, with batch statistics and auxiliary heads; what a"
    " norm keeps of them counts as its own.",
    "gradients": "The same of the gradients by each node's slots and by the image, of which the"
    " worst is drawn; they are computed from right to left.",
    "training gradients": "The gradients of a step of training: through the batch's statistics, and"
    " through auxiliary heads as well.",
}

TOTALS = {
    "trainable": "parameters",
    "multiply_adds": "multiply-adds",
    "weight_layers": "weight layers",
}


def context(view: View, network: Json) -> Json:
    """What the page of one network says."""
    name = network["model"]
    family = next(each for each in view.families if each.stem == network["family"])
    model = next(each for each in family.models if each.name == name)
    rows = model.row_names
    records = {run.name: run.records[name] for run in view.runs if name in run.records}
    own = [claim for claim in view.claims.values() if claim["model"] == name]
    claims = [claim_row(view, claim, everywhere=False) for claim in own]
    page: Json = {
        "model": name,
        "sources": [(key, value) for key, value in family.sources.items()],
        "total_names": list(TOTALS.values()),
        "runs": [_run(view, network, run) for run in view.names],
        "pairs": [
            {
                "both": f"{view.names[pair['first']]} and {view.names[pair['second']]}",
                "agrees": pair["agrees"],
            }
            for pair in network["agreement"]
        ],
        "folded": 0,
        "reasons": list(_reasons(view, network)),
        "claims": claims,
        "statuses": [word for word in MARKS if any(row["status"] == word for row in claims)],
        "sections": list(dict.fromkeys(row["section"] for row in claims)),
        "graph": [],
        "plots": [],
        "layers": [],
    }
    if records:
        page |= _built(view, network, records, rows)
    return page


def _built(view: View, network: Json, records: Mapping[str, Record], rows: list[str]) -> Json:
    first, base = next(iter(records.items()))
    owners = row_of(base.graph, rows)
    pairs = {
        name: align(base.graph, record.graph).pairs if name != first else None
        for name, record in records.items()
    }
    marks = dict(_marks(view, network, first, pairs))
    training = []
    if base.training:
        own = row_of(base.training, rows)
        training = _parts(base.training, own, {}, without=set(owners))
    graph = _parts(base.graph, owners, marks)
    folded = {i for part in graph for i in part["folded"]}
    layers = list(_layers(base.graph, owners, marks, records, pairs, folded))
    return {
        "base": view.names[first],
        "graph": graph,
        "strip": strip(graph),
        "folded": len(folded),
        "training": training,
        "plots": list(_plots(view, records)),
        "layers": layers,
        "rows": list(dict.fromkeys(row for row in owners if row)),
        "kinds": list(dict.fromkeys(layer["kind"] for layer in layers)),
        "columns": [
            ("node", True),
            ("row", False),
            ("layer", False),
            ("leaves", False),
            ("parameters", True),
            ("multiply-adds", True),
            *((f"error in {view.names[name]}", True) for name in network["parity"]),
            ("settings", False),
            ("where", False),
        ],
    }


def _parts(
    graph: Graph,
    owners: list[str],
    marks: Mapping[int, str],
    without: Collection[str] = (),
) -> list[Json]:
    found = [part for part in parts(graph, owners, marks) if part.row not in without]
    drawn = sum(len(part.nodes) - sum(len(n) for _, n in part.repeats) for part in found)
    result = []
    for part in found:
        nodes = [graph.nodes[i] for i in part.nodes]
        kinds = Counter(node.kind.replace("_", " ") for node in nodes)
        built = ", ".join(kind if n == 1 else f"{kind} × {n}" for kind, n in kinds.items())
        parameters = sum(count_parameters(node, "trainable") for node in nodes)
        wrong = sum(i in marks for i in part.nodes)
        says = [built, f"leaves {labels.leaves(nodes[-1])}"]
        if parameters:
            says.append(f"{parameters:,} parameters")
        result.append(
            {
                "row": part.row,
                "says": "; ".join(says),
                "wrong": wrong,
                "open": bool(wrong) or drawn <= SMALL,
                "shape": nodes[-1].shape,
                "count": len(nodes),
                "group": labels.group(max(nodes, key=lambda node: node.weights)),
                "folded": [i for _, own in part.repeats for i in own],
                "drawing": draw(graph, owners, part, marks),
            }
        )
    return result


def _plots(view: View, records: Mapping[str, Record]) -> Iterator[Json]:
    """A plot a mode in which any run compared numbers, with a curve a run."""
    modes = {name: compared(record) for name, record in records.items()}
    others = {mode: None for found in modes.values() for mode in found if mode not in MODES}
    for mode, words in (MODES | {mode: f"The same in {mode}." for mode in others}).items():
        own = [(view.names[name], found[mode]) for name, found in modes.items() if mode in found]
        arms = [
            curves.Arm(arm.node, arm.error, number, f"{label}: {arm.alteration}")
            for number, (label, found) in enumerate(own)
            for arm in found.controls
        ]
        if drawn := curves.plot([curves.of(*each) for each in own if each[1].results], arms):
            yield {"mode": mode, "says": words, "drawn": drawn}


def strip(graph: list[Json]) -> Json:
    """The rows as bars: high as the logarithm of their maps, wide as that of their layers."""
    bars: list[Json] = []
    x = 4.0
    for part in graph:
        maps = part["shape"][:2] if len(part["shape"]) == 3 else (1, 1)
        height, width = 12 + 10 * log2(max(maps)), 14 + 6 * log2(part["count"])
        bars.append(part | {"x": round(x, 1), "width": round(width, 1), "height": round(height, 1)})
        x += max(width + 8, 24)
    tallest = max(bar["height"] for bar in bars)
    for bar in bars:
        bar["y"] = round(4 + (tallest - bar["height"]) / 2, 1)
    size = {"width": round(x + 90), "height": round(tallest + 96)}
    return {"bars": bars, "floor": round(tallest + 20), **size}


def _layers(
    graph: Graph,
    owners: list[str],
    marks: Mapping[int, str],
    records: Mapping[str, Record],
    pairs: Mapping[str, dict[int, int] | None],
    folded: Collection[int],
) -> Iterator[Json]:
    errors = {
        name: {each.node: each.error for each in record.parity.nodes}
        for name, record in records.items()
        if record.parity
    }
    for index, node in enumerate(graph):
        twins = {name: index if own is None else own.get(index) for name, own in pairs.items()}
        yield {
            "node": index,
            "row": owners[index],
            "kind": node.kind.replace("_", " "),
            "name": labels.name(node),
            "leaves": labels.leaves(node),
            "parameters": count_parameters(node, "trainable"),
            "products": node.multiply_adds,
            "errors": [
                error("" if (twin := twins[name]) is None else own.get(twin, ""))
                for name, own in errors.items()
            ],
            "settings": labels.settings(node),
            "where": str(node.where),
            "mark": marks.get(index, ""),
            "folded": index in folded,
        }


def _marks(
    view: View, network: Json, first: str, pairs: Mapping[str, dict[int, int] | None]
) -> Iterator[tuple[int, str]]:
    """What is wrong at nodes of the graph that is shown."""
    said: dict[int, list[str]] = {}
    for name, parity in network["parity"].items():
        if part := parity["first_divergence"]:
            back = {theirs: ours for ours, theirs in (pairs[name] or {}).items()}
            node = part["node"] if name == first else back.get(part["node"])
            if node is not None:
                said.setdefault(node, []).append(f"{view.names[name]} first differs here")
    for pair in network["agreement"]:
        if pair["first"] != first:
            continue
        other = view.names[pair["second"]]
        for finding in pair["findings"]:
            if finding["mode"] == "inference" and (place := finding["first_node"]):
                words = (
                    f"{other} has none"
                    if finding["attribute"] == "missing"
                    else f"{finding['attribute']} is {labels.value(finding['second'])} in {other}"
                )
                said.setdefault(place["node"], []).append(words)
    yield from ((node, "; ".join(words)) for node, words in said.items())


def _run(view: View, network: Json, run: str) -> Json:
    parity = network["parity"].get(run)
    totals = network["totals"].get(run)
    measured = parity["measured"] if parity else {}
    closest = measured.get("closest") or {}
    arms = parity["controls"] if parity else []
    return {
        "label": view.names[run],
        "verdict": network["verdicts"][run]["verdict"],
        "totals": [f"{totals[key]:,}" if totals else "" for key in TOTALS],
        "error": error(measured.get("error")) if parity else "",
        "bound": error(closest.get("bound")) if parity else "",
        "arms": f"{sum(arm['caught'] for arm in arms)} of {len(arms)}" if parity else "",
        "separation": f"{measured['separation']:.0e}" if measured.get("separation") else "",
    }


def _reasons(view: View, network: Json) -> Iterator[str]:
    for name, label in view.names.items():
        yield from (f"{label}: {reason}" for reason in network["verdicts"][name]["reasons"])
    for pair in network["agreement"]:
        both = f"{view.names[pair['first']]} and {view.names[pair['second']]}"
        if pair["problem"]:
            yield f"{both}: {pair['problem']}"
        for finding in pair["findings"][:SENTENCES]:
            place = finding["first_node"] or finding["second_node"]
            values = " and ".join(labels.value(finding[side]) for side in ("first", "second"))
            row = f" in {place['row']}" if place["row"] else ""
            where = f"node {place['node']}, {place['kind']}{row}"
            where += " in training" if finding["mode"] == "training" else ""
            yield f"{both} differ at {where}: {finding['attribute']}, {values}"
        if (more := len(pair["findings"]) - SENTENCES) > 0:
            yield f"{both} differ at {more} more nodes"


def claim_row(view: View, claim: Json, everywhere: bool = True) -> Json:
    """A claim as a row of a table, with its network's name where the page is not its own."""
    stands = [claim["document"], claim["section"], claim["line"] and f"line {claim['line']}"]
    holds = f"{claim['counted']} holds: {claim['why']}" if claim["counted"] else ""
    other = f"another reading: {claim['alternative']}" if claim["alternative"] else ""
    missing = {each["reason"] for each in claim["runs"].values() if "reason" in each}
    return {
        "id": claim["id"],
        "page": claim["family"],
        "network": page_of(claim["model"]) if claim["model"] else "",
        "subject": subject(claim if everywhere else claim | {"model": ""}, counted=True),
        "printed": claim["printed"],
        "found": [
            (value, f"in {', '.join(names)}" if names else "")
            for value, names in view.values(claim).items()
        ],
        "status": claim["status"],
        "section": ", ".join(filter(None, (claim["document"], claim["section"]))),
        "stands": ", ".join(filter(None, stands)),
        "why": "; ".join(filter(None, (holds, other, *sorted(missing)))),
    }


def page_of(model: str) -> str:
    """A network's page, seen from the front page."""
    return f"networks/{model}.html"


def error(value: Any) -> str:
    """A measured error, ``2e-15``."""
    if value == "":
        return ""
    if value is None or value != value:
        return "not a number"
    return f"{value:.0e}" if value else "0"
