"""The verdict on a port: its structure, its training mode, its numbers, and what explains them.

The port is set beside the published network's graph.  Structure comes first and needs no weights.
Then the port is run in float64 on canonical weights beside the oracle: beside the paper's
network, or, where a known variant explains every difference, beside that variant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from conformance.data import written
from conformance.graph.model import Graph
from conformance.judge import results
from conformance.judge.finding import Finding, Json, Judgement, Part, Unjudged, Verdict
from conformance.judge.hints import vanishes
from conformance.judge.port import (
    faults,
    forward,
    idle,
    initialisation,
    order,
    plain,
    precision,
    sizes,
    structure,
)
from conformance.judge.port import trained as trained_mode
from conformance.judge.port.subject import Stage, Subject, subject
from conformance.judge.port.unread import OPERATION
from conformance.judge.record.rows import GraphRow
from conformance.numbers.causes.roots import HALVES
from conformance.reference import Model
from conformance.reference import variants as known
from conformance.trace.port import Port, Size, UntraceableModel


@dataclass(slots=True)
class Judged:
    """A port's judgement, and what is shown with it."""

    framework: str
    model: Model
    judgement: Judgement
    profiles: list[known.Profile] = field(default_factory=list)
    another: known.Profile | None = None
    #: Variants that hold but in these rows.
    nearly: list[tuple[known.Profile, list[str]]] = field(default_factory=list)
    totals: results.Totals = results.Totals(0, 0, 0)
    forward: results.Forward | None = None
    numbers: bool = True
    #: What the port computes.
    graph: Graph | None = None
    #: For pages that draw the port: both graphs, their pairs and every node's error.
    drawing: Json = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def findings(self) -> list[Finding]:
        return self.judgement.findings

    def result(self, port: str) -> results.Gate:
        """The result of ``conformance gate``."""
        return results.Gate(
            schema=1,
            port=port,
            framework=self.framework,
            architecture=self.model.name,
            **results.common(self.judgement),
            variant=known.names(self.profiles) or None,
            variants=tuple(results.Variant(*_shown(each)) for each in self.profiles),
            another=results.Variant(*_shown(self.another)) if self.another else None,
            nearly=tuple(results.Nearly(*_shown(each), tuple(rows)) for each, rows in self.nearly),
            expected={name: tuple(some) for name, some in self.judgement.expected.items()},
            totals=self.totals,
            numbers=self.numbers,
            forward=self.forward,
        )


def _shown(profile: known.Profile) -> tuple[str, str, str, str]:
    return profile.name, profile.says, profile.source, profile.found_in


def judge(
    port: Port,
    model: Model,
    *,
    size: Size | None = None,
    numbers: bool = True,
    seed: int = 0,
    trained: bool = False,
    expect: Sequence[str] = (),
    stage: Stage = lambda name, done, total: None,
    seen: Callable[[Judged], None] = lambda judged: None,
) -> Judged:
    """Judge a port against a published network, for images of ``size`` (default: the paper's,
    or one of another network's if the port cannot take that).

    Findings that ``expect`` names, by row or node and attribute, are set aside like those of a
    variant.  ``seen`` is given what structure says, before numbers are run.

    Raises :class:`~conformance.trace.port.UntraceableModel`.
    """
    asked = subject(port, model, size, seed, stage)
    rows = model.row_names
    found = asked.inference.found
    result = Judged(port.framework, model, Judgement(), numbers=numbers, graph=found)
    result.totals = results.Totals(**found.totals)
    result.profiles, result.another = list(asked.explained.profiles), asked.another
    whole = asked.whole
    result.nearly = [
        (profile, list(dict.fromkeys(whole.rows[whole.anchor(each)] for each in exceptions)))
        for profile, exceptions in asked.explained.nearly
    ]
    result.drawing = {
        "expected": written(GraphRow.of(asked.inference.expected)),
        "found": written(GraphRow.of(found)),
        "pairs": {str(a): b for a, b in asked.inference.pairs.items()},
    }
    parts = faults.apart(structure.check(asked), faults.check(asked))
    parts += [trained_mode.untaught(asked), precision.check(asked), order.check(asked)]
    if not asked.untraceable:  # auxiliary heads may be read in training
        pieces = [each for node in found for some in node.parameters.values() for each in some]
        counted = {piece.handle for piece in pieces}
        parts.append(idle.check(asked.tape, asked.taught, asked.port.trains, counted))
    if numbers and sizes.alone(asked.tape):
        result.judgement = Judgement.of(parts, expect, rows, variant=bool(result.profiles))
        seen(result)
        parts += _run(asked, parts, expect, trained, result)
    elif numbers:
        parts.append(Part(unjudged=[Unjudged("forward", "values: it takes no single image")]))
    result.judgement = Judgement.of(parts, expect, rows, variant=bool(result.profiles))
    return result


def _run(
    asked: Subject, before: list[Part], expect: Sequence[str], loaded: bool, result: Judged
) -> list[Part]:
    """What is found by running the port and by looking at what it stores."""
    rows = asked.model.row_names
    surplus = Judgement.of(before, expect, rows).findings
    asked.explained_all = not surplus
    try:
        ran = forward.check(asked, surplus)
    except UntraceableModel as refused:
        if not surplus:
            raise
        return [Part(planned=1, open=[Unjudged("forward", str(refused))])]
    result.forward, result.drawing["parity"] = ran.summary, {"nodes": ran.nodes}
    _explain(before, ran.summary)
    if ran.part.settled:  # what no rule has read is what it stands for
        result.totals = results.Totals(**asked.side().found.totals)
    elif ran.summary and ran.summary.first_divergence:
        _doubt(before, asked.inference.found)
    parts = [ran.part]
    so_far = Judgement.of([*before, *parts], expect, rows)
    right = not so_far.findings and not so_far.open
    with trained_mode.ahead(asked, right) as step:
        start, profiles = initialisation.check(asked, loaded, ran.part.settled)
        if right and ran.parity:  # in the very model whose values have been looked at
            parts.append(plain.check(asked, ran.parity))
        result.profiles += [each for each in profiles if each not in result.profiles]
        return [*parts, *(trained_mode.check(asked, step) if right else ()), start]


def _explain(parts: list[Part], summary: results.Forward | None) -> None:
    """The structure has said what differs where values part; numbers say why, once."""
    if not summary or not (why := vanishes(summary.causes or (), "")):
        return
    for part in parts:
        for number, each in enumerate(part.findings):
            if each.node == summary.first_divergence and not each.hint:
                part.findings[number] = replace(each, hint=why)
                return


def _doubt(parts: list[Part], found: Graph) -> None:
    """What stands in place of a layer and reads stored arrays may be that layer: nobody knows which
    array is which, so that values that differ say nothing unless a cause explains them."""
    paths = {str(node.where): node.where.path for node in found}
    places = {node.where.path for node in found.unknown if node.parameters}
    for part in parts:
        part.findings = [
            each
            for each in part.findings
            if each.attribute != OPERATION
            or paths.get(each.port_node) not in places
            or not each.expected
            or (each.hint and each.hint != vanishes([HALVES], ""))
        ]
