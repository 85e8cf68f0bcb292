"""The claims and disputes of one reference file, read from its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from conformance.reference.claims import LISTED, QUANTITIES, TOTAL, Claim, Dispute, named
from conformance.reference.layers import SILENT, flat, names, parse
from conformance.reference.models import Model, Row, cell, referred, spoken
from conformance.reference.printed import Printed
from conformance.reference.tables import Page, Record, Table, damaged

#: Columns that say what a row is and not what was counted.
PLAIN = frozenset("model aliases input layer operation stride after subject line".split())

#: What a note says, part by part: a *section*, a `convention`, or plain words up to a comma.
_SAID = re.compile(r"\*[^*]+\*|`[^`]+`|[^,*`\s][^,*`]*")

_SUM = re.compile(r"sum\(([^:()]+)(?:: ([^()]+))?\)")


@dataclass(frozen=True, slots=True)
class Stands:
    """What the notes above a table say of a column: what it counts, how, and where it stands."""

    quantity: str = ""
    convention: str = ""
    document: str = ""
    section: str = ""
    line: str = ""
    k: int | None = None


@dataclass(frozen=True)
class Entries:
    """One file's tables and its models, from which :meth:`claims` reads."""

    family: str
    page: Page
    models: Mapping[str, Model]

    @cached_property
    def _rows(self) -> dict[str, dict[str, Row]]:
        """Each model's own rows, by the place where they stand."""
        return {name: {row.place: row for row in model.rows} for name, model in self.models.items()}

    @cached_property
    def _referred(self) -> set[str]:
        return referred(self.page)

    def claims(self) -> list[Claim]:
        """All claims, disputes applied and sums written out."""
        claims: dict[str, Claim] = {}
        for claim in self._raw():
            if claim.id in claims:
                first = claims[claim.id].place
                raise damaged(claim.place, f"{claim.id} is claimed twice, first at {first}")
            claims[claim.id] = claim
        for dispute in self.disputes(claims):
            claims[dispute.claim] = replace(
                claims[dispute.claim],
                counted=dispute.counted,
                why=dispute.why,
                alternative=dispute.alternative,
            )
        decided = [self._listed(claim) for claim in claims.values()]
        return [self._summed(claim, decided) for claim in decided]

    def disputes(self, claims: Mapping[str, Claim]) -> list[Dispute]:
        """The rows of *Disputed*, each of which names a claim and repeats what it prints."""
        disputes: dict[str, Dispute] = {}
        for record in (record for table in self.page.under("Disputed") for record in table.records):
            dispute = Dispute(
                claim=record["claim"],
                printed=record["printed"],
                counted=record["counted"],
                why=record["why"],
                alternative=record["alternative"],
                place=record.place,
            )
            if dispute.claim not in claims:
                raise damaged(record.place, f"there is no claim {dispute.claim!r} to dispute")
            if dispute.claim in disputes:
                raise damaged(record.place, f"{dispute.claim} is disputed twice")
            if dispute.printed != (printed := claims[dispute.claim].printed):
                raise damaged(record.place, f"the claim prints {printed!r}")
            if not dispute.counted or not dispute.why:
                raise damaged(record.place, "a dispute needs what was counted and why it holds")
            _number(claims[dispute.claim], dispute.counted, record.place)
            disputes[dispute.claim] = dispute
        return list(disputes.values())

    def _raw(self) -> Iterator[Claim]:
        """Every claim as printed; what stands in no table of a model's own ends in its line."""
        for heading in ("Models", "Layers", "Claims"):
            for table in self.page.under(heading):
                for claim in self._table(table):
                    _check(claim)
                    own = heading == "Models" or claim.place in self._rows.get(claim.model, ())
                    place = "" if own else f"/{claim.line or claim.document}"
                    yield replace(claim, id=f"{claim.id}{place}") if place else claim

    def _table(self, table: Table) -> Iterator[Claim]:
        self._known(table)
        default = self._stands(table, "from", Stands())
        for record in table.records:
            if table.heading == "Claims":
                yield from self._said(table, record, default)
                continue
            for model in self._covered(table, record):
                for column in self._counted(table, record):
                    stands = self._stands(table, column, replace(default, quantity=column))
                    yield self._claim(model, column, record[column], record, stands)
                if table.heading == "Layers":
                    yield from self._layers(model, record, table, default)

    def _covered(self, table: Table, record: Record) -> list[str]:
        """The models that a row speaks of: those whose row it is, or whom its table names."""
        if table.heading == "Models":
            return [record["model"]]
        own = [name for name, rows in self._rows.items() if record.place in rows]
        return own or spoken(table, self.models)

    def _known(self, table: Table) -> None:
        """Refuse a table whose notes or rows speak of what is not there."""
        if unknown := {*spoken(table, self.models)} - {*self.models}:
            raise damaged(table.place, f"there is no model {unknown.pop()!r}")
        known = {"from", "model", "padding", "shortcut", *table.header}
        for record in table.records:
            known |= {record["operation"]}
            known |= {f"{record['layer']} {each}" for each in ("convolutions", "operations")}
            if table.heading != "Layers":
                continue
            for model in self._covered(table, record):
                if record["layer"] not in self._layers_of(model):
                    raise damaged(record.place, f"{model} has no layer {record['layer']!r}")
        if unknown := table.notes.keys() - known:
            raise damaged(table.place, f"a note for {unknown.pop()!r}, which is no column")

    def _layers_of(self, model: str) -> set[str]:
        return {row.name for row in self.models[model].rows}

    def _counted(self, table: Table, record: Record) -> list[str]:
        """The columns of a row that hold a counted cell."""
        aside = PLAIN | self.models.keys() | self._referred
        columns = [each for each in table.header if each not in aside and not each.endswith(" as")]
        return [column for column in columns if record[column]]

    def _said(self, table: Table, record: Record, default: Stands) -> Iterator[Claim]:
        """What a row of *Claims* says: one thing, or one in each column that a note explains."""
        if "printed" in table.header:
            yield self._prose(record, default)
            return
        for column in self._counted(table, record):
            subject = ", ".join(filter(None, (record["subject"], column)))
            cells = replace(record, cells={**record.cells, "subject": subject})
            stands = self._stands(table, column, replace(default, quantity=column))
            yield self._claim("", column, record[column], cells, stands)

    def _prose(self, record: Record, default: Stands) -> Claim:
        stands = replace(default, quantity=record["quantity"], convention=record["convention"])
        model, row = record["model"], record["layer"]
        if model and model not in self.models:
            raise damaged(record.place, f"there is no model {model!r}")
        if row and (not model or row not in self._layers_of(model)):
            raise damaged(record.place, f"{model or 'no model'} has no layer {row!r}")
        return self._claim(model, "printed", record["printed"], record, stands)

    def _layers(self, model: str, record: Record, table: Table, default: Stands) -> Iterator[Claim]:
        """What the written layers of a row claim: its convolutions, and its other operations."""
        for column in ("operation", model):
            convolutions, operations = _sorted(
                cell(table, record, column, self.models[model]), record
            )
            for quantity, text in (("convolutions", convolutions), ("operations", operations)):
                if text:
                    note = f"{record['layer']} {quantity}"
                    stands = self._stands(table, note, replace(default, quantity=quantity))
                    yield self._claim(model, column, text, record, stands)

    def _claim(self, model: str, column: str, cell: str, record: Record, stands: Stands) -> Claim:
        """One cell as a claim; ``formula = number`` is a number and what it must come from."""
        whole = stands.quantity in LISTED
        *formula, printed = [cell] if whole else [part.strip() for part in cell.split("=")]
        subject = "-".join(re.findall(r"[a-z0-9]+", record["subject"].casefold()))
        convention = record[f"{column} as"] or stands.convention
        counted = named(stands.quantity, convention).replace(" ", "-")
        parts = (self.family, model, record["layer"], subject, counted)
        own_line = record["line"] if stands.document == "document" else ""
        return Claim(
            id="/".join(part for part in parts if part),
            family=self.family,
            model=model,
            layer=record["layer"],
            subject=record["subject"],
            quantity=stands.quantity,
            printed=printed,
            convention=convention,
            document=stands.document,
            section=stands.section,
            line=own_line or stands.line,
            place=record.place,
            column=column,
            expression=record["expression"] or "".join(formula),
            k=stands.k,
        )

    def _stands(self, table: Table, key: str, default: Stands) -> Stands:
        """``default`` and what the note ``- key: …`` adds to it."""
        found = default
        for text in _SAID.findall(table.notes.get(key, "")):
            match text.split():
                case ["from", source] if source in self.page.sources:
                    found = replace(found, document=source, section="", line="")
                case [source] if key == "from" and source in self.page.sources:
                    found = replace(found, document=source)
                case ["line" | "lines", line]:
                    found = replace(found, line=line)
                case ["K", "=", "1000" | "1024" as k]:
                    found = replace(found, k=int(k))
                case _ if text.startswith("*"):
                    found = replace(found, section=text.strip("*"))
                case _ if text.startswith("`"):
                    found = replace(found, convention=text.strip("`"))
                case _ if text.strip() in QUANTITIES:
                    found = replace(found, quantity=text.strip())
                case _:
                    raise damaged(table.place, f"the note {key!r} says {text.strip()!r}")
        return found

    def _listed(self, claim: Claim) -> Claim:
        """A claim on layers or kernels, with their names one by one."""
        if claim.quantity not in LISTED:
            return claim
        row = self._rows.get(claim.model, {}).get(claim.place)
        if row and claim.quantity != "kernel":
            # The row was placed as decided, its projections and strides included.
            decided: tuple[str, ...] = getattr(row, claim.quantity)
            printed = _names(claim, claim.printed) if claim.counted else decided
        else:
            printed, decided = _names(claim, claim.printed), _names(claim, claim.decided)
        return replace(claim, prints=printed, holds=decided)

    def _summed(self, claim: Claim, claims: list[Claim]) -> Claim:
        """The claim with the sums in its expression written out; a column's total is its sum."""
        expression = claim.expression
        if claim.model and not (claim.layer or expression) and self._columns(claim):
            expression = f"sum({claim.column})"
        terms: list[Claim] = []
        for call in _SUM.finditer(expression):
            terms = self._terms(claim, claims, call[1], call[2] or "")
            sum_ = " + ".join(str(term.number.value) for term in terms)
            expression = expression.replace(call[0], f"({sum_})")
        formula = expression if TOTAL.search(expression) else ""
        for call in TOTAL.finditer(expression):
            expression = expression.replace(call[0], str(self._total(claim, *call.groups())))
        if claim.convention == "by row":
            terms = terms or self._terms(claim, claims, claim.quantity, "")
            claim = replace(claim, rows=tuple((term.layer, term.convention) for term in terms))
        if expression:
            _number(claim, expression, claim.place)
        return replace(claim, expression=expression, formula=formula)

    def _columns(self, claim: Claim) -> bool:
        """Whether the model's own rows have cells in the column of which this is the total."""
        places = self._rows[claim.model]
        tables = self.page.under("Layers")
        own = [table for table in tables if any(record.place in places for record in table.records)]
        return claim.column in own[0].header

    def _total(self, claim: Claim, convention: str, model: str) -> int:
        found = self.models[model].total(convention) if model in self.models else None
        if found is None:
            raise damaged(claim.place, f"there is no total of {convention!r} of {model!r}")
        return found

    def _terms(self, claim: Claim, claims: list[Claim], what: str, layers: str) -> list[Claim]:
        """The cells of a model's own rows in a column, or of a quantity, by layer."""
        model = claim.model or next(iter(self.models), "")
        terms = [
            each
            for each in claims
            if each.model == model
            and each.place in self._rows.get(model, ())
            and what in (each.column, each.quantity)
            and (not layers or each.layer in layers.split())
        ]
        if not terms or (layers and len(terms) != len(layers.split())):
            raise damaged(claim.place, f"no cells to add for {what!r} {layers}".rstrip())
        return terms


