"""A family's page: the tables of its documents again, with what is built, and the numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from html import escape

from conformance.graph.model import Graph, Node, count_parameters
from conformance.graph.rows import layers
from conformance.judge.claims import shown
from conformance.judge.record.evidence import Record as Built
from conformance.reference import Family, Record, Table
from conformance.reports.cells import above, below, listed, table, text
from conformance.reports.results import MODES, Json
from conformance.reports.view import View
from conformance.reports.words import (
    MARKS,
    VERDICTS,
    agreeing,
    apart,
    blocks,
    count,
    counted,
    folded,
    of,
    parted,
    prose,
    subject,
)


def page(view: View, family: Family) -> str:
    """The tables of one family's documents, with what is built; disputes; numbers."""
    networks = [each for each in view.results["networks"] if each["family"] == family.stem]
    parts = [
        f"# {escape(family.title, quote=False)}",
        "\n".join(f"- {name}: {prose(source)}" for name, source in family.sources.items()),
        "[All networks](index.md). Marks: "
        + ", ".join(f"{mark} {status}" for status, (mark, _) in MARKS.items() if mark)
        + "; what is built stands below the print where it says more.",
    ]
    if networks:
        parts += ["## Verdicts", *_verdicts(view, networks)]
        parts += ["## Totals", *_totals(view, networks)]
    for heading in ("Models", "Layers"):
        tables = [each for each in family.tables if each.heading == heading]
        if tables:
            title = {"Models": "Totals as printed", "Layers": "Layers as printed"}[heading]
            parts.append(f"## {title}")
        for each in tables:
            parts += [*_notes(each), _printed(view, family, each)]
    if networks:
        parts += ["## Layers as built", *_built(view, family)]
    parts += ["## Claims in the text", *_prose_claims(view, family)]
    if family.disputed:
        parts += ["## Disputed", _disputed(view, family)]
    if networks:
        parts += ["## Values in float64", *_parity(view, networks)]
        parts += ["## Agreement between the runs", *_agreement(view, networks)]
    return blocks(*parts)


def _verdicts(view: View, networks: list[Json]) -> Iterator[str]:
    rows = [
        [
            text(network["model"]),
            *(_verdict(view, network, name) for name in view.labels),
            agreeing(network),
        ]
        for network in networks
    ]
    yield table(["network", *view.labels.values(), "agree"], rows)
    lines = [
        f"- {text(network['model'])} in {label}: {text(reason)}"
        for network in networks
        for name, label in view.labels.items()
        for reason in network["verdicts"][name]["reasons"]
    ]
    if lines:
        yield "\n".join(lines)


def _verdict(view: View, network: Json, name: str) -> str:
    """A run's verdict, and how many of the network's claims it measured."""
    said = network["verdicts"][name]["verdict"]
    if said == "not run":
        return VERDICTS[said]
    own = [claim for claim in view.claims.values() if claim["model"] == network["model"]]
    planned = [claim for claim in own if claim["status"] != "cited"]
    measured = sum("found" in claim["runs"].get(name, {}) for claim in planned)
    return f"{VERDICTS[said]}, {of(measured, len(planned))} claims"


def _totals(view: View, networks: list[Json]) -> Iterator[str]:
    """What is built, a line for each total on which the runs do not agree."""
    names = {
        "trainable": "parameters",
        "with_running_statistics": "with running statistics",
        "multiply_adds": "multiply-adds",
        "connections": "connections",
        "weight_layers": "weight layers",
        "nodes": "nodes",
    }
    family = networks[0]["family"]
    own = [claim for claim in view.claims.values() if claim["family"] == family]
    if not any(claim["quantity"] == "connections" for claim in own):
        del names["connections"]
    rows = []
    for network in networks:
        grouped: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, totals in network["totals"].items():
            grouped[tuple(totals[each] for each in names)].append(view.labels[name])
        for totals, found in grouped.items():
            rows.append([text(network["model"]), listed(found), *(f"{n:,}" for n in totals)])
    if not rows:
        yield "No run has these networks."
        return
    yield (
        "What is built. Parameters are those that training moves; a multiply-add is one product"
        " summed by a convolution or a dense layer; weight layers are those on the longest"
        " path; nodes are the operations of inference, and the input."
    )
    yield table(["network", "in", *names.values()], rows, right=[*names.values()])


