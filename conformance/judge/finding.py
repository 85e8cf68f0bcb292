"""What checks find, and the one fold of it into a verdict.

A check is a function that returns a :class:`Part`.  ``check``, ``gate``, ``compare`` and
``identify`` fold their parts with :meth:`Judgement.of`, and none of them decides by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Literal

from msgspec import UNSET, UnsetType

from conformance.data import Count, Row
from conformance.judge.expectations import is_about

CONFORMS: Final = "conforms"
VARIANT: Final = "conforms-as-variant"
DEVIATES: Final = "deviates"
INCONCLUSIVE: Final = "inconclusive"
#: The words for two ports that are compared with each other.
SAME: Final = "same"
DIFFER: Final = "differ"

#: What the structure says of operations that values have confirmed.
VOID = ("missing", "extra", "operation")

Verdict = Literal["conforms", "conforms-as-variant", "deviates", "inconclusive"]
CheckName = Literal[
    "structure", "parameters", "shape", "forward", "training", "gradient", "initialisation",
    "weights",
]  # fmt: skip
Json = dict[str, Any]


class Finding(Row, frozen=True):
    """One difference, at one node, of one attribute.

    ``node`` is in the paper's names, such as conv3_x/1/2; of `compare`, in A's own words.
    ``port_node`` is in the port's own, module path and line, or in B's.  ``source`` is where the
    paper says so.  ``inherited`` counts the nodes that are wrong only because of this one;
    ``sentence`` is the whole of it in words, of a claim or of our own values; ``difference`` the
    largest between weights that can be subtracted.
    """

    check: CheckName
    node: str
    attribute: str
    expected: Any
    found: Any
    kind: str = ""
    port_node: str = ""
    hint: str = ""
    source: str = ""
    inherited: Count | UnsetType = UNSET
    sentence: str | UnsetType = UNSET
    difference: float | UnsetType = UNSET

    @property
    def said(self) -> str:
        """The sentence; empty where there is none."""
        return "" if self.sentence is UNSET else self.sentence


class Remark(Row, frozen=True):
    """A difference in spelling that changes no result; never held against a port."""

    node: str
    attribute: str
    expected: Any
    found: Any
    port_node: str = ""
    hint: str = ""


class Unjudged(Row, frozen=True):
    """What was not checked: the kind of check (one of a finding's, or ``operation``), and why."""

    check: str
    why: str


@dataclass(slots=True)
class Part:
    """The result of one check.

    ``open`` is what it should have settled and did not: never a pass.  ``unjudged`` is what a
    port of this kind cannot show.  ``settled`` says that values agree past every operation that
    the vocabulary has no word for, so that what the structure says of those is void.
    """

    findings: list[Finding] = field(default_factory=list)
    planned: int = 0
    run: int = 0
    open: list[Unjudged] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    settled: bool = False


@dataclass(slots=True)
class Judgement(Part):
    """All parts folded: what was found, what stays open, checks planned and run."""

    #: Findings that are meant to be there, by what was expected; they do not count.
    expected: dict[str, list[Finding]] = field(default_factory=dict)
    variant: bool = False

    @classmethod
    def of(
        cls, parts: Iterable[Part], expect: Sequence[str] = (), rows: Sequence[str] = (),
        variant: bool = False,
    ) -> Judgement:  # fmt: skip
        """Fold parts; findings that ``expect`` names are set aside."""
        parts = list(parts)
        found = cls(variant=variant)
        found.settled = any(part.settled for part in parts)
        for part in parts:
            found.findings += part.findings
            found.open += part.open
            found.unjudged += part.unjudged
            found.remarks += part.remarks
            found.planned += part.planned
            found.run += part.run
        if found.settled:
            found.open = [each for each in found.open if each.check != "operation"]
            found.findings = [f for f in found.findings if f.attribute not in VOID]
        for name in expect:
            found.expected[name] = [f for f in found.findings if is_about(name, f, rows)]
        meant = [each for some in found.expected.values() for each in some]
        found.findings = [each for each in found.findings if each not in meant]
        return found

    @property
    def verdict(self) -> Verdict:
        return decided(self.findings, self.open, self.variant, self.planned, self.run)


def decided(
    findings: Sequence[Any], open: Sequence[Any], variant: bool, planned: int, run: int
) -> Verdict:
    """One surplus finding is enough to deviate; without any, what is open is no pass."""
    if findings:
        return DEVIATES
    if open or not 0 < planned == run:
        return INCONCLUSIVE
    return VARIANT if variant else CONFORMS


def overall(verdicts: Iterable[str]) -> Literal["conforms", "deviates", "inconclusive"]:
    """The verdict on several: it deviates if any does, and conforms only if all do."""
    words = set(verdicts)
    if DEVIATES in words:
        return DEVIATES
    return CONFORMS if words and words <= {CONFORMS, VARIANT} else INCONCLUSIVE


def finite(value: float) -> float | None:
    """The number, or None for what is no number: JSON has no word for it."""
    return value if isfinite(value) else None
