"""Does a live model compute what its graph says, to the bit?  Every node against whole numbers.

On the weights and the image of :mod:`conformance.numbers.integers` nothing rounds, so every
framework, device and precision has to give the same numbers: one that differs is a finding.
Zeros are equal, whatever their sign.

Some algorithms round inside a product although operands and result need no rounding: Winograd's
and those by Fourier transform.  Their results are accepted where the nearest multiple of the step
is the exact one and they are nearer to it, on a logarithmic scale, than a coarser precision would
be; and so is what is computed from them.  Such nodes are told apart from exact ones with their
distance.

What a comparison is worth depends on the numbers being different from one another: were all of
them zero, no bug would show.  :attr:`ExactNode.entropy` is the chance, in bits, that results whose
numbers have changed places at random still look the same, and has to be that of one number of the
coarsest product there is, :data:`TELLING`; of a vector too short for that, all have to differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log2

import numpy as np

from conformance.data import Count, Row
from conformance.graph.model import Graph
from conformance.kinds.experiment import wrong
from conformance.numbers.causes.roots import stand_ins
from conformance.numbers.deviation import Control
from conformance.numbers.integer_oracle import IntegerOracle
from conformance.numbers.integers import Integers
from conformance.numbers.oracle import CannotCompute, Oracle
from conformance.numbers.parity import cheapest_of_each_kind, neutral, outputs_differ
from conformance.numbers.precision import EXACT, PRECISIONS, Device, Named, Precision
from conformance.numbers.steps import Stepped
from conformance.numbers.weights import carried, counterparts
from conformance.trace.port import PLAIN, CannotExecute, Execution, Port, Run
from conformance.trace.tape import Tape

#: Bits of entropy that a result needs: the digits of one number that a TF32 product reads.
TELLING = 11

#: At how many nodes of a kind, the cheapest ones, its alteration is tried until it shows; products
#: may be so many times those of the cheapest one.
TRIED = 8

#: What parameters without a counterpart are multiplied by: no step is as large.
LOUD = 1 << 14

#: A result that is nearer than this to the exact one, in steps, is rounded to it.
NEAREST = 0.5


class ExactNode(Row, frozen=True):
    """One node's result beside the exact one.

    ``reason`` says why there is no exact one, and empty that there is.  ``differing`` of its
    numbers are others, the first of them at ``first``, height x width x channels, by at most
    ``distance`` steps.  ``rounded`` marks what is explained by an algorithm that rounds inside.
    ``alive`` is the share of numbers that are not zero.
    """

    node: Count
    reason: str = ""
    differing: Count = 0
    first: tuple[Count, ...] = ()
    distance: float = 0.0
    rounded: bool = False
    alive: float = 0.0
    entropy: float = 0.0
    needed: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether there is an exact result and this is it."""
        return not self.reason and not self.differing

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against it."""
        return bool(self.reason) or not self.differing or self.rounded


class Exact(Row, frozen=True):
    """All that one exact run of one model says: nodes in order of execution, and control arms."""

    seed: Count
    precision: Named
    device: Device
    nodes: tuple[ExactNode, ...]
    controls: tuple[Control, ...]
    problem: str = ""

    @property
    def exact(self) -> int:
        """How many nodes are exact."""
        return sum(node.exact for node in self.nodes)

    @property
    def first_difference(self) -> ExactNode | None:
        return next((node for node in self.nodes if not node.agrees), None)

    @property
    def dull(self) -> tuple[ExactNode, ...]:
        """The nodes whose exact results are too much alike to tell a bug."""
        return tuple(n for n in self.nodes if not n.reason and n.entropy < n.needed)


def exact(
    port: Port,
    tape: Tape,
    found: Graph,
    expected: Graph | None = None,
    pairs: dict[int, int] | None = None,
    seed: int = 0,
    how: Execution = PLAIN,
    progress: Callable[[int, int], None] = lambda done, total: None,
    integers: Integers | None = None,
) -> Exact:
    """Run a port on integers and compare every node with the exact result.

    ``expected``, ``pairs`` and ``found`` are as in :func:`conformance.numbers.parity.parity`;
    ``integers`` are those of the expected graph, where they have been chosen already.
    """
    expected = expected or found
    pairs = stand_ins(expected, found, pairs or {i: i for i in range(len(found))})
    precision = PRECISIONS[how.precision]
    if how.precision not in EXACT or how.compiled:
        raise CannotExecute(f"a network is not kept in whole numbers in {how}")
    integers = integers or Integers(expected, seed, precision)
    observer = _Observer(integers, found, pairs, precision, progress)
    problem = ""
    try:
        given = carried(found, _loudly(integers, found, pairs), tape)
        run = Run(tape, given, integers.image(), how=how)
        port.run(run, frozenset(observer.wanted), observer)
    except (CannotCompute, CannotExecute) as reason:
        problem = str(reason)
    missing = len(observer.wanted) - len(observer.results)
    if missing and not problem:
        problem = f"{missing} of {len(observer.wanted)} results were never computed"
    problem = problem or outputs_differ(expected, found, pairs)
    nodes, arms = tuple(observer.results), tuple(observer.arms.values())
    return Exact(seed, how.precision, how.device, nodes, arms, problem)


def _loudly(
    integers: Integers, found: Graph, pairs: dict[int, int]
) -> Callable[[int, str], np.ndarray]:
    """Values for a port's slots; one that the expected graph has not is heard in whole steps."""
    given = counterparts(integers, found, pairs)
    back = {b: a for a, b in pairs.items()}

    def slot(index: int, name: str) -> np.ndarray:
        values, expected = given(index, name), back.get(index)
        if expected is not None and name in integers.graph.nodes[expected].slots:
            return values
        return values * LOUD

    return slot


