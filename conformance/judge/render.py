"""A gate's result for people: a few lines in a terminal, a block for a pull request, a badge."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

from conformance.judge.hints import vanishes
from conformance.judge.port import CONFORMS, DEVIATES, VARIANT
from conformance.judge.variants import text

Json = dict[str, Any]

#: How many root causes are shown; the result has them all.
SHOWN = 12

COLOURS = {CONFORMS: "brightgreen", VARIANT: "green", DEVIATES: "red"}

#: What differs at a node, as it is said of it.
WORDS = {"missing": "is missing", "extra": "is extra", "value": "computes something else"}


def headline(result: Json) -> str:
    """The verdict in one line."""
    verdict = result["verdict"].replace("-as-variant", " as")
    if result["verdict"] == VARIANT:
        verdict += f" {result['variant']}"
    elif result["verdict"] == DEVIATES and is_known(result):
        verdict += ", but in nothing new"
    return f"{result['port']} ({result['framework']}) and {result['architecture']}: {verdict}"


def is_known(result: Json) -> bool:
    """Whether a baseline knew all that there is to find."""
    return "baseline" in result and not result["findings"]


def causes(findings: list[Json]) -> list[list[Json]]:
    """Findings by root cause: one wrong default in fifty layers is told once."""
    groups: dict[str, list[Json]] = {}
    for finding in findings:
        # Of what was measured the error is another at every node; what makes it vanish is not.
        measured = "inherited" in finding
        alike = ("check", "kind", "attribute", *(("hint",) if measured else ("expected", "found")))
        groups.setdefault(repr([finding[name] for name in alike]), []).append(finding)
    return list(groups.values())


def lines(result: Json) -> list[str]:
    """The verdict and what it rests on, a line each."""
    told = [headline(result)]
    told += [f"  {each['name']}: {each['says']} [{each['source']}]" for each in result["variants"]]
    if other := result["another"]:
        told.append(
            f"  it is {other['name']}, another network: {other['says']} [{other['source']}]"
        )
    groups = causes(result["findings"])
    for group in groups[:SHOWN]:
        told += [f"  {line}" for line in cause(group)]
    if len(groups) > SHOWN:
        told.append(f"  and {len(groups) - SHOWN} more root causes: --json FILE has them all")
    if result["forward"]:
        told.append(f"  {_forward(result)}")
    told += [f"  open: {sentence}" for sentence in result["open"]]
    told += [f"  not judged: {sentence}" for sentence in result["unjudged"]]
    if groups and groups[0][0]["source"]:
        told.append(f"  the paper: {groups[0][0]['source']}")
    checks, totals = result["checks"], result["totals"]
    told.append(
        f"  {totals['parameters']:,} parameters, {totals['multiply_adds']:,} multiply-adds,"
        f" {totals['layers']} layers; {checks['run']:,} of {checks['planned']:,} checks ran"
    )
    return told


def cause(group: list[Json]) -> list[str]:
    """One root cause: where, what, why, and where the paper says so."""
    first = group[0]
    mode = " in training" if first["check"] == "training" else ""
    said = [f"{first['node']}: {difference(first)}{mode}"]
    if first["port_node"]:
        said.append(f"  in {first['port_node']}")
    if len(group) > 1:
        places = [each["node"] for each in group[1:]]
        shown = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
        said.append(f"  and at {len(places)} more like it: {shown}")
    if first["hint"]:
        said.append(f"  {first['hint']}")
    if inherited := sum(each.get("inherited", 0) for each in group):
        them = "it" if len(group) == 1 else "them"
        inherit = "node inherits" if inherited == 1 else "nodes inherit"
        said.append(f"  {inherited} {inherit} the error from {them}")
    return said


def difference(finding: Json) -> str:
    """What differs: ``stride is 2x2, expected 1x1``."""
    kind, attribute = finding["kind"].replace("_", " "), finding["attribute"]
    if finding["check"] == "initialisation":
        return f"{attribute} of {kind}: {finding['found']}"
    if finding["check"] == "gradient":
        return f"the gradient of {kind} is wrong, by {_size(finding['found'])}"
    if finding["check"] == "training" and attribute in ("value", "mean", "variance"):
        if isinstance(finding["found"], bool):  # whether a step has it at all
            return f"running {attribute} of {kind} is {'' if finding['found'] else 'not '}updated"
        what = "values" if attribute == "value" else f"running {attribute}"
        verb = "are" if attribute == "value" else "is"
        return f"{what} of {kind} {verb} off by {_size(finding['found'])}"
    if attribute in WORDS:
        return f"{kind} {WORDS[attribute]}"
    if attribute in ("order", "kind"):
        want, have = (_listed(finding[side]) for side in ("expected", "found"))
        return f"the {attribute} is {have}, expected {want}"
    want, have = (text(finding[side]) or "none" for side in ("expected", "found"))
    return f"{attribute} of {kind} is {have}, expected {want}"


def _listed(value: Any) -> str:
    """Kinds one after the other, or branches by their letters."""
    if not isinstance(value, list | tuple):
        return str(value).replace("_", " ")
    named = (ascii_lowercase[each] if isinstance(each, int) else each or "?" for each in value)
    return ", ".join(str(name).replace("_", " ") for name in named)


def _forward(result: Json) -> str:
    """How well the values agree, or where they part first; why, if no finding has said so."""
    forward = result["forward"]
    if not forward["first_divergence"]:
        return agreed(forward)
    why = vanishes(forward.get("causes", ()), "")
    told = not why or any(each["hint"] == why for each in result["findings"])
    return divergence(forward) if told else f"{divergence(forward)}; {why}"


def divergence(forward: Json) -> str:
    """Where values part first, by how much, and how well all before agrees."""
    size = _size(forward["error"])
    return (
        f"first divergence at {forward['first_divergence']} ({forward['port_node']}): {size} in"
        f" float64, bound {forward['bound']:.0e}; everything before agrees to"
        f" {forward['before']:.0e}"
    )


def _size(error: float | None) -> str:
    return f"{error:.1e}" if error is not None else "another shape, or no number"


def agreed(forward: Json) -> str:
    """How many nodes agree, and how well."""
    return (
        f"{forward['compared']} nodes agree to {forward['error']:.0e} in float64"
        f" (bound {forward['bound']:.0e})"
    )


def markdown(result: Json) -> str:
    """A block for a job summary: under a screen when green, a block a root cause when red."""
    marks = {CONFORMS: "✅", VARIANT: "✅", DEVIATES: "⚠️" if is_known(result) else "❌"}
    mark = marks.get(result["verdict"], "⚠️")
    told = [f"### {mark} {_plain(headline(result))}", ""]
    told += [
        f"- **{_plain(each['name'])}**: {_plain(each['says'])} ({_plain(each['source'])})"
        for each in result["variants"]
    ]
    if other := result["another"]:
        said = f"it is {other['name']}, another network: {other['says']} ({other['source']})"
        told.append(f"- {_plain(said)}")
    groups = causes(result["findings"])
    for group in groups[:SHOWN]:
        first, *rest = cause(group)
        told += [f"- **{_plain(first)}**", *(f"  {_plain(line.strip())}  " for line in rest)]
    if len(groups) > SHOWN:
        told.append(f"- and {len(groups) - SHOWN} more root causes")
    told += [f"- open: {_plain(sentence)}" for sentence in result["open"]]
    told += [f"- not judged: {_plain(sentence)}" for sentence in result["unjudged"]]
    if result["forward"]:
        told += ["", _plain(_forward(result))]
    checks = result["checks"]
    told += ["", f"{checks['run']:,} of {checks['planned']:,} checks ran."]
    return "\n".join(told) + "\n"


def badge(result: Json) -> Json:
    """What a shields.io endpoint answers."""
    return {
        "schemaVersion": 1,
        "label": result["architecture"],
        "message": result["verdict"].replace("-as-variant", f" as {result['variant']}"),
        "color": COLOURS.get(result["verdict"], "lightgrey"),
    }


def _plain(words: str) -> str:
    """Words in which nothing is Markdown or HTML, whatever a port is called."""
    for mark in "\\`*_{}[]<>#|~":
        words = words.replace(mark, f"\\{mark}" if mark not in "<>" else f"&{'lg'[mark == '>']}t;")
    return words.replace("\n", " ")
