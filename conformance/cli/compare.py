"""``conformance compare``: two ports with their own weights, layer by layer."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

from conformance import errors as codes
from conformance.cli.output import Output, Told
from conformance.cli.pair import apart, sides
from conformance.graph.align import Finding
from conformance.graph.model import Graph
from conformance.judge.compare import DIFFER, SAME, Comparison, SlotPair, compare
from conformance.numbers.activations import ResultPair
from conformance.numbers.own_weights import Side

CODES = {SAME: codes.CONFORMS, DIFFER: codes.DEVIATES}
COLOURS = {SAME: "green", DIFFER: "red"}

#: How many differences are shown on the terminal; the result has them all.
ROWS = 12
#: How many of them are shown as the cause of the first divergence.
CAUSES = 3

Json = dict[str, Any]


class Found(NamedTuple):
    """A difference in words, and at which nodes of A and B."""

    a: int | None
    b: int | None
    json: Json


def run(options: Namespace) -> int:
    """Compare, show what differs, and say where the two first part."""
    output = Output(options.json)
    found = apart("cli.compare", options, output)
    output.again(found["told"])
    output.result(found["result"])
    return CODES.get(found["result"]["verdict"], codes.INCONCLUSIVE)


def work(job: Json, say: Callable[..., None]) -> Json:
    """The job of the process that holds the two: what was found, and in words."""
    a, b = sides(job, say)
    output = Told()
    found = compare(a, b, lambda done, total: say("comparing", done, total))
    findings = [
        *(Found(f.expected_node, f.found_node, _structure(a, b, f)) for f in found.structure),
        *(_found(a, b, each) for each in found.slots if not each.relation.equal),
    ]
    for side, letter in ((a, "A"), (b, "B")):
        count = side.graph.parameters("with running statistics")
        said = f"{len(side.graph)} nodes, {count:,} numbers"
        output.line(f"{letter}  {side.name} ({side.port.framework}): {said}")
    output.line()
    _table([each.json for each in findings], output)
    for line in _results(a, b, found, findings):
        output.line(line)
    output.line(_verdict(found), style=COLOURS.get(found.verdict, "yellow"))
    return {"told": output.lines, "result": _result(a, b, found, findings)}


def _found(a: Side, b: Side, each: SlotPair) -> Found:
    if each.training:  # no node of inference, so it cannot be behind what inference shows
        return Found(None, None, _slot(a, b, each))
    return Found(each.a, each.b, _slot(a, b, each))


def _structure(a: Side, b: Side, each: Finding) -> Json:
    return {
        "check": "structure",
        "node": a.at(each.expected_node),
        "port_node": b.at(each.found_node),
        "attribute": each.attribute,
        "expected": _plain(each.expected),
        "found": _plain(each.found),
        "hint": "",
    }


def _plain(value: Any) -> Any:
    """A value that JSON has: an infinite padding has no number there."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _slot(a: Side, b: Side, each: SlotPair) -> Json:
    found = each.relation
    return {
        "check": "weights",
        "node": a.at(each.a, each.training),
        "port_node": b.at(each.b, each.training),
        "attribute": each.slot,
        "expected": "equal",
        "found": found.word,
        "difference": found.difference if isfinite(found.difference) else None,
        "hint": found.detail,
    }


def _table(findings: list[Json], output: Told) -> None:
    """What differs, in the order in which an image meets it; the same thing all over only once."""
    alike: dict[tuple[str, str], list[Json]] = {}
    for each in findings:
        how = _said(each) if each["check"] == "structure" or each["hint"] else each["found"]
        alike.setdefault((each["attribute"], how), []).append(each)
    rows = []
    for first, *others in list(alike.values())[:ROWS]:
        there = "same" if first["port_node"] == first["node"] else first["port_node"]
        rest = f" (and {len(others)} more like it)" if others else ""
        row = (first["node"] or "-", there or "-", first["attribute"], _said(first) + rest)
        rows.append(row)
    if rows:
        output.table(("in A", "in B", "what", "how it differs"), rows)
        if (more := len(alike) - ROWS) > 0:
            output.line(f"and {more} more: --json FILE has them all")
        output.line()


