"""What a port's process has answered, held against its job and the reference before it is believed.

The port runs in the process that answers, so this is no protection from fraud.  It is one from a
process that was disturbed: half a result, another's result, or a verdict that its own findings do
not bear out is no verdict at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance import reference
from conformance.data import Some, read
from conformance.errors import INCONCLUSIVE, Refused
from conformance.judge.finding import CONFORMS, DEVIATES, SAME, VARIANT, decided
from conformance.judge.results import Compare, Forward, Gate, Identify
from conformance.reference import variants

Json = dict[str, Any]


def accepted(job: Mapping[str, Any], answer: Json) -> Gate:
    """The answer to a job of the gate.  Raises :class:`Refused` where it cannot be one."""
    result = _formed(answer, Gate)
    if said := next(_contradictions(job, result), ""):
        raise _refused(said)
    return result


def identified(answer: Json) -> Identify:
    """The answer to a job of ``identify``.  Raises :class:`Refused` where it cannot be one."""
    result = _formed(answer, Identify)
    if (result.verdict == DEVIATES) != bool(result.candidates[0].findings):
        raise _refused(f"verdict is {result.verdict}, and its best candidate says otherwise")
    return result


def compared(answer: Json) -> Compare:
    """The answer to a job of ``compare``.  Raises :class:`Refused` where it cannot be one."""
    result = _formed(answer, Compare)
    whole = result.checks.complete and not result.open
    if result.verdict == SAME and (result.first_divergence or not whole):
        raise _refused(f"verdict is {SAME}, and what it rests on says otherwise")
    return result


def _formed(answer: Json, of: type[Some]) -> Some:
    """The answer as a row; a drawing is no part of it."""
    try:
        return read({key: value for key, value in answer.items() if key != "drawing"}, of)
    except ValueError as wrong:
        raise _refused(str(wrong)) from None


def _refused(said: str) -> Refused:
    return Refused(f"the answer of the port's process contradicts itself: {said}", INCONCLUSIVE)


def _contradictions(job: Mapping[str, Any], result: Gate) -> Iterator[str]:
    for key in ("port", "architecture", "numbers", *(["framework"] if job["framework"] else [])):
        if (got := getattr(result, key)) != job[key]:
            yield f"{key} is {got!r}, asked for {job[key]!r}"
    if sorted(result.expected) != sorted(set(job.get("expect", ()))):
        yield "the findings that are expected are others than those that were named"
    checks = result.checks
    verdict = decided(
        result.findings, result.open, bool(result.variants), checks.planned, checks.run
    )
    if checks.run > checks.planned:
        yield f"{checks.run} of {checks.planned} checks ran"
    if result.verdict != verdict:
        yield f"verdict is {result.verdict}, and what it rests on says {verdict}"
    known = {each.name for each in variants.of(reference.find(job["architecture"]))}
    named = [each.name for each in result.variants]
    unknown = [name for name in named if name not in known and not variants.of_the_image(name)]
    if unknown or (result.variant or "") != " + ".join(named):
        yield f"{result.variant!r} is no known variant"
    if verdict in (CONFORMS, VARIANT) and job["numbers"]:
        yield from _uncompared(result.forward)
    if verdict in (CONFORMS, VARIANT) and not any(result.expected.values()):
        yield from _other_totals(job, result)


#: What a variant may change without a parameter or a product more or less.
COUNTED_ALIKE = {"epsilon", "momentum", "rate", "order", "k", "alpha", "beta"}


def _other_totals(job: Mapping[str, Any], result: Gate) -> Iterator[str]:
    """Totals that are not the network's, where none of the variants named can change them."""
    from conformance.judge import published

    model = reference.find(job["architecture"])
    named = {each.name for each in result.variants}
    found = [each for each in variants.of(model) if each.name in named]
    counted = {row.attribute for each in found for row in each.differences} - COUNTED_ALIKE
    of_the_image = any(map(variants.of_the_image, named))
    resized = any(each.attribute == "size" for each in result.remarks)
    if counted or of_the_image or resized:
        return
    for key, count in published.network(model).inference.totals.items():
        if (got := getattr(result.totals, key)) != count:
            yield f"{key} are {got:,}, those of {model.name} {count:,}"


def _uncompared(forward: Forward | None) -> Iterator[str]:
    """What a run of numbers has to show where nothing is held against the port."""
    if forward is None or not forward.compared or forward.first_divergence is not None:
        yield "no value was compared and found right"
    elif forward.error is None or forward.error > forward.bound:
        yield "a value is off by more than its bound"
