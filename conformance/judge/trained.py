"""What inference hides: a training step of the port, and its gradients, beside the oracle."""

from __future__ import annotations

from math import isfinite
from typing import Any

from conformance.graph.names import names
from conformance.judge.hints import vanishes
from conformance.judge.variants import Comparison
from conformance.numbers.causes.roots import Root, stand_ins
from conformance.numbers.gradients import IMAGE, Gradients, gradients
from conformance.numbers.parity import parity
from conformance.trace.port import Port, UntraceableModel
from conformance.trace.tape import Tape

Json = dict[str, Any]

#: What a share of the right gradient says; anything else is altered.
SHARES = {0.0: "cut", 2.0: "counted twice", -1.0: "reversed"}


class Side:
    """Which graph the oracle executes, and which of the port's nodes stands for which of its.

    A port that is a known variant is held against itself: its differences have been explained.
    """

    def __init__(self, comparison: Comparison, variant: bool) -> None:
        self.comparison = comparison
        self.expected = comparison.found if variant else comparison.expected
        pairs = {i: i for i in range(len(self.expected))} if variant else comparison.pairs
        self.pairs = stand_ins(self.expected, comparison.found, pairs)
        self.names = names(self.expected, [row.name for row in comparison.model.rows])

    def finding(self, check: str, node: int, attribute: str, **found: Any) -> Json:
        """A finding at a node of the executed graph."""
        there = self.comparison.found.nodes[self.pairs[node]]
        return {
            "check": check,
            "node": self.names[node],
            "port_node": str(there.where),
            "kind": self.expected.nodes[node].kind,
            "attribute": attribute,
        } | found


def training(port: Port, tape: Tape, side: Side, seed: int) -> tuple[list[Json], int, int, str]:
    """One training step: findings, values to be compared, values compared, and a problem.

    Two images, batch statistics, auxiliary heads, nothing dropped, and the running statistics
    that the step leaves behind.
    """
    found = side.comparison.found
    try:
        ran = parity(port, tape, found, side.expected, side.pairs, seed, training=True)
    except UntraceableModel as refused:
        return [], len(side.pairs), 0, str(refused)
    planned = sum(found.nodes[b].kind != "input" for b in side.pairs.values())
    planned += len(ran.statistics)
    errors = {n.node: n for n in ran.nodes}
    roots = {(root.node, root.slot): root for root in ran.roots}
    if diverged := ran.first_divergence:
        values = [root for root in ran.roots if not root.slot] or [Root(diverged.node, ())]
        wrong = [
            side.finding(
                "training", root.node, "value", expected=errors[root.node].bound,
                found=_finite(errors[root.node].error), source="", inherited=root.inherited,
                hint=vanishes(root.causes, "in training the values are not those of what it says"
                              " it computes"),
            )
            for root in values
        ]  # fmt: skip
        return wrong, planned, planned, ""
    wrong_statistics = [
        side.finding(
            "training", each.node, each.slot, expected=each.bound, found=_finite(each.error),
            source="", hint=vanishes(
                roots[each.node, each.slot].causes, "after one step it is another"
            ),
        )
        for each in ran.statistics
        if not each.agrees
    ]  # fmt: skip
    return wrong_statistics, planned, len(ran.nodes) + len(ran.statistics), ran.problem


def backward(
    port: Port, tape: Tape, side: Side, seed: int, training: bool = False
) -> tuple[list[Json], int, int, str]:
    """The gradients of every slot and of the image: findings, planned, run, and a problem."""
    found = gradients(port, tape, side.comparison.found, side.expected, side.pairs, seed, training)
    planned = max(len(found.slots), 1)
    if (diverged := found.first_divergence) is None:
        return [], planned, len(found.slots), found.problem
    suspects = [i for i in found.suspects(side.expected) if i in side.pairs] or [diverged.node]
    first = "image" if diverged.slot == IMAGE else f"{side.names[diverged.node]} {diverged.slot}"
    wrong = side.finding(
        "gradient", suspects[0], "gradient", expected=diverged.bound,
        found=_finite(diverged.error), source="",
        hint=f"the gradient is {share(found) or 'altered'} here: a detach, a stop_gradient or a"
        f" hook? The first wrong one from the output back is that of {first}",
    )  # fmt: skip
    return [wrong], planned, planned, ""


def share(found: Gradients) -> str:
    """What became of the first wrong gradient, if it is the right one times a number.

    Any number but those that a program makes by itself has to be that of another slot as well: two
    gradients do not agree in one by chance.
    """
    first, *others = [each for each in found.slots if not each.agrees]
    for number, word in SHARES.items():
        if abs(first.share - number) <= first.bound:
            return word
    alike = any(abs(each.share - first.share) <= first.bound for each in others)
    return f"scaled by {first.share:.6g}" if alike else ""


def _finite(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return value if isfinite(value) else None