def _said(each: Json) -> str:
    if each["check"] == "structure":
        if each["attribute"] in ("missing", "extra"):
            return (
                f"{each['expected'] or each['found']} is only in {'A' if each['expected'] else 'B'}"
            )
        return f"{_short(each['expected'])} in A, {_short(each['found'])} in B"
    by = each["difference"]
    largest = f"by up to {by:.2g}" if by is not None else ""
    return ": ".join(part for part in (each["found"], each["hint"] or largest) if part)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _results(a: Side, b: Side, found: Comparison, findings: list[Found]) -> list[str]:
    """Counts of all three checks, and where the activations part."""
    equal = sum(each.relation.equal for each in found.slots)
    agree = sum(each.agrees for each in found.results)
    kinds = Counter(each.relation.word for each in found.slots if not each.relation.equal)
    rest = "".join(f", {count} {word}" for word, count in sorted(kinds.items()))
    count = len(found.structure)
    lines = [
        f"structure:   {count or 'no'} difference{'' if count == 1 else 's'}",
        f"weights:     {equal} of {len(found.slots)} slots are equal{rest}",
        f"activations: {agree} of {len(found.results)} results agree in float64",
    ]
    if agree and not found.parted:
        worst = max(found.results, key=lambda each: each.error / each.bound)
        lines[-1] += (
            f", to {worst.error:.0e} (bound {worst.bound:.0e})" if worst.error else " exactly"
        )
    if found.moved:
        lines.append(f"             {len(found.moved)} of them with channels in another order")
    if parted := found.parted:
        lines += _parting(a, b, found, parted, findings)
    kernels = {each.relation.word for each in found.slots if each.slot == "kernel"}
    if kernels == {"wrong"}:
        lines.append("hint:        no kernel agrees: does either factory draw its weights anew?")
    lines += [f"note:        {note}" for note in found.notes]
    if found.problem:
        lines.append(f"open:        {found.problem}")
    return lines


def _parting(
    a: Side, b: Side, found: Comparison, parted: ResultPair, findings: list[Found]
) -> list[str]:
    at, there = a.at(parted.a), b.at(parted.b)
    kind = a.graph.nodes[parted.a].kind
    error = "not comparable" if not isfinite(parted.error) else f"{parted.error:.0e}"
    lines = [
        f"first to part: {kind} {at}" + (f" ({there} in B)" if there != at else ""),
        f"    error {error}, bound {parted.bound:.0e}; before it at most {found.before:.0g}",
    ]
    if parted.moved:
        lines.append("    an output has its values in another order")
    settled = [each for each in found.results if each.agrees and not each.moved]
    in_a = _unsettled(a.graph, parted.a, {each.a for each in settled})
    in_b = _unsettled(b.graph, parted.b, {each.b for each in settled})
    near = [each for each in findings if each.a in in_a or each.b in in_b]
    causes = [each.json for each in sorted(near, key=lambda each: each.a != parted.a)]
    for each in causes[:CAUSES]:
        where = each["node"] or each["port_node"]
        lines.append(f"    {where} {each['attribute']}: {_said(each)}")
    if not causes:
        lines.append("    what it reads, its weights and its attributes agree")
    return lines


def _unsettled(graph: Graph, index: int, settled: set[int]) -> set[int]:
    """A node, and those before it up to results that agree."""
    found, stack = {index}, [index]
    while stack:
        for source in graph.nodes[stack.pop()].inputs:
            if source not in settled | found:
                found.add(source)
                stack.append(source)
    return found


def _verdict(found: Comparison) -> str:
    checks = f"{found.run:,} of {found.planned:,} checks ran"
    if found.verdict == SAME:
        order = " but for the order of channels inside" if found.moved else ""
        return f"the two are the same{order}; {checks}"
    if found.verdict == DIFFER:
        return f"the two differ; {checks}"
    return f"inconclusive; {checks}"


def _result(a: Side, b: Side, found: Comparison, findings: list[Found]) -> Json:
    """The result for programs."""
    parted = found.parted
    return {
        "schema": 1,
        "a": {"port": a.name, "framework": a.port.framework},
        "b": {"port": b.name, "framework": b.port.framework},
        "input": list(a.graph.nodes[a.graph.inputs[0]].shape),
        "verdict": found.verdict,
        "findings": [each.json for each in findings],
        "first_divergence": parted and _activation(a, b, parted) | {"before": found.before},
        "activations": [_activation(a, b, each) for each in found.results],
        "notes": found.notes,
        "open": [found.problem] if found.problem else [],
        "checks": {"planned": found.planned, "run": found.run},
    }


def _activation(a: Side, b: Side, each: ResultPair) -> Json:
    """One pair of results; an error or bound that is no number is null."""
    return {
        "node": a.at(each.a),
        "port_node": b.at(each.b),
        "kind": a.graph.nodes[each.a].kind,
        "error": each.error if isfinite(each.error) else None,
        "bound": each.bound if isfinite(each.bound) else None,
        "agrees": each.agrees,
        "moved": each.moved,
    }