class _Observer:
    """Receives the port's results one by one and lets the integer oracle keep step with it."""

    def __init__(
        self,
        integers: Integers,
        found: Graph,
        pairs: dict[int, int],
        precision: Precision,
        progress: Callable[[int, int], None],
    ):
        self.integers, self.found, self.precision, self.progress = (
            integers, found, precision, progress,
        )  # fmt: skip
        self.expected, self.back = integers.graph, {b: a for a, b in pairs.items()}
        self.oracle = IntegerOracle(integers)
        #: Computes altered nodes; in double precision nothing of them rounds.
        self.double = Oracle(self.expected, integers.slot, integers.image())
        self.wanted = {found.nodes[b].value: b for b in pairs.values() if found.nodes[b].seen}
        observed = {self.back[b] for b in self.wanted.values()}
        for index in set(range(len(self.expected))) - observed:
            self.oracle.release(index)
        self.controlled = _controlled(self.expected, observed - integers.reasons.keys())
        self.results: list[ExactNode] = []
        #: For each kind a control arm, tried again at another node until it shows.
        self.arms: dict[str, Control] = {}
        #: The nodes whose results an algorithm has rounded, and what is computed from them.
        self.rounded: set[int] = set()

    def __call__(self, value: int, array: np.ndarray) -> None:
        b = self.wanted[value]
        a = self.back[b]
        inputs = [self.oracle.result(i) for i in self.expected.nodes[a].inputs]
        want = self.oracle.result(a)
        if a in self.integers.reasons:
            self.results.append(ExactNode(a, self.integers.reasons[a]))
        else:
            # A framework may keep more digits for a while than it stores: what it would store.
            got = self.precision.round(neutral(array, self.found.nodes[b]))
            self.results.append(self._compared(a, got, want))
            arm = self.arms.get(self.expected.nodes[a].kind)
            if a in self.controlled and not (arm and arm.caught):
                self._control(a, inputs, got, want)
        self.oracle.release(a)
        self.progress(len(self.results), len(self.wanted))

    def _compared(self, a: int, got: np.ndarray, want: Stepped) -> ExactNode:
        node, exact_ = self.expected.nodes[a], _neutral(want, self.expected.nodes[a].shape)
        variety = _variety(want)
        if got.shape != exact_.shape:
            return ExactNode(a, "", exact_.size, (), inf, False, *variety)
        same = got == exact_
        if same.all():
            return ExactNode(a, "", 0, (), 0.0, False, *variety)
        apart = _steps_apart(got, exact_, want)
        reads_rounded = any(i in self.rounded for i in node.inputs)
        near = min(NEAREST, want.levels * self.precision.between)
        rounded = apart < near and (node.kind in ("conv", "dense") or reads_rounded)
        if rounded:
            self.rounded.add(a)
        first = np.unravel_index(int(np.argmin(same)), same.shape)[1:]
        place = tuple(map(int, first))
        return ExactNode(a, "", int((~same).sum()), place, apart, rounded, *variety)

    def _control(self, a: int, inputs: list[Stepped], got: np.ndarray, want: Stepped) -> None:
        """A wrong variant of the node has to differ from the port."""
        node = self.expected.nodes[a]
        shapes = [self.expected.nodes[i].shape for i in node.inputs]
        wide = [_neutral(x, s).astype(float) for x, s in zip(inputs, shapes, strict=True)]
        with np.errstate(all="ignore"):
            alteration, result = wrong(self.double, node, self.double.parameters(a), wide)
        kept = self.precision.round(result)
        arm = Control(a, alteration, _steps_apart(got, kept.astype(np.float64), want), 0.0)
        self.arms[node.kind] = arm


def _controlled(graph: Graph, nodes: set[int]) -> set[int]:
    """A few nodes of each kind: an alteration may change nothing where there are few numbers.

    Of products one that takes many times what the cheapest does says no more than that.
    """
    found = cheapest_of_each_kind(graph, nodes)
    least = {graph.nodes[i].kind: graph.nodes[i].multiply_adds for i in found}
    for _ in range(TRIED - 1):
        found |= cheapest_of_each_kind(graph, nodes - found)
    return {i for i in found if graph.nodes[i].multiply_adds <= TRIED * least[graph.nodes[i].kind]}


def _neutral(x: Stepped, shape: tuple[int, ...]) -> np.ndarray:
    """A stepped result as 1 x height x width x channels, or as 1 x length."""
    return x.values.transpose(1, 2, 0).reshape(1, *shape)


def _steps_apart(got: np.ndarray, want: np.ndarray, stepped: Stepped) -> float:
    """The largest difference in steps; infinite for what is not comparable."""
    if got.shape != want.shape:
        return inf
    apart = float(np.abs(got.astype(np.float64) - want).max(initial=0)) / float(stepped.step)
    return apart if apart < inf else inf


def _variety(x: Stepped) -> tuple[float, float, float]:
    """The share of numbers that are not zero, the entropy of all, and what it has to be."""
    levels = np.rint(x.values.reshape(-1) * (1 / float(x.step)))
    if np.ptp(levels) < 1 << 16:
        counts = np.bincount((levels - levels.min()).astype(np.int32))
    else:
        counts = np.unique(levels, return_counts=True)[1]
    size = levels.size
    entropy = -size * log2(float(np.square(counts / size).sum()))
    # All different is all that there can be; the sum of squares has rounded.
    most = size * log2(size) * (1 - 2**-20)
    return float(np.count_nonzero(levels)) / size, entropy, min(TELLING, most)
