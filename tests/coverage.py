"""Whether every number of a text is accounted for: by a claim, or as one of the excluded kinds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.reference import HERE, DamagedReference, Family
from conformance.reference.tables import read

#: Numbers in words that count.  *One* does not: it is an article more often than a number.
WORDS = "zero two three four five six seven eight nine ten".split()

_NUMBER = re.compile(
    r"(?<![\d(\[,])\d{1,3}(?:,\d{3})+(?!,?\d)"  # 122,304, but not (224,224,3)
    r"|\d+(?:\.\d+)*(?:e-?\d+)?"  # 7, 0.5e-3, or a version, 1.13.1
    r"|(?<![\d.])\.\d+"
    rf"|\b(?:{'|'.join(WORDS)})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A number in a text, as written, and where it stands."""

    line: int
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Numbers that claim nothing: what they are, what they are found by, why they are left out."""

    name: str
    pattern: re.Pattern[str]
    why: str


def tokens(text: str) -> Iterator[Token]:
    """Every number of a text, in order."""
    for number, line in enumerate(text.split("\n"), 1):
        for found in _NUMBER.finditer(line):
            # A fraction may leave out its zero.
            written = f"0{found[0]}" if found[0].startswith(".") else found[0].casefold()
            yield Token(number, found.start(), written)


def kinds(path: Path = HERE / "EXCLUDED.md") -> list[Kind]:
    """The excluded kinds.  Raises :class:`DamagedReference`."""
    found = []
    for record in (each for table in read(path, ["Excluded"]).tables for each in table.records):
        try:
            pattern = re.compile(record["pattern"].strip("`"))
        except re.error as error:
            raise DamagedReference(f"{record.place}: {error}") from error
        found.append(Kind(record["kind"], pattern, record["why"]))
    return found


def claimed(families: Iterable[Family], source: str) -> Mapping[int, set[str]]:
    """For each line of a source, the numbers that claims print of it.

    A claim prints what stands in its cell, with the formula before a result, and what other
    columns print to which the cell refers.
    """
    found: dict[int, set[str]] = defaultdict(set)
    for family in families:
        cells = {record.place: record for table in family.tables for record in table.records}
        for claim in (each for each in family.claims if each.document == source):
            text = f"{claim.printed} {cells[claim.place][claim.column]}"
            first, _, last = claim.line.partition("-")
            for line in range(int(first), int(last or first) + 1):
                found[line].update(token.text for token in tokens(text))
    return found


def uncovered(
    text: str, claimed: Mapping[int, set[str]], excluded: Iterable[Kind]
) -> Iterator[Token]:
    """The numbers of a text that no claim prints of their line and that no kind excludes.

    A number that a line repeats needs one claim.
    """
    lines, excluded = text.split("\n"), list(excluded)
    for token in tokens(text):
        if token.text not in claimed.get(token.line, ()):
            patterns = [kind.pattern for kind in excluded]
            found = (match for each in patterns for match in each.finditer(lines[token.line - 1]))
            if not any(match.start() <= token.start < match.end() for match in found):
                yield token
