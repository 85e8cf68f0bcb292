"""Markdown tables as printed: their cells, the notes above them, the place of every row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: The headings of a reference file, in their order.
HEADINGS = ("Models", "Layers", "Claims", "Disputed")

#: The headings of a file that describes no network.
CLAIMS_ONLY = ("Claims",)


class DamagedReference(ValueError):
    """A reference file cannot be read; the message says where and what is wrong."""


def damaged(place: str, what: str) -> DamagedReference:
    """The error for one place of one file, ``reference/resnet.md:41: …``."""
    return DamagedReference(f"{place}: {what}")


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table: its cells under their columns, and the file and line it stands on."""

    cells: Mapping[str, str]
    place: str

    def __getitem__(self, column: str) -> str:
        """The cell as printed; empty where the table has no such column."""
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """One table, with the notes (``- key: text``) that stand above it."""

    heading: str
    notes: Mapping[str, str]
    header: tuple[str, ...]
    records: tuple[Record, ...]
    place: str


@dataclass(slots=True)
class Page:
    """One file: its title, the sources named under the title, its tables in order."""

    name: str
    title: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)

    def under(self, heading: str) -> list[Table]:
        """The tables under one heading."""
        return [table for table in self.tables if table.heading == heading]


def read(path: Path, needed: Sequence[str] | None = ()) -> Page:
    """Read one reference file.  Raises :class:`DamagedReference`.

    ``needed`` are the headings that it must have; none given, those of a family; None, none.
    """
    page = Page(f"{path.parent.name}/{path.name}")
    headings: list[str] = []
    notes: dict[str, str] = page.sources
    key = ""
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), ""], 1):
        if line.startswith("|"):
            rows.append((number, _cells(line)))
            continue
        if rows:
            page.tables.append(_table(page.name, headings[-1] if headings else "", notes, rows))
            rows, notes, key = [], {}, ""
        if line.startswith("# "):
            page.title = line[2:].strip()
        elif line.startswith("## "):
            headings.append(line[3:].strip())
            notes, key = {}, ""
        elif note := re.match(r"- ([^:]+): (.+)", line):
            key = note[1]
            notes[key] = note[2].strip()
        elif key and line.startswith("  "):
            notes[key] += " " + line.strip()
        else:
            key = ""
    if needed is None:
        return page
    networks = {"Models", "Layers"} & {*headings}
    for heading in needed or (HEADINGS if networks else CLAIMS_ONLY):
        if heading not in headings:
            raise damaged(page.name, f"the heading {heading} is missing")
    return page


def _cells(line: str) -> list[str]:
    """The cells of a row; a bar in a cell is written ``\\|``."""
    cells = re.split(r"(?<!\\)\|", line.strip()[1:].removesuffix("|"))
    return [cell.strip().replace(r"\|", "|") for cell in cells]


def _table(
    name: str, heading: str, notes: dict[str, str], rows: list[tuple[int, list[str]]]
) -> Table:
    (top, header), *body = rows
    if len(set(header)) < len(header):
        raise damaged(f"{name}:{top}", "two columns have the same name")
    records = tuple(_records(name, header, body))
    return Table(heading, notes, tuple(header), records, f"{name}:{top}")


def _records(name: str, header: list[str], body: list[tuple[int, list[str]]]) -> Iterator[Record]:
    for number, cells in body:
        if len(cells) != len(header):
            what = f"row has {len(cells)} cells, the header has {len(header)}"
            raise damaged(f"{name}:{number}", what)
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield Record(dict(zip(header, cells, strict=True)), f"{name}:{number}")
