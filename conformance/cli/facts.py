"""``conformance facts``: the page of one network, with what arithmetic says of every number."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from typing import Any

from conformance import reference
from conformance.cli.output import Output
from conformance.errors import CONFORMS, Refused
from conformance.reference import Claim, Model, Printed
from conformance.reference.slips import derive

#: The status of a claim that no arithmetic decides.
LIVE = "needs a model"

_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")

#: What programs get of a claim: what is printed and where, and what is held instead.
PRINTED = tuple(
    "id layer subject quantity convention printed document section line expression".split()
)
HELD = ("counted", "why", "alternative")

#: Quantities that are a row's layers, as the document writes them.
WRITTEN = ("convolutions", "operations")


HELP = """\
Layers with the numbers printed beside them, totals by convention, every claim with its
status where arithmetic decides it, and disputes with their reason.  No framework is needed.

example:
  conformance facts resnet50
  conformance facts vgg16 --json facts.json
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("architecture", metavar="ARCH", help="a name or alias from the list")


def found(name: str) -> Model:
    """The network called ``name``.  Raises :class:`Refused`."""
    try:
        return reference.find(name)
    except reference.UnknownArchitecture as unknown:
        raise Refused(str(unknown)) from None


def run(options: Namespace) -> int:
    """Show the page."""
    model = found(options.architecture)
    output = Output(options.json)
    family = reference.family(model.family)
    claims = [each for each in family.claims if each.model in ("", model.name)]
    beside = {row.place for row in model.rows}
    in_table = [each for each in claims if each.layer and each.place in beside]
    totals = [each for each in claims if each.model and not each.layer]
    prose = [each for each in claims if each not in in_table and each not in totals]
    disputed = [each for each in claims if each.counted]

    also = f" (also {', '.join(model.aliases)})" if model.aliases else ""
    output.line(f"{model.name}{also}", style="bold")
    for name, source in family.sources.items():
        output.line(f"{name}: {_plain(source)}")

    _heading(output, "Layers")
    counted = [each.quantity for each in in_table if each.quantity not in (*WRITTEN, "output")]
    columns = list(dict.fromkeys(counted))
    written = {
        record.place: ", ".join(filter(None, (record["operation"], record[model.name])))
        for table in family.layers
        for record in table.records
    }
    output.table(
        ("layer", "is", "leaves", *columns),
        [
            (row.name, written.get(row.place, ""), _size(row.size))
            + tuple(_cell(in_table, row.name, column) for column in columns)
            for row in model.rows
        ],
    )
    _heading(output, "Totals by arithmetic, every map connected and with a bias where those count")
    for convention, total in _totals(model).items():
        output.line(f"{convention}: {_shown(total)}")
    for heading, some in (("Totals, as printed", totals), ("Claims in the text", prose)):
        if some:
            _heading(output, heading)
            output.table(("line", "claim", "printed", "arithmetic", "status"), _rows(some, model))
    if disputed:
        _heading(output, "Disputed")
        for claim in disputed:
            held = f"printed {claim.printed}, held to be {claim.counted}: {claim.why}"
            other = f" (or: {claim.alternative})" if claim.alternative else ""
            output.line(f"{_subject(claim)}: {held}{other}")
    output.result(
        {
            "schema": 1,
            "architecture": model.name,
            "aliases": list(model.aliases),
            "family": model.family,
            "input": list(model.input),
            "layers": [{"layer": row.name, "leaves": list(row.size)} for row in model.rows],
            "totals": _totals(model),
            "claims": [as_json(each, model) for each in claims],
        }
    )
    return CONFORMS


def _plain(text: str) -> str:
    """Text without Markdown: a link as its address, no emphasis."""
    return _LINK.sub(lambda link: link[2], text).replace("*", "")


def _heading(output: Output, text: str) -> None:
    output.line()
    output.line(text, style="bold")


def _cell(claims: list[Claim], row: str, quantity: str) -> str:
    own = [each for each in claims if each.layer == row and each.quantity == quantity]
    return ", ".join(each.printed for each in own)


def _totals(model: Model) -> dict[str, int]:
    conventions = ("weights", "weights + bias", "multiply-adds")
    found = {convention: model.total(convention) for convention in conventions}
    layers = {each: model.count(each) for each in ("weight layers", "pooling layers")}
    return {name: total for name, total in {**found, **layers}.items() if total is not None}


def _rows(claims: list[Claim], model: Model) -> list[tuple[str, ...]]:
    return [
        (each.line or each.section, _subject(each), each.printed, _shown(value), status)
        for each in claims
        for value, status in [_decided(each, model)]
    ]


def _decided(claim: Claim, model: Model | None) -> tuple[Any, str]:
    """What the rows of the table, or else the claim's own formula, come to; and the status."""
    if claim.quantity == "cited":
        return None, "cited"
    value = derive(claim, model) if claim.model and model else None
    if value is None and claim.expression:
        value = Printed(claim.expression).value
    if value is None or (claim.counted and not claim.agrees(value)):
        return None, LIVE  # what holds instead of a disputed print no formula says
    return value, claim.status(value)


def _subject(claim: Claim) -> str:
    """What a claim speaks of, in the words of the table and with its convention."""
    quantity = "" if claim.quantity == "cited" else claim.quantity  # its status says so
    words = " ".join(each for each in (claim.layer, claim.subject, quantity) if each)
    counted = claim.convention and claim.convention != claim.quantity
    return f"{words} ({claim.convention})" if counted else words


def as_json(claim: Claim, model: Model | None) -> dict[str, Any]:
    """A claim as programs get it; ``model`` is its network, if it has one."""
    value, status = _decided(claim, model)
    return {
        **{name: getattr(claim, name) for name in PRINTED},
        "arithmetic": None if value is None else _shown(value),
        "status": status,
        **{name: getattr(claim, name) for name in HELD},
    }


def _size(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))


def _shown(value: Any) -> str:
    """A value as people read it: 25,557,032 or 28x28x512; nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value) if value and isinstance(value[0], str) else _size(value)
    return f"{value:,}" if isinstance(value, int) else f"{float(value):.6g}"
