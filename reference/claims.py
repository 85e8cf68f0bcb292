"""What a document prints, as a claim: what it says, where it stands, how it was counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from conformance.reference.printed import Printed, Value

#: A count of a whole network in a formula: ``total(weights: ResNet-50)``.
TOTAL = re.compile(r"total\(([^:()]+): ([^()]+)\)")

#: How a print stands to what was found; see :meth:`Claim.status`.
Status = Literal["contradicted", "ambiguous", "rounded", "confirmed", "cited"]

#: What can be printed, and the conventions by which each may be counted.  ``by row`` is a total
#: of rows that each name their own; a quantity without conventions can be counted in one way only.
#: A ``number`` is whatever else a formula decides: seconds, images, a learning rate.  An
#: ``identity`` is how far a block's output is from its input, negative values left out as by the
#: ReLU at its end, when all its parameters are 0.  ``epsilon`` and ``momentum`` are those of every
#: batch norm; the momentum is the share of the running statistics that a step keeps.
QUANTITIES: dict[str, tuple[str, ...]] = {
    "input": (),
    "output": (),
    "maps": (),
    "neurons": (),
    "parameters": ("weights", "weights + bias", "trainable", "with running statistics", "by row"),
    "multiply-adds": ("multiply-adds", "multiply-adds + bias", "by row"),
    "FLOPs": ("FLOPs",),
    "connections": ("connections",),
    "layers": (
        "weight layers",
        "convolutional layers",
        "dense layers",
        "pooling layers",
        "trainable layers",
        "table rows",
        "ReLUs",
    ),
    "convolutions": (),
    "operations": (),
    "kernel": (),
    "branches": (),
    "padding": (),
    "scale": (),
    "dropout": (),
    "epsilon": (),
    "momentum": (),
    "receptive field": (),
    "identity": (),
    "ratio": (),
    "number": (),
    "cited": (),
}

#: Quantities whose print is a list of layers or kernels, not a number.
LISTED = frozenset({"convolutions", "operations", "kernel"})

#: Constants of a program: nothing was rounded before they were written.
CONSTANTS = frozenset({"epsilon", "momentum"})


def named(quantity: str, convention: str) -> str:
    """A quantity as one says it: layers other than weight layers by their kind."""
    kind = quantity == "layers" and convention not in ("", "weight layers")
    return convention if kind else quantity


@dataclass(frozen=True, slots=True)
class Claim:
    """One printed thing.

    ``model`` is set when a live network decides it, ``layer`` when it speaks of one row, and
    ``expression`` is a formula that must come to it; a claim may have both.  Where the formula
    counts whole networks, ``formula`` still says so.  ``rows`` are the
    rows that a total ``by row`` adds up, each with its convention.  Of a claim on layers or
    kernels, ``prints`` and ``holds`` name them one by one, as printed and as decided.
    ``counted``, ``why`` and ``alternative`` come from *Disputed*.  ``place`` and ``column`` say
    which cell of the reference file it is.
    """

    id: str
    family: str
    model: str
    layer: str
    subject: str
    quantity: str
    printed: str
    convention: str
    document: str
    section: str
    line: str
    place: str
    column: str
    expression: str = ""
    formula: str = ""
    k: int | None = None
    rows: tuple[tuple[str, str], ...] = ()
    prints: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    counted: str = ""
    why: str = ""
    alternative: str = ""

    def __str__(self) -> str:
        quantity = named(self.quantity, self.convention)
        words = self.model, self.layer, self.subject, quantity, self.printed
        return " ".join(word for word in words if word)

    @property
    def decided(self) -> str:
        """The text that holds: as counted where the print is disputed."""
        return self.counted or self.printed

    @property
    def number(self) -> Printed:
        """The decided text as a number.  Raises :class:`ValueError` where it is none."""
        return Printed(self.decided, self.k)

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """What its formula counts of whole networks: the convention and the model of each count."""
        return tuple(TOTAL.findall(self.formula))

    def computed(self, count: Callable[[str, str], int]) -> Value:
        """Its formula, with ``count(convention, model)`` for each network that it counts."""
        return Printed(TOTAL.sub(lambda total: str(count(*total.groups())), self.formula)).value

    def agrees(self, found: Value | tuple[str, ...]) -> bool:
        """Whether what was found is what the claim holds, after its dispute if it has one."""
        return self._agree(self.decided, self.holds, found)

    def status(self, found: Value | tuple[str, ...]) -> Status:
        """How the print stands to what was found.

        ``confirmed``; ``rounded`` where its digits are cut off, not rounded; ``ambiguous`` where
        another reading would print the same; ``contradicted``; ``cited`` where nothing is found.
        """
        if self.quantity == "cited":
            return "cited"
        if not self._agree(self.printed, self.prints, found):
            return "contradicted"
        if self.counted:
            return "ambiguous"
        if self.quantity in LISTED or Printed(self.printed, self.k).rounds(found):  # type: ignore[arg-type]
            return "confirmed"
        return "rounded"

    def _agree(self, text: str, names: tuple[str, ...], found: Value | tuple[str, ...]) -> bool:
        if self.quantity in LISTED:
            return isinstance(found, tuple) and sorted(names) == sorted(map(str, found))
        if self.quantity in CONSTANTS:
            return Printed(text).value == found
        return Printed(text, self.k).agrees_with(found)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Dispute:
    """A claim that its own document, its paper or its network refutes, and what holds instead."""

    claim: str
    printed: str
    counted: str
    why: str
    alternative: str
    place: str
