"""What the documents' own arithmetic refutes: formulas, sums, sizes, counts of layers.

Everything here follows from the reference files alone; no network is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod

from conformance.reference import Family, Model
from conformance.reference.claims import LISTED, Claim, Dispute
from conformance.reference.printed import Printed, Value


def slips(family: Family) -> list[str]:
    """One sentence for each claim that is refuted and undisputed, or disputed without cause."""
    models = {model.name: model for model in family.models}
    claims = {claim.id: claim for claim in family.claims}
    found = [slip for claim in claims.values() for slip in refuted(claim, models.get(claim.model))]
    return found + [slip for each in family.disputed for slip in idle(each, claims[each.claim])]


def refuted(claim: Claim, model: Model | None) -> Iterator[str]:
    """What the claim's own formula, and the rows of its model, have against it."""
    if claim.quantity == "cited":
        return
    if claim.expression:
        value = Printed(claim.expression).value
        if not claim.agrees(value) and not Printed(claim.printed, claim.k).agrees_with(value):
            yield f"{claim.place}: {claim}: {claim.expression} is {_shown(value)}"
    if model and (derived := derive(claim, model)) is not None and not claim.agrees(derived):
        yield f"{claim.place}: {claim}: the rows of the table come to {_shown(derived)}"


def idle(dispute: Dispute, claim: Claim) -> Iterator[str]:
    """Whether the dispute says nothing: the print is what was counted, or its proper rounding."""
    if claim.quantity in LISTED:
        same = sorted(claim.prints) == sorted(claim.holds)
    else:
        same = Printed(claim.printed, claim.k).rounds(claim.number.value)
    if same:
        said = f"{dispute.printed} is {dispute.counted}"
        yield f"{dispute.place}: the dispute over {dispute.claim} has no cause: {said}"


def derive(claim: Claim, model: Model) -> Value | tuple[str, ...] | None:
    """What the model's rows say of a claim; None where they cannot tell."""
    match claim.quantity:
        case "input":
            return model.input
        case "output" if claim.layer:
            return model.row(claim.layer).size
        case "maps" if claim.layer:
            return model.row(claim.layer).size[-1]
        case "neurons" if claim.layer:
            return prod(model.row(claim.layer).size)
        case "layers" if claim.convention not in ("trainable layers", "ReLUs"):
            return model.count(claim.convention, claim.layer)
        case "convolutions":
            return model.row(claim.layer).convolutions
        case "operations":
            return model.row(claim.layer).operations
        case "branches" if claim.layer:
            return model.row(claim.layer).branches
        case "dropout" if claim.layer:
            rate = model.row(claim.layer).dropout
            return None if rate is None else Fraction(str(rate))
        case "kernel":
            return model.kernels(claim.layer, pooling="pool" in claim.subject)
        case "parameters" | "multiply-adds":
            return model.total(claim.convention, claim.layer)
    return None


def _shown(value: Value | tuple[str, ...]) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return ("x" if isinstance(value[0], int) else ", ").join(map(str, value))
