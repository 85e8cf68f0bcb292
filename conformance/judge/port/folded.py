"""A batch norm folded into the convolution before it: a known form, right or wrong.

B's kernel and bias are then what a division and a sum make of A's five slots.  They were computed
in float32, so they are judged by what float32 costs, and so are the results that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from conformance.graph.align import Alignment
from conformance.graph.model import Graph
from conformance.numbers.relation import Relation
from conformance.numbers.stored import Slots

#: The roundings of a folded number: sum, root, quotient, product and difference.
UNIT, STEPS = 2.0**-24, 6
#: Between a bound of float64 and what the same costs in float32, as in numbers.parity.
FLOAT32 = 2.0**14.5


class Fold(NamedTuple):
    """A convolution and its norm in A, and the convolution in B that does both."""

    conv: int
    norm: int
    folded: int


def folds(a: Graph, b: Graph, alignment: Alignment) -> list[Fold]:
    """The norms of A that have no counterpart, each behind a convolution that B has with a bias."""
    readers = a.consumers()
    found = []
    for norm in alignment.missing:
        (conv, *_) = a.nodes[norm].inputs or (-1,)
        folded = alignment.pairs.get(conv)
        if a.nodes[norm].kind != "batch_norm" or folded is None or len(readers[conv]) > 1:
            continue
        if a.nodes[conv].kind == b.nodes[folded].kind == "conv" and "bias" in b.nodes[folded].slots:
            found.append(Fold(conv, norm, folded))
    return found


def relations(fold: Fold, a: Slots, b: Slots) -> dict[str, Relation]:
    """What B's kernel and bias are, beside what A's slots come to."""
    norm = a.graph.nodes[fold.norm]
    kernel = a(fold.conv, "kernel")
    own = {
        slot: a(fold.norm, slot) if slot in norm.slots else np.full(kernel.shape[-1], neutral)
        for slot, neutral in (("gamma", 1.0), ("beta", 0.0), ("mean", 0.0), ("variance", 1.0))
    }
    if "bias" in a.graph.nodes[fold.conv].slots:
        own["mean"] = own["mean"] - a(fold.conv, "bias")
    own["epsilon"] = np.asarray(norm.attributes["epsilon"])
    scale = own["gamma"] / np.sqrt(own["variance"] + own["epsilon"])
    return {
        "kernel": _related(b(fold.folded, "kernel"), kernel * scale, _kernels(kernel, own)),
        "bias": _related(
            b(fold.folded, "bias"), own["beta"] - own["mean"] * scale, _biases(own, scale),
            np.abs(own["beta"]) + np.abs(own["mean"] * scale),
        ),
    }  # fmt: skip


Slip = tuple[str, np.ndarray]


def _related(
    have: np.ndarray, want: np.ndarray, slips: Iterator[Slip], size: np.ndarray | None = None
) -> Relation:
    """Right as far as float32 goes, or else what was forgotten."""
    bound = STEPS * UNIT * (np.abs(want) if size is None else size)
    if np.all(np.abs(have - want) <= bound):
        return Relation("equal", "folded")
    for said, other in slips:
        if np.all(np.abs(have - other) <= bound + STEPS * UNIT * np.abs(other)):
            return Relation("wrong", said, float(np.max(np.abs(have - want))))
    return Relation("wrong", "not the folded batch norm", float(np.max(np.abs(have - want))))


def _kernels(kernel: np.ndarray, of: dict[str, np.ndarray]) -> Iterator[Slip]:
    gamma, variance, epsilon = of["gamma"], of["variance"], of["epsilon"]
    yield "folded without epsilon", kernel * gamma / np.sqrt(variance)
    yield "folded with epsilon outside of the root", kernel * gamma / (np.sqrt(variance) + epsilon)
    yield "folded without gamma", kernel / np.sqrt(variance + epsilon)
    yield "folded without the deviation", kernel * gamma
    yield "folded with the variance for the deviation", kernel * gamma / (variance + epsilon)
    yield "not scaled by the batch norm", kernel


def _biases(of: dict[str, np.ndarray], scale: np.ndarray) -> Iterator[Slip]:
    beta, mean = of["beta"], of["mean"]
    yield "folded with a mean that is not scaled", beta - mean
    yield "folded without the mean", beta
    yield "folded without beta", -mean * scale
    yield "folded with the mean added", beta + mean * scale
