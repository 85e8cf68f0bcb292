"""Precisions: how far off results may be in each, how far they are, and what each cannot see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from conformance.numbers.precision import PRECISIONS
from conformance.reports.cells import above, below, table, text
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import blocks, of, parted
from conformance.trace.port import PLAIN

DERIVED = (
    "Float64 decides. In a lower precision the same weights and images, rounded to what it can"
    " store, go through the same network, and through the oracle twice: in float64, and in that"
    " precision, where whatever a framework may store is rounded. The difference of the two is"
    " what the precision *costs* this network up to each node. A result passes while it is nearer,"
    " on a logarithmic scale, to that cost than to what the next coarser precision would cost,"
    " which is the ratio of the two unit roundoffs away: the bound is the cost times the square"
    " root of that ratio. So what was computed in a coarser precision than it says does not pass."
    " Nothing is finer than float64 to measure its cost with: that is float32's, brought down by"
    " the ratio of the two roundoffs."
)


def page(view: View) -> str:
    """The formats and their bounds, what was measured in each, and what each does not tell."""
    return blocks(
        "# Precisions",
        DERIVED,
        _formats(),
        "## Measured",
        "The result that came nearest to its bound: its error and the bound, as the largest"
        " difference over the root mean square of the node. `compiled` is what the framework's"
        " compiler makes of the network, of which the outputs are compared. *finer*: even this"
        " result is nearer to what the next finer precision costs: that one computed the network,"
        " as where a GPU has no TF32 for its shapes.",
        _measured(view) or "No run has computed in anything but float64, step by step.",
        "\n".join(_parted(view)),
        "## Told apart",
        "Control arms: a node that was computed wrongly on purpose. A lower precision does not see"
        " all of them, which is why it does not decide.",
        _seen(view),
    )


def summary(view: View) -> str:
    """In how many networks each way to execute them was compared."""
    count: dict[str, int] = defaultdict(int)
    for _, _, ways in _executions(view):
        for way in ways:
            count[way] += 1
    return ", ".join(f"{way} {times:,} times" for way, times in count.items()) or "none"


def _executions(view: View) -> Iterator[tuple[Json, str, dict[str, Json]]]:
    """Each network in each run, with the ways in which it was executed besides the usual one."""
    for network in view.results["networks"]:
        for name, ways in network["executions"].items():
            if ways:
                yield network, name, ways


def _formats() -> str:
    rows = [
        [each.name, str(each.stored), str(each.multiplied), f"{each.unit:.2g}",
         f"{each.coarser / each.unit:,.0f}", each.oracle.name, f"{each.margin:.3g}"]
        for each in PRECISIONS.values()
    ]  # fmt: skip
    header = [
        "precision", "digits stored", "digits multiplied", "unit roundoff",
        "next coarser is × as coarse", "cost measured in", "bound over cost",
    ]  # fmt: skip
    return table(header, rows, right=header[1:])


def _measured(view: View) -> str:
    ways = list(dict.fromkeys(way for _, _, found in _executions(view) for way in found))
    if not ways:
        return ""
    rows = [
        [text(network["model"]), view.labels[name], *(_cell(way, found.get(way)) for way in ways)]
        for network, name, found in _executions(view)
    ]
    return table(["network", "in", *ways], rows)


def _cell(way: str, parity: Json | None) -> str:
    if parity is None:
        return ""
    closest = parity["measured"]["closest"]
    if not closest:
        return "not run"
    said = f"{below(closest['error'])}, bound {above(closest['bound'])}"
    whole = parity["compared"] == parity["planned"]
    sign = "✓" if parity["agrees"] and whole else "**✗**"
    if way in PRECISIONS and PRECISIONS[way].unused(closest["error"], closest["bound"]):
        said += ", finer"
    return f"{sign} {said}" + ("" if whole else f", {of(parity['compared'], parity['planned'])}")


def _parted(view: View) -> Iterator[str]:
    for network, name, ways in _executions(view):
        for way, parity in ways.items():
            told = parity | {"controls": []}  # those not caught have a table of their own
            yield from parted(network["model"], way, view.labels[name], told)


def _seen(view: View) -> str:
    """Of each alteration how many were caught, in each way and in the one that decides."""
    found: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    ways = [PLAIN.precision]
    for network, name, others in _executions(view):
        for way, parity in {PLAIN.precision: network["parity"][name], **others}.items():
            ways += [way] if way not in ways else []
            for arm in parity["controls"]:
                found[arm["kind"], arm["alteration"]][way].append(
                    arm.get("caught", arm["measured"].get("caught"))
                )
    rows = [
        [text(kind.replace("_", " ")), text(alteration)]
        + [of(sum(own[way]), len(own[way])) if own[way] else "" for way in ways]
        for (kind, alteration), own in sorted(found.items())
    ]
    return table(["layer", "altered", *ways], rows) if rows else ""