def _sorted(text: str, record: Record) -> tuple[str, str]:
    """A cell's parts that have weights, as written; and its other layers, counted."""
    try:
        parts = parse(text) if text else ()
    except ValueError as error:
        raise damaged(record.place, str(error)) from error
    texts = _apart(text)
    weighted = [any(layer.weighted for layer in flat([part])) for part in parts]
    convolutions = [each for each, has in zip(texts, weighted, strict=True) if has]
    others: dict[str, int] = {}
    for layer in flat(parts):
        if not layer.weighted and layer.kind not in SILENT:
            others[layer.text] = others.get(layer.text, 0) + 1
    counted = (each if n == 1 else f"[{each}] x {n}" for each, n in others.items())
    return ", ".join(convolutions), ", ".join(counted)


def _apart(text: str) -> list[str]:
    """The parts of a cell as written, brackets with what they hold."""
    parts, level = [""], 0
    for character in text:
        level += (character in "[{") - (character in "]}")
        if character == "," and not level:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _names(claim: Claim, text: str) -> tuple[str, ...]:
    if claim.quantity == "kernel":
        return tuple(re.split(r", | and | or ", text))
    try:
        layers = names(text)
    except ValueError as error:
        raise damaged(claim.place, str(error)) from error
    weighted = claim.quantity == "convolutions"
    return tuple(layer.text for layer in layers if layer.weighted is weighted)


