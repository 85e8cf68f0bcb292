"""A gate's result as checks, a test each: what they are, and what each has to say of a result.

They are known before anything runs: a kind of check for each row of the paper's table, one for
findings that lie in no row, one that asks whether everything ran, and one for each deviation that
is meant to be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.judge.expectations import BadExpectation, row_of_node, split
from conformance.reference import Model

if TYPE_CHECKING:
    from conformance.judge.finding import Finding
    from conformance.judge.results import Gate

#: The checks that a kind of port cannot show.
UNJUDGED = ("training", "initialisation")


@dataclass(frozen=True, slots=True)
class Check:
    """One test: what is asked, and of which row or expectation."""

    kind: str
    of: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.of}".strip()


def checks(model: Model, expect: Mapping[str, str]) -> list[Check]:
    """Every check of a port of a network.

    Raises :class:`~conformance.judge.expectations.BadExpectation`.
    """
    rows = model.row_names
    for each, reason in expect.items():
        split(each, rows)
        if not reason.strip():
            raise BadExpectation(f"{each!r} is expected without a reason")
    heads = {row.name for row in model.rows if row.after}
    dropped = {
        row.name for row in model.rows if {layer.kind for layer in row.layers} == {"dropout"}
    }
    inference = [row for row in rows if row not in heads | dropped]
    weighted = [row.name for row in model.rows if row.convolutions and not row.after]
    return [
        *(Check("structure", row) for row in inference),
        *(Check("training", row) for row in rows),
        *(Check("forward", row) for row in inference),
        *(Check("initialisation", row) for row in weighted),
        Check("elsewhere"),
        Check("complete"),
        *(Check("expected", each) for each in expect),
    ]


def failure(check: Check, result: Gate, every: list[Check]) -> list[str]:
    """Why a check fails on a gate's result, in lines; none where it passes."""
    if check.kind == "expected":
        gone = f"{check.of} no longer occurs: take it out of what is expected"
        return [] if result.expected.get(check.of) else [gone]
    if check.kind == "complete":
        return _incomplete(result)

    from conformance.judge import phrases

    rows = _rows(every)
    mine = [each for each in result.findings if _asks(each, every, rows) == check]
    lines = [line for group in phrases.causes(mine) for line in phrases.cause(group)]
    lines += [f"  the paper: {each}" for each in dict.fromkeys(f.source for f in mine) if each]
    if check.kind == "training":
        lines += [each.why for each in result.open if each.check == "training"]
    if check.kind == "forward":
        lines += _compared(check.of, result, rows)
    return lines


def unjudged(check: Check, result: Gate) -> str:
    """Why a port of its kind cannot show what a check asks; empty where it can."""
    if check.kind not in UNJUDGED:
        return ""
    return next((each.why for each in result.unjudged if each.check == check.kind), "")


def _rows(every: list[Check]) -> list[str]:
    """The rows of the table, in its order: each is asked for in training."""
    return [check.of for check in every if check.kind == "training"]


def _asks(finding: Finding, every: list[Check], rows: list[str]) -> Check:
    """The check that a finding fails."""
    check = Check(finding.check, row_of_node(finding.node, rows))
    return check if check in every else Check("elsewhere")


def _compared(row: str, result: Gate, rows: list[str]) -> list[str]:
    """Why the values of a row are not known to be right; nothing where they are."""
    from conformance.judge import phrases

    forward = result.forward
    if not forward:
        return ["no value was compared: see the check of completeness"]
    if not forward.first_divergence:
        left = [each.why for each in result.open if each.check != "training"]
        return [f"not everything was compared: {each}" for each in left]
    parted = row_of_node(forward.first_divergence, rows)
    if parted == row:
        return [phrases.divergence(forward)]
    if parted and rows.index(row) < rows.index(parted):
        return []
    return [f"not compared: values part at {forward.first_divergence}"]


def _incomplete(result: Gate) -> list[str]:
    ran, planned = result.checks.run, result.checks.planned
    short = [] if 0 < planned == ran else [f"{ran:,} of {planned:,} checks ran"]
    return [f"open: {each.why}" for each in result.open] + short
