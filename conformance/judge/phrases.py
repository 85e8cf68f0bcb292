"""Findings and numbers in words, for whoever writes them down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import ascii_lowercase
from typing import Any, TypeVar

from msgspec import UNSET

from conformance.judge import results
from conformance.judge.finding import DEVIATES, DIFFER, Finding, Remark
from conformance.values import text

Place = TypeVar("Place", Finding, Remark)
#: What a baseline may know.
Judged = results.Gate | results.Compare | results.Network


def causes(findings: Iterable[Place]) -> list[list[Place]]:
    """Findings by root cause: one wrong default in fifty layers is shown once."""
    groups: dict[str, list[Place]] = {}
    for finding in findings:
        # Of what was measured the error is another at every node; what makes it vanish is not.
        measured: bool = getattr(finding, "inherited", UNSET) is not UNSET
        alike = ("check", "kind", "attribute", *(("hint",) if measured else ("expected", "found")))
        key = repr([getattr(finding, name, None) for name in alike])
        if getattr(finding, "check", "") == "initialisation":
            key = re.sub(r"[\d.,e-]*\d", "#", key)  # one scheme gives every kernel its own spread
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
        places = list(dict.fromkeys(each.node for each in group if each.node != first.node))
        shown = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
        more = f"at {len(group) - 1} more like it: {shown}"
        said.append(f"  and {more if places else f'{len(group) - 1} more in the same place'}")
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


def divergence(forward: results.Forward) -> str:
    """Where values differ first, by how much, and how well all before agrees."""
    size, at = _size(forward.error), forward.first_divergence or ""
    at = at if at.startswith("after ") else f"at {at}"
    where = f" ({forward.port_node})" if forward.port_node else ""
    apart = f"{size} in float64, bound {forward.bound:.0e}" if forward.error is not None else size
    before = f"to {forward.before:.0e}" if forward.before else "exactly"
    rest = f"; everything before agrees {before}" if forward.compared > 1 else ""
    return f"first divergence {at}{where}: {apart}{rest}"


def _size(error: float | None) -> str:
    return f"{error:.1e}" if error is not None else "another shape, or no number"


def agreed(forward: results.Forward) -> str:
    """How many nodes agree, and how well."""
    return (
        f"{forward.compared} nodes agree to {forward.error:.0e} in float64"
        f" (bound {forward.bound:.0e})"
    )


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


def is_known(result: Judged) -> bool:
    """Whether a baseline knew all that there is to find."""
    deviates = result.verdict in (DEVIATES, DIFFER)
    return deviates and result.baseline is not UNSET and not result.findings
