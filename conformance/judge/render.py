"""Results for people, from the JSON of a command: each becomes a :class:`.Document`, or a badge."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from conformance.judge import results
from conformance.judge.document import Document, Item
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
from conformance.judge.phrases import (
    agreed,
    baseline,
    cause,
    causes,
    difference,
    divergence,
    is_known,
    ran,
)
from conformance.values import text

#: How many root causes are shown; the result has them all.
SHOWN = 12

#: How many differences of a candidate.
FEW = 3

MORE = "more root causes: --json FILE has them all"

BADGE = {CONFORMS: "brightgreen", VARIANT: "green", DEVIATES: "red"}


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


def headline(result: results.Gate) -> str:
    """The verdict in one line."""
    verdict = result.verdict.replace("-as-variant", " as")
    if result.verdict == VARIANT:
        verdict += f" {result.variant}"
    elif is_known(result):
        verdict += " (no new findings)"
    return f"{result.port} ({result.framework}) and {result.architecture}: {verdict}"


def _forward(result: results.Gate, forward: results.Forward) -> str:
    """How well the values agree, or where they differ first; why, if no finding has said so."""
    if not forward.first_divergence:
        return agreed(forward)
    why = vanishes(forward.causes or (), "")
    said = not why or any(each.hint == why for each in result.findings)
    return divergence(forward) if said else f"{divergence(forward)}; {why}"


def badge(result: results.Gate) -> dict[str, Any]:
    """What a shields.io endpoint answers."""
    return {
        "schemaVersion": 1,
        "label": result.architecture,
        "message": result.verdict.replace("-as-variant", f" as {result.variant}"),
        "color": BADGE.get(result.verdict, "lightgrey"),
    }