def _printed(view: View, family: Family, printed: Table) -> str:
    """A table of the document with the marks of its claims."""
    claims: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for claim in family.claims:
        claims[claim.place, claim.column].append(view.claims[claim.id])
    # Lines are for proofreading, and a column `params as` says how the cell beside it counts.
    columns = [each for each in printed.header if each != "line" and not each.endswith(" as")]
    rows = [
        [_cell(view, record, column, claims[record.place, column]) for column in columns]
        for record in printed.records
    ]
    return table([text(column) for column in columns], rows)


def _cell(view: View, record: Record, column: str, claims: list[Json]) -> str:
    cell = text(record[column])
    if not claims:
        return cell
    convention = [text(record[f"{column} as"])] if record[f"{column} as"] else []
    really = [f"**{each}**" for each in view.really(claims)]
    return "<br>".join([f"{cell} {view.marks(claims)}".strip(), *convention, *really])


def _built(view: View, family: Family) -> Iterator[str]:
    """For each network, what its rows are built of, in the runs that build them alike."""
    yield (
        "Row by row: the kinds of layers, what the row leaves, its parameters and multiply-adds,"
        " and how much of the input one of its values sees."
    )
    for model in family.models:
        grouped: dict[tuple[tuple[str, ...], ...], list[str]] = defaultdict(list)
        for run in view.runs:
            if record := run.records.get(model.name):
                names = model.row_names
                grouped[tuple(_rows(record, names))].append(view.labels[run.name])
        for rows, found in grouped.items():
            header = ["row", "built of", "leaves", "parameters", "multiply-adds", "sees"]
            body = table(header, rows, right=header[3:])
            yield folded(f"{text(model.name)} in {listed(found)}", body)


def _rows(record: Built, names: list[str]) -> Iterator[tuple[str, ...]]:
    """What a network has in each row of the paper's table; some rows are there in training only."""
    inference = _described(record.graph, names)
    training = _described(record.training, names) if record.training else {}
    for name in names:
        built, *rest = inference.get(name) or training.get(name) or ("nothing", "", "", "", "")
        only = "" if name in inference or name not in training else ", in training"
        yield text(name), f"{built}{only}", *rest


def _described(graph: Graph, names: list[str]) -> dict[str, tuple[str, ...]]:
    """Of each row that a graph has: its kinds of layers, what it leaves, counts, what it sees."""
    fields = graph.receptive_fields()
    found: dict[str, tuple[str, ...]] = {}
    for name, indices in layers(graph, names).items():
        nodes = [graph.nodes[i] for i in indices]
        if nodes:
            found[name] = (
                text(_kinds(nodes)),
                shown(nodes[-1].shape),
                f"{sum(count_parameters(node, 'trainable') for node in nodes):,}",
                f"{sum(node.multiply_adds for node in nodes):,}",
                shown(fields[indices[-1]]),
            )
    return found


def _kinds(nodes: Iterable[Node]) -> str:
    """``conv, relu`` or, where there are many of each, ``conv × 12, batch_norm × 12``."""
    counts: dict[str, int] = defaultdict(int)
    for node in nodes:
        counts[node.kind.replace("_", " ")] += 1
    return ", ".join(kind if n == 1 else f"{kind} × {n}" for kind, n in counts.items())


def _prose_claims(view: View, family: Family) -> Iterator[str]:
    own = {claim.place: claim for claim in family.claims}
    cited = []
    for printed in (each for each in family.tables if each.heading == "Claims"):
        claims = [own[record.place] for record in printed.records]
        cited += [view.claims[each.id] for each in claims if each.quantity == "cited"]
        rows = [
            [
                claim.line,
                text(subject(found, counted=True)),
                text(claim.printed),
                "<br>".join(f"{value}{names}" for value, names in view.found(found).items()),
                f"{view.marks([found])} {found['status']}",
            ]
            for claim in claims
            if claim.quantity != "cited" and (found := view.claims[claim.id])
        ]
        if rows:
            yield from _notes(printed)
            yield table(["line", "claim", "printed", "found", "status"], rows)
    if cited:
        body = table(
            ["line", "what", "printed"],
            [[text(c["line"]), text(subject(c)), text(c["printed"])] for c in cited],
        )
        yield folded(f"{count(len(cited), 'number')} that nothing here can check", body)