def _check(claim: Claim) -> None:
    """Refuse a claim that does not say what, where and by which convention it counts."""
    if claim.quantity not in QUANTITIES:
        raise damaged(claim.place, f"unknown quantity {claim.quantity!r}")
    known = QUANTITIES[claim.quantity]
    if known and not claim.convention:
        raise damaged(claim.place, f"{claim.quantity} without a convention")
    if claim.convention not in (known or ("",)):
        raise damaged(claim.place, f"unknown convention {claim.convention!r} of {claim.quantity}")
    if not claim.document or not claim.section:
        raise damaged(claim.place, "the claim does not say which document and section it is from")
    if claim.document == "document" and not re.fullmatch(r"\d+(-\d+)?", claim.line):
        raise damaged(claim.place, f"the claim names no line of the document, but {claim.line!r}")
    if not (claim.model or claim.expression or claim.quantity == "cited"):
        raise damaged(claim.place, "nothing decides this claim: no model, no expression")
    _number(claim, claim.printed, claim.place)


def _number(claim: Claim, text: str, place: str) -> None:
    """Refuse a text that should be a number and cannot be read as one."""
    if claim.quantity not in LISTED | {"cited"}:
        try:
            _ = Printed(text, claim.k).value
        except ValueError as error:
            raise damaged(place, str(error)) from error
