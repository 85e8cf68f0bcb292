"""A result for people: one document, written as lines for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from conformance.judge.finding import CONFORMS, DEVIATES, DIFFER, SAME, VARIANT

COLOURS = {CONFORMS: "green", VARIANT: "green", SAME: "green", DEVIATES: "red", DIFFER: "red"}
MARKS = {CONFORMS: "✅", VARIANT: "✅", SAME: "✅", DEVIATES: "❌", DIFFER: "❌"}


@dataclass(slots=True)
class Item:
    """One thing to be read: a first line, what belongs to it, and whether it is a finding."""

    first: str
    rest: Sequence[str] = ()
    finding: bool = False


@dataclass(slots=True)
class Document:
    """A verdict in one line, what it rests on, and counts at the end."""

    headline: str
    verdict: str
    items: list[Item] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)
    columns: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    known: bool = False

    @property
    def colour(self) -> str:
        """Of the headline on a terminal."""
        return COLOURS.get(self.verdict, "yellow")

    def lines(self) -> list[str]:
        """Everything behind the headline, for a terminal."""
        said = []
        for item in self.items:
            said += [f"  {item.first}", *(f"    {line}" for line in item.rest)]
        return [*said, *(f"  {line}" for line in self.closing)]

    def markdown(self) -> str:
        """A block for a job summary: under a screen when green, a block a root cause when red."""
        mark = "⚠️" if self.known else MARKS.get(self.verdict, "⚠️")
        said = [f"### {mark} {_plain(self.headline)}", ""]
        if self.rows:
            said += [_row(self.columns), _row("---" for _ in self.columns)]
            said += [*(_row(map(_plain, row)) for row in self.rows), ""]
        for item in self.items:
            first = _plain(item.first)
            said.append(f"- **{first}**" if item.finding else f"- {first}")
            said += [f"  {_plain(line.strip())}  " for line in item.rest]
        said += ["", *(f"{_plain(line)}  " for line in self.closing)]
        return "\n".join(said) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(words: str) -> str:
    """Words in which nothing is Markdown or HTML, whatever a port is called."""
    for mark in "\\`*_{}[]<>#|~":
        words = words.replace(mark, f"\\{mark}" if mark not in "<>" else f"&{'lg'[mark == '>']}t;")
    return words.replace("\n", " ")
