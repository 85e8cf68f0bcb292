"""Deviations that are meant to be there: which findings they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.judge.finding import Finding


class BadExpectation(ValueError):
    """An expectation that can be about nothing; the message is one line and says what to write."""


def row_of_node(node: str, rows: Iterable[str]) -> str:
    """The row of the paper's table in which a node lies, by its name; '' for none."""
    place = node.removeprefix("after ")
    inside = [row for row in rows if place == row or place.startswith((f"{row}/", f"{row} "))]
    return max(inside, key=len, default="")


def split(expectation: str, rows: Sequence[str]) -> tuple[str, str]:
    """``conv3_x stride`` as place and attribute.  Raises :class:`BadExpectation`."""
    place, _, attribute = expectation.rpartition(" ")
    if not place or not (row_of_node(place, rows) or place in ("input", "output")):
        raise BadExpectation(
            f"{expectation!r} names no place: write row and attribute, such as"
            f" '{rows[0] if rows else 'output'} stride'; rows are {', '.join(rows)}"
        )
    return place, attribute


def is_about(expectation: str, finding: Finding, rows: Sequence[str]) -> bool:
    """Whether a finding lies where an expectation says, at that node or anywhere in that row."""
    place, attribute = split(expectation, rows)
    node = finding.node
    there = node == place or (place in rows and row_of_node(node, rows) == place)
    return there and finding.attribute == attribute
