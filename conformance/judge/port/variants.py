"""Which known variants explain the findings at a port, and what is left over.

A variant counts only when all of it is there: each row of its table has to find exactly as many
findings as it says.  Several may hold at once; what none of them explains is the surplus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from conformance.graph.align import Finding
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.described import (
    described,
    in_layer,
    label,
    leaves_out,
    speaks_of,
    wanted,
)
from conformance.reference.variants import Difference, Profile
from conformance.values import text


@dataclass(slots=True)
class Explained:
    """The variants that hold, in order, and the findings that none of them explains."""

    profiles: list[Profile] = field(default_factory=list)
    surplus: list[int] = field(default_factory=list)
    #: Variants that hold but for few places, and what differs from them there.
    nearly: list[tuple[Profile, list[Finding]]] = field(default_factory=list)
    #: The other network that only bears the name: it explains differences, and is one itself.
    another: Profile | None = None

    @property
    def accepted(self) -> list[Profile]:
        """All that hold, the other network among them."""
        return [*self.profiles, *([self.another] if self.another else [])]

    def seen(self, comparison: Comparison) -> set[int]:
        """What all of them explain of a mode's findings, which may be less than the whole of one.

        What a variant explains in training it explains in inference, where less may be seen.
        """
        profiles = self.accepted + [profile for profile, _ in self.nearly]
        return set().union(*(matches(comparison, each, False) or () for each in profiles))

    @property
    def unexplained(self) -> int:
        """How many differences no variant explains, also where one holds but there."""
        return len(self.surplus) + len(self.exceptions)

    @property
    def exceptions(self) -> list[Finding]:
        return [each for _, found in self.nearly for each in found]

    def exceptions_in(self, mode: Comparison, whole: Comparison) -> list[Finding]:
        """The exceptions, found in the ``whole``, at the nodes that a mode has for theirs."""

        def place(comparison: Comparison, each: Finding) -> tuple[str, str]:
            return each.attribute, comparison.names[comparison.anchor(each)]

        places = {place(whole, each) for each in self.exceptions}
        found = [each for profile, _ in self.nearly for each in _nearly(mode, profile)[2]]
        return [each for each in found if place(mode, each) in places]


def explain(
    comparison: Comparison,
    profiles: Sequence[Profile],
    given: Sequence[Profile] = (),
    another: Profile | None = None,
) -> Explained:
    """The variants that together explain as many findings as possible.

    Those that are ``given`` hold, even where they leave nothing to explain.  What makes a port
    ``another`` network is explained by that first.
    """
    found = _explained(comparison, profiles, given, another)
    for profile in profiles if found.surplus else ():
        matched, asked, exceptions = _nearly(comparison, profile)
        if not exceptions or not _prevails(comparison, asked, exceptions):
            continue
        # Variants that are parts of one that holds but for a place explain less than that.
        parts = [
            p for p in profiles if p != profile and (matches(comparison, p) or set()) <= matched
        ]
        whole = [p for p in profiles if p not in parts]
        found = min(
            found, _explained(comparison, whole, given, another), key=lambda each: each.unexplained
        )
    return found


def _explained(
    comparison: Comparison,
    profiles: Sequence[Profile],
    given: Sequence[Profile],
    another: Profile | None,
) -> Explained:
    candidates = []
    for profile in (*profiles, *given):
        matched = matches(comparison, profile)
        if matched or (matched is not None and profile == comparison.given):
            candidates.append((profile, matched))
    candidates.sort(key=lambda pair: (-len(pair[1]), pair[0].name))
    result, left = Explained(another=another), set(range(len(comparison.findings)))
    left -= (matches(comparison, another) if another else None) or set()
    for profile, matched in candidates:
        if matched & left or profile == comparison.given:
            result.profiles.append(profile)
            left -= matched
    result.profiles += [profile for profile in given if profile not in result.profiles]
    for profile in profiles:
        if profile in result.profiles or not left:
            continue
        matched, asked, exceptions = _nearly(comparison, profile)
        if exceptions and matched <= left and _prevails(comparison, asked, exceptions):
            result.nearly.append((profile, exceptions))
            left -= matched
    result.surplus = sorted(left)
    return result


def returned(
    explained: Explained, training: Comparison, inference: Comparison, profiles: Sequence[Profile]
) -> None:
    """Take what holds in one mode alone for what it is.

    What inference shows as well is no variant where training alone has it, such as a ReLU that is a
    tanh in inference.  A softmax may be there in inference alone: training may return logits.
    """
    for profile in profiles:
        there, here = matches(training, profile), matches(inference, profile)
        last = [
            sum(mode.lasts(mode.findings[i]) for i in matches(mode, profile, False) or ())
            for mode in (training, inference)
        ]
        ends = any((r.layer, r.attribute) == ("output", "extra") for r in profile.differences)
        if profile in explained.profiles and (last[0] != last[1] or (ends and not here)):
            explained.profiles.remove(profile)
            explained.surplus = sorted({*explained.surplus, *(there or ())})
        elif ends and here and not there:
            explained.profiles.append(profile)


def _prevails(comparison: Comparison, matched: set[int], exceptions: list[Finding]) -> bool:
    """Whether a variant holds in more places than not: in more rows, or far more nodes."""
    rows = {comparison.rows[comparison.anchor(comparison.findings[i])] for i in matched}
    others = {comparison.rows[comparison.anchor(each)] for each in exceptions}
    return len(rows - others) > len(others) or len(matched) > 2 * len(exceptions)


def _nearly(comparison: Comparison, profile: Profile) -> tuple[set[int], set[int], list[Finding]]:
    """What a variant explains of which a part is not there, what of it it asks for, and that part.

    What it explains and does not ask for, others may have as well.
    """
    every: set[int] = set()
    asked: set[int] = set()
    exceptions: list[Finding] = []
    for row, matched, asks in _by_rows(comparison, profile):
        every |= matched
        if asks is None:
            continue
        asked |= matched
        if len(matched) < asks:
            exceptions += _exceptions(comparison, row, matched, asks - len(matched))
        elif len(matched) > asks:
            return set(), set(), []
    return every, asked, exceptions


def _meant(comparison: Comparison, row: Difference) -> Any:
    """The value that a row of a variant names, as a node has it; its text where none does."""
    values = [f.found for f in comparison.findings if f.attribute == row.attribute]
    values += [node.attributes.get(row.attribute) for node in comparison.expected]
    return next((value for value in values if text(value) == row.variant), row.variant)


def _exceptions(
    comparison: Comparison, row: Difference, matched: set[int], count: int
) -> list[Finding]:
    """Where a row of a variant does not hold: the paper's value stands there.

    A layer that the variant adds is missing behind a node of the port's.
    """
    there = {comparison.anchor(comparison.findings[i]) for i in matched}
    like = _meant(comparison, row)
    found: list[Finding] = []
    for a, b in comparison.pairs.items():
        node = comparison.found.nodes[b]
        if a in there or not in_layer(comparison, a, row.layer) or len(found) == count:
            continue
        if row.attribute == "extra":
            if row.count.startswith("each ") and fnmatchcase(
                label(comparison.expected.nodes[a]), f"{row.count[5:]}*"
            ):
                found.append(Finding("missing", row.variant, None, None, b))
        elif row.attribute == "missing" and described(comparison.expected.nodes[a], row):
            found.append(Finding("extra", None, node.kind, None, b))
        elif row.attribute in node.attributes and described(comparison.expected.nodes[a], row):
            found.append(Finding(row.attribute, like, node.attributes[row.attribute], a, b))
    if row.attribute == "extra" and not row.count.startswith("each "):
        # It would stand behind something else that the variant adds there, as a norm does.
        found += [
            Finding("missing", row.variant, None, None, f.found_node)
            for f in comparison.findings
            if f.attribute == "extra"
            and f.found != row.variant
            and in_layer(comparison, comparison.anchor(f), row.layer)
        ][:count]
    return found


def matches(comparison: Comparison, profile: Profile, whole: bool = True) -> set[int] | None:
    """The findings that a variant explains; None where a part of it is not there.

    Unless the ``whole`` of it is asked for, whatever is there of it is explained.
    """
    explained: set[int] = set()
    asked = found = 0  # by rows that say how many
    for _, matched, asks in _by_rows(comparison, profile):
        if whole and asks is not None and len(matched) != asks:
            return None
        explained |= matched
        if asks is not None:
            asked, found = asked + 1, found + len(matched)
    # What makes no difference is no variant by itself, such as of a tanh none of which is left.
    return None if whole and asked and not found else explained


def _by_rows(
    comparison: Comparison, profile: Profile
) -> Iterator[tuple[Difference, set[int], int | None]]:
    """The findings that each row of a profile speaks of, and how many it asks for."""
    for row in profile.differences:
        if profile != comparison.given or not leaves_out(row):
            found = enumerate(comparison.findings)
            yield (
                row,
                {i for i, f in found if speaks_of(comparison, f, row)},
                wanted(comparison, row),
            )


def left_out(comparison: Comparison, profile: Profile) -> set[int]:
    """The expected nodes that a variant does not have."""
    rows = [row for row in profile.differences if leaves_out(row)]
    return {
        index
        for index, node in enumerate(comparison.expected)
        for row in rows
        if in_layer(comparison, index, row.layer) and fnmatchcase(label(node), row.node)
    }
