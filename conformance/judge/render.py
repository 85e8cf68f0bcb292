"""Results for people, from the JSON of a command: a terminal's lines, Markdown, a badge.

A result becomes a :class:`Document`, and a document is written in either form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any, TypeVar

from msgspec import UNSET

from conformance.judge import results
from conformance.judge.finding import (
    CONFORMS,
    DEVIATES,
    DIFFER,
    SAME,
    VARIANT,
    Finding,
    Remark,
)
from conformance.judge.hints import vanishes
from conformance.values import text

Place = TypeVar("Place", Finding, Remark)
#: What a baseline may know.
Judged = results.Gate | results.Compare | results.Network

#: How many root causes are shown; the result has them all.
SHOWN = 12

#: How many differences of a candidate.
FEW = 3

MORE = "more root causes: --json FILE has them all"

COLOURS = {CONFORMS: "green", VARIANT: "green", SAME: "green", DEVIATES: "red", DIFFER: "red"}
MARKS = {CONFORMS: "✅", VARIANT: "✅", SAME: "✅", DEVIATES: "❌", DIFFER: "❌"}
BADGE = {CONFORMS: "brightgreen", VARIANT: "green", DEVIATES: "red"}


@dataclass(slots=True)
class Item:
    """One thing to be read: a first line, what belongs to it, and whether it is a finding."""

    first: str
    rest: Sequence[str] = ()
    finding: bool = False


@dataclass(slots=True)
class Document:
    """A verdict in one line, what it rests on, and counts at the end."""

    headline: str
    verdict: str
    items: list[Item] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)
    columns: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    known: bool = False

    @property
    def colour(self) -> str:
        """Of the headline on a terminal."""
        return COLOURS.get(self.verdict, "yellow")

    def lines(self) -> list[str]:
        """Everything behind the headline, for a terminal."""
        said = []
        for item in self.items:
            said += [f"  {item.first}", *(f"    {line}" for line in item.rest)]
        return [*said, *(f"  {line}" for line in self.closing)]

    def markdown(self) -> str:
        """A block for a job summary: under a screen when green, a block a root cause when red."""
        mark = "⚠️" if self.known else MARKS.get(self.verdict, "⚠️")
        said = [f"### {mark} {_plain(self.headline)}", ""]
        if self.rows:
            said += [_row(self.columns), _row("---" for _ in self.columns)]
            said += [*(_row(map(_plain, row)) for row in self.rows), ""]
        for item in self.items:
            first = _plain(item.first)
            said.append(f"- **{first}**" if item.finding else f"- {first}")
            said += [f"  {_plain(line.strip())}  " for line in item.rest]
        said += ["", *map(_plain, self.closing)]
        return "\n".join(said) + "\n"


def gate(result: results.Gate) -> Document:
    """The result of ``conformance gate``."""
    found = Document(headline(result), result.verdict, known=is_known(result))
    found.items = [Item(f"{each.name}: {each.says} [{each.source}]") for each in result.variants]
    found.items += [
        Item(f"{each.name}, but not in {', '.join(each.but_not_in)}: {each.says}")
        for each in result.nearly
    ]
    found.items += items(result)
    if result.forward:
        found.closing.append(_forward(result, result.forward))
    if source := next((each.source for each in result.findings if each.source), ""):
        found.closing.append(f"the paper: {source}")
    totals = result.totals
    found.closing.append(
        f"{totals.parameters:,} parameters, {totals.multiply_adds:,} multiply-adds,"
        f" {totals.layers} layers; {ran(result)}"
    )
    found.closing += baseline(result)
    return found


def check(result: results.Check) -> Document:
    """The result of ``conformance check``, a row a network."""
    count = len(result.results)
    checked = f"{count} network{'' if count == 1 else 's'}: {result.verdict}"
    found = Document(checked, result.verdict, closing=[f"{ran(result)}."])
    found.columns = ("architecture", "framework", "verdict")
    for row in result.results:
        found.rows.append((row.architecture, row.framework, row.verdict))
        found.items += [Item(each, finding=True) for each in sentences(row)]
        found.closing += baseline(row)
    return found


def sentences(row: results.Network) -> list[str]:
    """What is wrong with one of our networks, and what stays open."""
    return [each.said for each in row.findings] + [each.why for each in row.open]


def identify(result: results.Identify) -> Document:
    """The result of ``conformance identify``: the candidates, and which one it is."""
    who, best = f"{result.port} ({result.framework})", result.candidates[0]
    named = f"{best.architecture}{_as(best)}"
    if best.another is not UNSET:
        named = f"{best.another.name}, another network that bears {best.architecture}'s name"
    found = Document(
        f"{who} is none of them; the nearest is {named}"
        if best.findings
        else f"{who} has the structure of {named}",
        result.verdict,
        columns=("architecture", "differences", "which"),
    )
    for each in result.candidates:
        groups = causes(each.findings)
        said = [f"{group[0].node}: {difference(group[0])}" for group in groups[:FEW]]
        more = [f"and {len(groups) - FEW} more"] if len(groups) > FEW else []
        count = str(each.differences)
        found.rows.append((f"{each.architecture}{_as(each)}", count, "; ".join([*said, *more])))
    found.items = [
        Item(f"left out: {', '.join(each.architectures)}: {each.why}") for each in result.left_out
    ]
    return found


def compare(result: results.Compare) -> Document:
    """The result of ``conformance compare``: what differs, in the order an image meets it."""
    same = "the two are the same" + (" but for the order of channels inside" * _moved(result))
    said = {SAME: same, DIFFER: "the two differ"}.get(result.verdict, "inconclusive")
    if is_known(result):
        said += " (no new findings)"
    found = Document(f"{said}; {ran(result)}", result.verdict, known=is_known(result))
    found.columns = ("in A", "in B", "what", "how it differs")
    groups: dict[tuple[str, str], list[Finding]] = {}
    for each in (f for f in result.findings if f.check != "forward"):
        how = each.found if each.check == "weights" and not each.hint else apart(each)
        groups.setdefault((each.attribute, str(how)), []).append(each)
    for first, *others in list(groups.values())[:SHOWN]:
        there = "same" if first.port_node == first.node else first.port_node
        rest = f" (and {len(others)} more like it)" if others else ""
        row = (first.node or "-", there or "-", first.attribute, apart(first) + rest)
        found.rows.append(row)
    if (more := len(groups) - SHOWN) > 0:
        found.closing.append(f"and {more} more: --json FILE has them all")
    found.closing += [*_counted(result), *_parting(result), *_around(result), *baseline(result)]
    return found


def _moved(result: results.Compare) -> bool:
    return any(each.moved and each.agrees for each in result.activations)


def apart(each: Finding) -> str:
    """How two ports differ at a place."""
    if each.check == "structure":
        want, have = each.expected, each.found
        if each.attribute in ("missing", "extra"):
            return f"{want or have} is only in {'A' if want else 'B'}"
        return f"{_short(text(want) or 'none')} in A, {_short(text(have) or 'none')} in B"
    by = each.difference
    largest = f"by up to {by:.2g}" if by is not UNSET else ""
    return ": ".join(part for part in (each.found, each.hint or largest) if part)


def _short(words: str) -> str:
    return words if len(words) <= 40 else f"{words[:37]}..."


def _counted(result: results.Compare) -> list[str]:
    """Counts of all three checks."""
    structure = sum(each.check == "structure" for each in result.findings)
    slots, values = result.slots, result.activations
    rest = "".join(f", {n} {word}" for word, n in slots.items() if word != "equal")
    agree = sum(each.agrees for each in values)
    lines = [
        f"structure:   {structure or 'no'} difference{'' if structure == 1 else 's'}",
        f"weights:     {slots.get('equal', 0)} of {sum(slots.values())} slots are equal{rest}",
        f"activations: {agree} of {len(values)} results agree in float64",
    ]
    if agree == len(values) and values:
        worst = max(values, key=lambda each: (each.error or 0) / (each.bound or 1))
        error = f", to {worst.error or 0:.0e} (bound {worst.bound or 0:.0e})"
        lines[-1] += error if worst.error else " exactly"
    if moved := sum(bool(each.moved) and each.agrees for each in values):
        lines.append(f"             {moved} of them with channels in another order")
    return lines


def _parting(result: results.Compare) -> list[str]:
    """Where the activations differ first, and what may be behind it."""
    if not (first := result.first_divergence):
        return []
    at, there = first.node, first.port_node
    error = "not comparable" if first.error is None else f"{first.error:.0e}"
    bound = "none" if first.bound is None else f"{first.bound:.0e}"
    lines = [
        f"first divergence: {first.kind} {at}" + (f" ({there} in B)" if there != at else ""),
        f"    error {error}, bound {bound}; before it at most {first.before:.0g}",
    ]
    if first.moved:
        lines.append("    an output has its values in another order")
    for each in first.causes[:FEW]:
        where = each.node or each.port_node
        lines.append(f"    {where} {each.attribute}: {apart(each)}")
    if not first.causes:
        lines.append("    what it reads, its weights and its attributes agree")
    return lines


def _around(result: results.Compare) -> list[str]:
    """Notes, remarks and what could not be compared."""
    lines = [f"note:        {note}" for note in result.notes]
    lines += [
        f"remark:      {': '.join(filter(None, (each.node, each.hint)))}" for each in result.remarks
    ]
    return lines + [f"open:        {each.why}" for each in result.open]


def _as(candidate: results.Candidate) -> str:
    return f" as {candidate.variant}" if candidate.variant else ""


def items(result: results.Gate) -> list[Item]:
    """What a judgement found: causes first, then what was not settled, and remarks."""
    groups = causes(result.findings)
    found = [_item(group) for group in groups[:SHOWN]]
    if len(groups) > SHOWN:
        found.append(Item(f"and {len(groups) - SHOWN} {MORE}"))
    found += [Item(f"open: {each.why}") for each in result.open]
    found += [Item(f"not checked: {each.why}") for each in result.unjudged]
    return found + [_remark(group) for group in causes(result.remarks)]


def _item(group: list[Finding]) -> Item:
    first, *rest = cause(group)
    return Item(first, [line.strip() for line in rest], finding=True)


def _remark(group: list[Remark]) -> Item:
    first, *others = group
    more = f" (and {len(others)} more like it)" if others else ""
    said = first.hint or difference(first)
    return Item(f"remark: {first.node or first.port_node}: {said}{more}")


def ran(result: Judged | results.Check) -> str:
    """How many checks ran."""
    checks = result.checks
    return f"{checks.run:,} of {checks.planned:,} checks ran"


def baseline(result: Judged) -> list[str]:
    """What a baseline knew, if there is one."""
    if result.baseline is UNSET:
        return []
    known, gone = result.baseline.known, len(result.baseline.gone)
    return [f"baseline: {known} known finding{'' if known == 1 else 's'}, {gone} fixed"]


def headline(result: results.Gate) -> str:
    """The verdict in one line."""
    verdict = result.verdict.replace("-as-variant", " as")
    if result.verdict == VARIANT:
        verdict += f" {result.variant}"
    elif is_known(result):
        verdict += " (no new findings)"
    return f"{result.port} ({result.framework}) and {result.architecture}: {verdict}"


def is_known(result: Judged) -> bool:
    """Whether a baseline knew all that there is to find."""
    deviates = result.verdict in (DEVIATES, DIFFER)
    return deviates and result.baseline is not UNSET and not result.findings


def causes(findings: Iterable[Place]) -> list[list[Place]]:
    """Findings by root cause: one wrong default in fifty layers is shown once."""
    groups: dict[str, list[Place]] = {}
    for finding in findings:
        # Of what was measured the error is another at every node; what makes it vanish is not.
        measured: bool = getattr(finding, "inherited", UNSET) is not UNSET
        alike = ("check", "kind", "attribute", *(("hint",) if measured else ("expected", "found")))
        key = repr([getattr(finding, name, None) for name in alike])
        groups.setdefault(key, []).append(finding)
    return list(groups.values())


def cause(group: list[Finding]) -> list[str]:
    """One root cause: where, what and why."""
    first = group[0]
    mode = " (training only)" if first.check == "training" else ""
    said = [first.said or f"{first.node}: {difference(first)}{mode}"]
    if first.port_node:
        said.append(f"  in {first.port_node}")
    if len(group) > 1:
        places = [each.node for each in group[1:]]
        shown = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
        said.append(f"  and at {len(places)} more like it: {shown}")
    if first.hint:
        said.append(f"  {first.hint}")
    if inherited := sum(f.inherited for f in group if f.inherited is not UNSET):
        them = "it" if len(group) == 1 else "them"
        inherit = "node inherits" if inherited == 1 else "nodes inherit"
        said.append(f"  {inherited} {inherit} the error from {them}")
    return said


def difference(finding: Finding | Remark) -> str:
    """What differs: ``stride is 2x2, expected 1x1``."""
    kind, attribute = getattr(finding, "kind", "").replace("_", " "), finding.attribute
    found, check = finding.found, getattr(finding, "check", "")
    match check, attribute:
        case "initialisation", _:
            return f"{attribute} of {kind}: {found}"
        case "gradient", _:
            return f"the gradient of {kind} is wrong, by {_size(found)}"
        case "training", "mean" | "variance" if isinstance(found, bool):
            return f"running {attribute} of {kind} is {'' if found else 'not '}updated"
        case "training", "mean" | "variance":
            return f"running {attribute} of {kind} is off by {_size(found)}"
        case "training", "value":
            return f"values of {kind} are off by {_size(found)}"
        case _, "missing" | "extra":
            return f"{kind} is {attribute}"
        case _, "value":
            return f"{kind} computes something else"
        case _, "order" | "kind":
            return f"the {attribute} is {_listed(found)}, expected {_listed(finding.expected)}"
    want, have = (text(side) or "none" for side in (finding.expected, finding.found))
    if attribute == "inputs":
        return f"inputs of {kind} are {have}, expected {want}"
    return f"{attribute} is {have}, expected {want}"


def _listed(value: Any) -> str:
    """Kinds one after the other, or branches by their letters."""
    if not isinstance(value, list | tuple):
        return str(value).replace("_", " ")
    named = (ascii_lowercase[each] if isinstance(each, int) else each or "?" for each in value)
    return ", ".join(str(name).replace("_", " ") for name in named)


def _forward(result: results.Gate, forward: results.Forward) -> str:
    """How well the values agree, or where they differ first; why, if no finding has said so."""
    if not forward.first_divergence:
        return agreed(forward)
    why = vanishes(forward.causes or (), "")
    said = not why or any(each.hint == why for each in result.findings)
    return divergence(forward) if said else f"{divergence(forward)}; {why}"


def divergence(forward: results.Forward) -> str:
    """Where values differ first, by how much, and how well all before agrees."""
    size, at = _size(forward.error), forward.first_divergence or ""
    before = 0.0 if forward.before is UNSET else forward.before
    at = at if at.startswith("after ") else f"at {at}"
    return (
        f"first divergence {at} ({forward.port_node}): {size} in"
        f" float64, bound {forward.bound:.0e}; everything before agrees to"
        f" {before:.0e}"
    )


def _size(error: float | None) -> str:
    return f"{error:.1e}" if error is not None else "another shape, or no number"


def agreed(forward: results.Forward) -> str:
    """How many nodes agree, and how well."""
    return (
        f"{forward.compared} nodes agree to {forward.error:.0e} in float64"
        f" (bound {forward.bound:.0e})"
    )


def badge(result: results.Gate) -> dict[str, Any]:
    """What a shields.io endpoint answers."""
    return {
        "schemaVersion": 1,
        "label": result.architecture,
        "message": result.verdict.replace("-as-variant", f" as {result.variant}"),
        "color": BADGE.get(result.verdict, "lightgrey"),
    }


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(words: str) -> str:
    """Words in which nothing is Markdown or HTML, whatever a port is called."""
    for mark in "\\`*_{}[]<>#|~":
        words = words.replace(mark, f"\\{mark}" if mark not in "<>" else f"&{'lg'[mark == '>']}t;")
    return words.replace("\n", " ")
