"""Do two runs of one network agree?  Their graphs are aligned and their recorded values compared.

No framework is needed: both sides are evidence.  Each run was held against the oracle on its own
graph; here the two are held against each other, in inference and in training, so that an oracle
that would follow a port into its mistake cannot hide it.

What frameworks do by convention is stated and is no finding.  There is one such convention: the
running variance takes in the variance of a sample in PyTorch (``unbiased``) and that of the batch
in Keras and Flax; no paper says which.  Where two runs differ in it, the first kind is reduced to
the second by arithmetic before the two are compared.  The momentum is the network's own and a
finding like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, prod
from typing import Any

from msgspec import structs

from conformance.graph.align import Finding, align, findings
from conformance.graph.model import Graph
from conformance.graph.shrink import sides
from conformance.judge.record.evidence import Record, Run
from conformance.numbers.deviation import NodeParity, SlotParity, distance, sample
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Parity
from conformance.numbers.weights import BATCH, Weights

#: A node, and one of its slots; no slot for the node's own result.
Key = tuple[int, str]
Results = Mapping[Key, NodeParity | SlotParity]

#: What a record has of a network that was examined thoroughly.
THOROUGH = ("training_parity", "gradients", "training_gradients")

#: The attribute in which frameworks differ by convention.
UNBIASED = "unbiased"


@dataclass(frozen=True, slots=True)
class Mode:
    """What two runs recorded of one mode, set side by side.

    ``planned`` and ``compared`` count pairs of nodes, none where neither run recorded values;
    of gradients, pairs of slots.  ``largest`` is the largest difference of two recorded values
    of a pair, over the smaller of its two bounds, and ``worst`` where it was found; a slot is
    that of a gradient or of a running statistic after a step.  ``conventions`` are differences
    that are the frameworks' and not the network's.  ``whole`` counts the pairs of which every
    number was compared and not only a sample.  A ``problem`` is never a pass.
    """

    graph: Graph = field(repr=False)
    other: Graph = field(repr=False)
    planned: int
    compared: int
    complete: bool
    findings: tuple[Finding, ...] = ()
    conventions: tuple[Finding, ...] = ()
    largest: float = 0.0
    worst: Key | None = None
    first_divergence: Key | None = None
    problem: str = ""
    whole: int = 0

    @property
    def agrees(self) -> bool:
        """Whether every node has its counterpart, alike in every attribute and value."""
        return (
            self.complete
            and not self.findings
            and not self.problem
            and self.planned == self.compared
            and self.largest <= 1.0
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two records of one network have in common, and where they part.

    ``modes`` are inference, training and the gradients of both, as far as either run has them;
    ``alone`` is what only one of two runs of different kinds has recorded, which is not compared.
    """

    model: str
    modes: dict[str, Mode]
    problem: str
    alone: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether the runs agree in every mode, and at least inference was compared."""
        compared = self.modes["inference"].compared > 0
        return compared and not self.problem and all(mode.agrees for mode in self.modes.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for mode in self.modes.values() for finding in mode.findings)


def joined(a: Run, b: Run, model: str) -> Agreement:
    """Set two runs of one network side by side.

    Runs on different devices, or on another backend, do not examine the same networks thoroughly:
    what only one of them has recorded is told and not compared.  Of runs of one kind it is a
    problem.
    """
    records = a.records[model], b.records[model]
    if (a.device, a.backend) == (b.device, b.backend):
        return agreement(*records)
    alone = [what for what in THOROUGH if len({getattr(r, what) is None for r in records}) == 2]
    without: dict[str, Any] = dict.fromkeys(alone)
    found = agreement(*(replace(record, **without) for record in records))
    return replace(found, alone=tuple(what.replace("_", " ") for what in alone))


def agreement(a: Record, b: Record) -> Agreement:
    """Set two records of one network side by side."""
    modes = {"inference": _in_full(_values((a.graph, a.parity), (b.graph, b.parity)), a, b)}
    problems = [
        "" if a.model == b.model else f"{a.model} is not {b.model}",
        "" if a.parity and b.parity else "values were not recorded in both runs",
    ]
    if a.training and b.training:
        sides = (a.training, a.training_parity), (b.training, b.training_parity)
        modes["training"] = _values(*sides)
    elif a.training or b.training:
        problems.append("training was traced in one of the runs only")
    if a.gradients or b.gradients:
        modes["gradients"] = _gradients((a.graph, a.gradients), (b.graph, b.gradients))
    back = a.training_gradients, b.training_gradients
    if a.training and b.training and any(back):
        modes["training gradients"] = _gradients((a.training, back[0]), (b.training, back[1]))
    said = {name: "" if name == "inference" else f"{name}: " for name in modes}
    problems += [mode.problem and said[name] + mode.problem for name, mode in modes.items()]
    return Agreement(a.model, modes, next(filter(None, problems), ""))


def _values(a: tuple[Graph, Parity | None], b: tuple[Graph, Parity | None]) -> Mode:
    """Set two graphs of one mode side by side, and the values where both runs have them."""
    (graph, first), (other, second) = a, b
    alignment = align(graph, other)
    every = findings(graph, other, alignment)
    conventions = tuple(each for each in every if _by_convention(each))
    mode = Mode(
        graph, other, 0, 0, alignment.complete,
        tuple(each for each in every if not _by_convention(each)), conventions,
    )  # fmt: skip
    if first is None or second is None:
        alone = "values were recorded in one of the runs only"
        return mode if first is second else replace(mode, problem=alone)
    nodes = [(i, "") for i in sorted(alignment.pairs) if graph.nodes[i].kind != "input"]
    left, right = (
        _by_key([*parity.nodes, *_of_the_batch(parity, of, norms)])
        for parity, of, norms in (
            (first, graph, {each.expected_node for each in conventions}),
            (second, other, {each.found_node for each in conventions}),
        )
    )
    problem = first.problem or second.problem
    if first.seed != second.seed:
        problem = f"seeds {first.seed} and {second.seed} are different weights"
    elif first.image != second.image:
        problem = "the images have different sizes"
    elif not nodes:
        problem = problem or "no nodes correspond"
    return _compared(replace(mode, problem=problem), left, right, alignment.pairs, nodes)


def _in_full(mode: Mode, a: Record, b: Record) -> Mode:
    """The same where both runs have kept whole results."""
    if not (a.arrays and b.arrays and a.parity and b.parity):
        return mode
    left, right = _by_key(a.parity.nodes), _by_key(b.parity.nodes)
    differences: dict[Key, float] = {}
    for i, j in sorted(align(a.graph, b.graph).pairs.items()):
        if i in a.arrays and j in b.arrays and (i, "") in left and (j, "") in right:
            one, other = left[i, ""], right[j, ""]
            apart = distance(b.arrays[j], a.arrays[i], min(one.rms, other.rms))
            differences[i, ""] = apart / min(one.bound, other.bound)
    worst = max(differences, key=lambda key: differences[key], default=None)
    if worst is None or differences[worst] <= mode.largest:
        return replace(mode, whole=len(differences))
    beyond = [key for key, each in differences.items() if each > 1.0] + [mode.first_divergence]
    first = min(filter(None, beyond), default=None)
    return replace(
        mode, whole=len(differences), largest=differences[worst], worst=worst,
        first_divergence=first,
    )  # fmt: skip


def _gradients(a: tuple[Graph, Gradients | None], b: tuple[Graph, Gradients | None]) -> Mode:
    """Set the gradients of two runs side by side."""
    (graph, first), (other, second) = a, b
    alignment = align(graph, other)
    mode = Mode(graph, other, 0, 0, alignment.complete)
    if first is None or second is None:
        return replace(mode, problem="gradients were recorded in one of the runs only")
    sizes = "" if first.image == second.image else "the images have different sizes"
    mode = replace(mode, problem=first.problem or second.problem or sizes)
    left, right = _by_key(first.slots), _by_key(second.slots)
    return _compared(mode, left, right, alignment.pairs, [])


def _compared(
    mode: Mode, left: Results, right: Results, pairs: dict[int, int], needed: list[Key]
) -> Mode:
    """Compare what is ``needed`` and all that either run has of a paired node."""
    back = {j: i for i, j in pairs.items()}
    here = [key for key in left if key[0] in pairs]
    there = [(back[j], slot) for j, slot in right if j in back]
    keys = list(dict.fromkeys([*needed, *here, *there]))
    differences: dict[Key, float] = {}
    problem = mode.problem
    for key in keys:
        (node, slot), other = key, (pairs[key[0]], key[1])
        subject = f"node {node} ({mode.graph.nodes[node].kind})"
        subject = f"{slot} of {subject}" if slot else subject
        if key not in left or other not in right:
            problem = problem or f"{subject} has no value in {_which(key in left, other in right)}"
        elif len(left[key].sample) != len(right[other].sample) or not left[key].sample:
            problem = problem or f"{subject} has samples of different length"
        elif isfinite(difference := _over_bound(left[key], right[other])):
            differences[key] = difference
        else:
            problem = problem or f"{subject} is not a finite number in both runs"
    return replace(
        mode,
        planned=len(keys),
        compared=len(differences),
        largest=max(differences.values(), default=0.0),
        worst=max(differences, key=lambda key: differences[key], default=None),
        first_divergence=next((key for key, each in differences.items() if each > 1.0), None),
        problem=problem,
    )


def _by_convention(finding: Finding) -> bool:
    return finding.attribute == UNBIASED and {finding.expected, finding.found} == {True, False}


def _of_the_batch(parity: Parity, graph: Graph, norms: set[int | None]) -> Iterable[SlotParity]:
    """The running statistics of a step, as if some norms had taken in the batch's own variance.

    In ``momentum * old + (1 - momentum) * new`` a sample's variance makes the second part
    ``count / (count - 1)`` times as large; what was there before is canonical.
    """
    if not norms:
        yield from parity.statistics
        return
    weights = Weights(graph, parity.seed)
    size = parity.image or graph.nodes[graph.inputs[0]].shape
    maps = [sides(graph, axis, size[axis]) for axis in (0, 1)]
    for each in parity.statistics:
        node = graph.nodes[each.node]
        if each.node in norms and each.slot == "variance" and node.attributes[UNBIASED]:
            old = sample(weights.slot(each.node, each.slot))
            count = BATCH * prod(side[node.inputs[0]] for side in maps)
            kept = node.attributes["momentum"]
            found = (x - (x - kept * y) / count for x, y in zip(each.sample, old, strict=False))
            each = structs.replace(each, sample=tuple(found))
        yield each


def _by_key(results: Iterable[NodeParity | SlotParity]) -> Results:
    return {(each.node, getattr(each, "slot", "")): each for each in results}


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
