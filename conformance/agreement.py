"""Do two runs of one network agree?  Their graphs are aligned and their recorded values compared.

No framework is needed: both sides are evidence.  Each run was held against the oracle on its own
graph; here the two are held against each other, so that an oracle that would follow a port into
its mistake cannot hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from conformance.align import Finding, align, findings
from conformance.deviation import NodeParity, SlotParity
from conformance.evidence import Record


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two records of one network have in common, and where they part.

    ``planned`` and ``compared`` count pairs of nodes.  ``largest`` is the largest difference of
    two recorded values of a pair, over the smaller of its two bounds, and ``node`` the first
    record's node where it was found; ``gradient`` is the same for the gradients of slots, where
    both runs have recorded them.  A ``problem`` is never a pass.
    """

    model: str
    planned: int
    compared: int
    complete: bool
    findings: tuple[Finding, ...]
    largest: float
    node: int | None
    first_divergence: int | None
    problem: str
    gradient: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether every node has its counterpart, alike in every attribute and value."""
        return (
            self.complete
            and not self.findings
            and not self.problem
            and 0 < self.planned == self.compared
            and self.largest <= 1.0
            and self.gradient <= 1.0
        )


def agreement(a: Record, b: Record) -> Agreement:
    """Set two records of one network side by side."""
    alignment = align(a.graph, b.graph)
    pairs = sorted((i, j) for i, j in alignment.pairs.items() if a.graph.nodes[i].kind != "input")
    differences, problem = _differences(a, b, pairs)
    gradient, unlike = _gradients(a, b, alignment.pairs)
    node = max(differences, key=lambda i: differences[i], default=None)
    return Agreement(
        model=a.model,
        planned=len(pairs),
        compared=len(differences),
        complete=alignment.complete,
        findings=tuple(findings(a.graph, b.graph, alignment)),
        largest=0.0 if node is None else differences[node],
        node=node,
        first_divergence=next((i for i, each in differences.items() if each > 1.0), None),
        problem=problem or unlike,
        gradient=gradient,
    )


def _gradients(a: Record, b: Record, pairs: dict[int, int]) -> tuple[float, str]:
    """The largest difference of two slots' gradients over its bound; and the first problem."""
    if a.gradients is None or b.gradients is None:
        alone = a.gradients is not b.gradients
        return 0.0, "gradients were recorded in one of the runs only" if alone else ""
    left = {(result.node, result.slot): result for result in a.gradients.slots}
    right = {(result.node, result.slot): result for result in b.gradients.slots}
    largest, problem = 0.0, a.gradients.problem or b.gradients.problem
    matched = {(i, slot): (pairs.get(i, -1), slot) for i, slot in left}
    if set(matched.values()) != right.keys() and not problem:
        problem = "the two runs have gradients of different slots"
    for key in matched.keys() if not problem else ():
        difference = _over_bound(left[key], right[matched[key]])
        if not isfinite(difference):
            return largest, f"the gradient of {key[1]} at node {key[0]} is not finite in both runs"
        largest = max(largest, difference)
    return largest, problem


def _differences(
    a: Record, b: Record, pairs: list[tuple[int, int]]
) -> tuple[dict[int, float], str]:
    """For each comparable pair its largest difference over its bound; and the first problem."""
    if a.model != b.model:
        return {}, f"{a.model} is not {b.model}"
    if a.parity is None or b.parity is None:
        return {}, "values were not recorded in both runs"
    if a.parity.seed != b.parity.seed:
        return {}, f"seeds {a.parity.seed} and {b.parity.seed} are different weights"
    left = {result.node: result for result in a.parity.nodes}
    right = {result.node: result for result in b.parity.nodes}
    differences: dict[int, float] = {}
    problem = a.parity.problem or b.parity.problem
    for i, j in pairs:
        subject = f"node {i} ({a.graph.nodes[i].kind})"
        if i not in left or j not in right:
            problem = problem or f"{subject} has no value in {_which(i in left, j in right)}"
        elif len(left[i].sample) != len(right[j].sample) or not left[i].sample:
            problem = problem or f"{subject} has samples of different length"
        elif isfinite(difference := _over_bound(left[i], right[j])):
            differences[i] = difference
        else:
            problem = problem or f"{subject} is not a finite number in both runs"
    return differences, problem or ("" if pairs else "no nodes correspond")


def _which(in_first: bool, in_second: bool) -> str:
    return "the first run" if in_second else "the second run" if in_first else "either run"


def _over_bound(a: NodeParity | SlotParity, b: NodeParity | SlotParity) -> float:
    """The largest difference of two samples, in units of the stricter bound of the two."""
    allowed = min(a.rms, b.rms) * min(a.bound, b.bound)
    differences = [abs(x - y) for x, y in zip(a.sample, b.sample, strict=True)]
    # One that is not a number compares as neither larger nor smaller: ask for it first.
    if not all(map(isfinite, [*differences, a.rms, b.rms, a.bound, b.bound])) or allowed <= 0:
        return float("nan")
    return max(differences) / allowed