def _disputed(view: View, family: Family) -> str:
    rows = []
    for dispute in family.disputed:
        claim = view.claims[dispute.claim]
        name = view.disputes[dispute.claim]
        where = f"line {claim['line']}" if claim["line"] else claim["section"]
        rows.append(
            [
                f'<a id="{name.lower()}"></a>{name}',
                f"{text(subject(claim, counted=True))}, {text(where)}",
                text(claim["printed"]),
                f"{text(counted(claim))} {MARKS[claim['status']][0]}",
                text(claim["why"]),
                text(claim["alternative"]),
            ]
        )
    return table(["", "claim", "printed", "holds", "why", "another reading"], rows)


def _parity(view: View, networks: list[Json]) -> Iterator[str]:
    """How near every node of every run came to the oracle."""
    rows = [
        [
            text(network["model"]),
            view.labels[name],
            mode,
            of(parity["compared"], parity["planned"]),
            below(parity["measured"]["error"]),
            above((parity["measured"]["closest"] or {}).get("bound")),
            of(sum(arm["caught"] for arm in parity["controls"]), len(parity["controls"])),
            above(parity["measured"]["separation"]),
        ]
        for network in networks
        for key, mode in MODES.items()
        for name, parity in network[key].items()
    ]
    if not rows:
        yield "No run of these networks has recorded values."
        return
    yield (
        "Canonical weights, float64, every node against the oracle; an error is the largest"
        " difference over the root mean square. The bound is derived: what single precision"
        " costs the oracle itself up to that node, times 2^-14.5, which is halfway between the"
        " roundings of single and double. Each control arm is one node computed wrongly on"
        " purpose, and has to exceed the bound; `by` is how many times the least of them does."
        " Of some networks a step of training is compared as well, with the running statistics"
        " that it leaves, and the gradients of both by the image and by every slot: on the smallest"
        " image on which the network is the same one."
    )
    header = [
        "network",
        "in",
        "mode",
        "compared",
        "largest error",
        "bound",
        "controls caught",
        "by",
    ]
    yield table(header, rows)
    lines = [
        line
        for network in networks
        for key, mode in MODES.items()
        for name, parity in network[key].items()
        for line in parted(network["model"], mode, view.labels[name], parity)
    ]
    if lines:
        yield "\n".join(lines)


def _agreement(view: View, networks: list[Json]) -> Iterator[str]:
    rows, lines = [], []
    for network in networks:
        for pair in network["agreement"]:
            labels = view.labels[pair["first"]], view.labels[pair["second"]]
            both = listed(labels)
            alike = pair["complete"] and not pair["findings"]
            rows.append(
                [
                    text(network["model"]),
                    both,
                    of(pair["compared"], pair["planned"])
                    + (f", {pair['whole']} in full" if pair["whole"] else "")
                    + (f", without {listed(pair['alone'])}" if pair["alone"] else ""),
                    "alike" if alike else f"**{count(len(pair['findings']), 'finding')}**",
                    f"{below(pair['measured']['largest'])} of the bound",
                    "✓" if pair["agrees"] else "**✗**",
                ]
            )
            lines += [
                f"- {text(network['model'])}, {both}: {each}" for each in apart(pair, *labels)
            ]
    if not rows:
        yield "There are no two runs of these networks."
        return
    yield (
        "The graphs of two runs are aligned by structure alone, and the recorded values of"
        " corresponding nodes, statistics and gradients included, compared with the stricter of"
        " the two bounds."
    )
    if any(pair["conventions"] for network in networks for pair in network["agreement"]):
        yield (
            "Frameworks differ by convention in which variance the running one takes in: a sample's"
            " in PyTorch, the batch's in Keras and Flax.  It is converted and no finding."
        )
    yield table(["network", "runs", "values", "layers", "largest difference", "agree"], rows)
    if lines:
        yield "\n".join(lines)


def _notes(printed: Table) -> list[str]:
    """Where a table stands and how its columns count, as the reference says it."""
    notes = [f"{key}: {value}" for key, value in printed.notes.items()]
    return [prose("; ".join(notes))] if notes else []
