"""What the pages say in words: marks and verdicts, claims and nodes, what kept things apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape

from conformance.reference.claims import LISTED, named
from conformance.reports.cells import above, below, text
from conformance.reports.results import Json

#: How a status is shown in a cell, and what it means.
MARKS = {
    "confirmed": ("✓", "what is built, or what the formula comes to, to the last printed digit"),
    "rounded": ("≈", "the same, with digits cut off where rounding would have raised the last"),
    "ambiguous": ("±", "true by one reading of the words, and another reading holds"),
    "contradicted": ("≠", "refuted; the number that holds is given, with the reason"),
    "deviates": ("✗", "neither the print nor a dispute agrees with what is built: a fault here"),
    "unmeasured": ("∅", "not checked by any run; the front page says why"),
    "cited": ("·", "nothing here can check it: accuracies, dates, choices of a training"),
}

#: The same for a verdict.
SIGNS = {
    "conforms": "✓",
    "conforms-as-variant": "✓",
    "deviates": "✗",
    "inconclusive": "?",
    "not run": "–",
    # of two ports
    "same": "✓",
    "differ": "✗",
}

VERDICTS = {word: f"{sign} {word}" for word, sign in SIGNS.items()} | {"deviates": "**✗ deviates**"}


def blocks(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block)


def folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def prose(words: str) -> str:
    """The reference's own Markdown, without HTML."""
    return escape(words, quote=False)


def of(some: int, all_: int) -> str:
    return f"{some:,} of {all_:,}"


def count(some: int, thing: str) -> str:
    return f"{some:,} {thing}" if some == 1 else f"{some:,} {thing}s"


def agreeing(network: Json) -> str:
    pairs = [each["agrees"] for each in network["agreement"]]
    if not pairs:
        return "–"
    return "✓" if all(pairs) else f"**✗ {of(sum(pairs), len(pairs))}**"


def subject(claim: Json, counted: bool = False) -> str:
    """What a claim speaks of, with its convention where that is asked for."""
    quantity = named(claim["quantity"], claim["convention"])
    words = [claim["model"], claim["layer"], claim["subject"]]
    said = " ".join(word for word in words if word)
    if claim["quantity"] not in ("cited", "number") and not said.endswith(quantity):
        said = f"{said} {quantity}".strip()
    convention = claim["convention"]
    told = not counted or not convention or convention.endswith(quantity)
    return said if told else f"{said} ({convention})"


def counted(claim: Json) -> str:
    """The number that holds, with its thousands apart."""
    counted: str = claim["counted"]
    return f"{int(counted):,}" if counted.isdecimal() else counted


def literal(claim: Json) -> bool:
    """Whether the print is all that there is to say: confirmed, and not rounded or a formula."""
    plain = claim["printed"].replace(",", "").replace("x", "").replace("×", "").replace(" ", "")
    exact = claim["quantity"] in LISTED or plain.isdecimal() or plain.isalpha()
    return claim["status"] == "confirmed" and exact


def missing(results: Json, claims: Mapping[str, Json]) -> Iterator[str]:
    """Sentences on what no run of a kind checked, and why."""
    for name, checks in results["checks"].items():
        for each in checks["not_run"]:
            found = [claims[id_] for id_ in each["claims"]]
            models = ", ".join(dict.fromkeys(claim["model"] for claim in found))
            yield f"{name}, {each['reason']}: {count(len(found), 'claim')} on {models}"


def place(place: Json) -> str:
    """A node in words: the paper's row, what it is, and the port's own address."""
    where = f" at {place['where']}" if place["where"] else ""
    kind = f"{place['kind']}'s {place['slot']}" if "slot" in place else place["kind"]
    return text(f"{place['row']} {kind} (node {place['node']}){where}".strip())


def parted(model: str, mode: str, label: str, parity: Json) -> Iterator[str]:
    """Sentences on what kept a run from agreeing with the oracle in one mode."""
    subject = f"{text(model)} in {label}" + ("" if mode == "inference" else f", {mode},")
    if parity["problem"]:
        yield f"- {subject}: {text(parity['problem'])}"
    if first := parity["first_divergence"]:
        measured = first["measured"]
        yield (
            f"- {subject} first differs at {place(first)}: error"
            f" {below(measured['error'])}, bound {above(measured['bound'])},"
            f" before it {below(measured['before'])}"
        )
    for arm in parity["controls"]:
        if not arm["caught"]:
            yield (
                f"- {subject}: a control arm was not caught:"
                f" {text(arm['row'])} {text(arm['kind'])}, {text(arm['alteration'])}"
            )


def apart(pair: Json, first: str, second: str) -> Iterator[str]:
    """Sentences on where two runs differ: of each kind of difference the first, and how many."""
    if pair["problem"]:
        yield text(pair["problem"])
    kinds: dict[str, list[Json]] = defaultdict(list)
    for finding in pair["findings"]:
        kinds[finding["attribute"]].append(finding)
    for attribute, found in kinds.items():
        where = place(found[0]["first_node"] or found[0]["second_node"])
        values = f"{text(found[0]['first'])} in {first}, {text(found[0]['second'])} in {second}"
        said = {"missing": f"only {first} has {where}", "extra": f"only {second} has {where}"}
        more = f" (and {count(len(found) - 1, 'more node')})" if len(found) > 1 else ""
        told = said.get(attribute, f"{text(attribute)} of {where}: {values}") + more
        yield told if found[0]["mode"] == "inference" else f"in training, {told}"
    if part := pair["first_divergence"]:
        yield f"the values first part at {place(part)}"
