"""Does a live model compute what its graph says?  Every node against the oracle.

Float64 decides.  The bound is derived, not chosen, by :mod:`.precision`: the oracle
computes each node twice, in float64 and in float32, and the difference is what single precision
costs this network up to this node; a float64 result passes below ``2^-14.5`` of it.  What lies
above was not computed from the same formula, or not in double precision.  In a lower precision the
oracle computes in that one, on weights and an image that it can store, so that only arithmetic
can differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod, sqrt
from typing import cast

import numpy as np
from msgspec import UNSET, UnsetType

from conformance.chunks import each, packed
from conformance.data import Count, Row, Shape
from conformance.graph.axes import to_neutral
from conformance.graph.model import Graph, Node
from conformance.kinds.batch_norm import running_statistics
from conformance.kinds.experiment import wrong
from conformance.large import Windows
from conformance.numbers.adjoint import reads
from conformance.numbers.causes.roots import Root, Roots, stand_ins
from conformance.numbers.deviation import Control, NodeParity, SlotParity, distance, sample
from conformance.numbers.oracle import CannotCompute, Oracle
from conformance.numbers.precision import FLOAT64, PRECISIONS, Named, Precision
from conformance.numbers.stored import whole
from conformance.numbers.weights import BATCH, Weights, carried, counterparts, keeping
from conformance.trace.evaluation import evaluate
from conformance.trace.port import PLAIN, CannotExecute, Execution, Port, Run
from conformance.trace.tape import Tape
from conformance.values import text

__all__ = ["Control", "NodeParity", "Parity", "SlotParity", "outputs_differ", "parity"]


class Oracles:
    """What a graph computes for one batch of canonical images, in double and single precision.

    Checks of one step of training, forward and back, are given the same: then each of its nodes
    is computed once, and what the way back reads is kept, as it ``returns``.  Weights are those of
    the graph that it is ``like``.
    """

    def __init__(
        self, expected: Graph, seed: int, count: int, precision: Precision = FLOAT64,
        like: Graph | None = None, returns: bool = False,
    ):  # fmt: skip
        self.weights, self.precision = Weights(expected, seed, like), precision
        self.batch, self.returns = _kept(precision, self.weights.images(count)), returns
        self.begin()

    def begin(self) -> None:
        """Forget everything that was computed."""
        graph = self.weights.graph
        self.double = Oracle(graph, self.slot, self.batch)
        self.single = Oracle(graph, self.slot, self.batch, self.precision.oracle)
        if self.returns:
            self.double.needed, self.single.needed = reads(graph, True), reads(graph, False)

    def slot(self, index: int, name: str) -> np.ndarray:
        """The values of a slot that both sides are given."""
        return _kept(self.precision, self.weights.slot(index, name))

    def result(self, index: int) -> np.ndarray:
        """What a node should compute; both precisions have it then."""
        each(lambda oracle: oracle.result(index), (self.double, self.single))
        return self.double.result(index)

    def release(self, index: int) -> None:
        """Forget the result of a node, once nothing else is computed from it."""
        self.double.release(index)
        self.single.release(index)


class Parity(Row, frozen=True):
    """All that one run of one model says: nodes in order of execution, and control arms.

    ``statistics`` are the running means and variances that one training step leaves behind.
    ``precision`` and ``compiled`` are as in :class:`~conformance.trace.port.Execution`.
    ``roots`` are the nodes that are wrong by themselves, and why; float64 alone can tell.
    ``image`` is the size of the image, where another was run than the graph's own.
    """

    seed: Count
    nodes: tuple[NodeParity, ...]
    controls: tuple[Control, ...]
    problem: str = ""
    statistics: tuple[SlotParity, ...] = ()
    precision: Named = PLAIN.precision
    compiled: bool = False
    roots: tuple[Root, ...] = ()
    image: Shape | UnsetType = UNSET

    @property
    def first_divergence(self) -> NodeParity | None:
        return next((n for n in self.nodes if not n.agrees), None)

    def before(self, diverged: NodeParity) -> float:
        """The largest error of the nodes before a diverging one."""
        earlier = self.nodes[: self.nodes.index(diverged)]
        return max((n.error for n in earlier), default=0.0)


def parity(
    port: Port,
    tape: Tape,
    found: Graph,
    expected: Graph | None = None,
    pairs: dict[int, int] | None = None,
    seed: int = 0,
    to_the_end: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
    training: bool = False,
    how: Execution = PLAIN,
    keep: Callable[[int, np.ndarray], None] | None = None,
    oracles: Oracles | None = None,
    returns: bool = False,
) -> Parity:
    """Run a port on canonical weights and compare every node with the oracle.

    The oracle executes ``expected`` (the port's own graph when None); ``pairs`` says which node
    of ``found`` stands for which expected one.  Nodes without a counterpart are not compared.
    Without ``to_the_end`` the run stops where the results part.

    In ``training``, on a tape and graphs of training, a batch of two images goes through:
    normalised by its own statistics, auxiliary outputs included, and the running statistics
    that the step leaves behind are compared as well.  Dropout keeps everything, in the model by
    a draw that its mask keeps and in the oracle by definition; both scale by ``1 / (1 - rate)``,
    so that a wrong rate shows.

    ``keep`` receives the port's whole result of each node of ``expected``, in neutral layout.
    Of a compiled model the outputs alone are compared, with the bounds that the way there gives
    them.  The ``oracles`` that are given keep what another check goes on from, and with ``returns``
    the port is asked to remember its own way back.
    """
    expected = expected or found
    pairs = stand_ins(expected, found, pairs or {i: i for i in range(len(found))})
    precision = PRECISIONS[how.precision]
    both = oracles or Oracles(expected, seed, BATCH if training else 1, precision)
    weights, batch = both.weights, both.batch
    observer = _Observer(
        expected, found, pairs, both, to_the_end, progress,
        tape if how.compiled else None, keep,
    )  # fmt: skip
    slot = counterparts(weights, found, pairs)
    problem = ""
    try:
        given = carried(found, slot, tape, partial(_kept, precision))
        wanted, draws = frozenset(observer.wanted), keeping(tape, found) if training else {}
        with np.errstate(all="ignore"):  # what is not finite is reported, with its node
            run = Run(tape, given, batch, training, draws, how, returns)
            observer.replaced(port.run(run, wanted, observer))
    except (CannotCompute, CannotExecute) as reason:
        problem = str(reason)
    except _Parted:
        problem = "stopped at the first divergence"
    missing = len(observer.wanted) - len(observer.results)
    if missing and not problem:
        problem = f"{missing} of {len(observer.wanted)} results were never computed"
    problem = problem or observer.missing_statistics or outputs_differ(expected, found, pairs)
    return Parity(
        seed,
        tuple(observer.results),
        tuple(observer.controls),
        problem,
        tuple(observer.statistics),
        how.precision,
        how.compiled,
        observer.roots.found_roots if observer.roots else (),
    )


def _kept(precision: Precision, array: np.ndarray) -> np.ndarray:
    """What is left in float64 of numbers that were stored in a precision."""
    if isinstance(array, Windows):
        return cast(np.ndarray, array.made(partial(_kept, precision)))
    return precision.round(array.astype(precision.dtype, copy=False)).astype(np.float64, copy=False)


class _Parted(Exception):
    """The port and the oracle have parted, and the run ends there."""


class _Observer:
    """Receives the port's results one by one and lets two oracles keep step with it."""

    def __init__(
        self,
        expected: Graph,
        found: Graph,
        pairs: dict[int, int],
        oracles: Oracles,
        to_the_end: bool,
        progress: Callable[[int, int], None],
        compiled: Tape | None,
        keep: Callable[[int, np.ndarray], None] | None,
    ):
        self.keep = keep
        self.expected, self.found, self.progress = expected, found, progress
        self.oracles, self.precision = oracles, oracles.precision
        self.to_the_end, self.compiled = to_the_end, compiled
        self.pairs, self.back = pairs, {b: a for a, b in pairs.items()}
        self.double, self.rough = oracles.double, oracles.single
        self.wanted = {found.nodes[b].value: b for b in pairs.values() if found.nodes[b].seen}
        if compiled:
            results = zip(compiled.outputs, found.outputs, strict=True)
            self.wanted = {value: b for value, b in results if b in self.back}
        observed = {self.back[b] for b in self.wanted.values()}
        for index in set(range(len(expected))) - observed if not compiled else ():
            oracles.release(index)
        #: What the precision of the rough oracle costs up to each node.
        self.costs: dict[int, float] = {}
        self.results: list[NodeParity] = []
        self.controls: list[Control] = []
        self.statistics: list[SlotParity] = []
        #: What the step makes of a norm's running statistics, in double and single precision.
        self.running: dict[int, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]] = {}
        self.controlled = cheapest_of_each_kind(expected, observed)
        self.roots: Roots | None = None
        if self.precision is FLOAT64 and not compiled:
            self.roots = Roots(expected, found, pairs, observed, oracles.weights, self.double)

    def __call__(self, value: int, array: np.ndarray) -> None:
        b = self.wanted[value]
        a = self.back[b]
        port_node = self.found.nodes[b]
        node = self.expected.nodes[a]
        if self.compiled:
            array = _unfolded(self.compiled, value, port_node.value, array)
            for index in sorted(self.expected.ancestors(a) - self.costs.keys() - {a}):
                self._costed(index)
                self.oracles.release(index)
        got = neutral(array, port_node)
        if self.keep:
            self.keep(a, got)
        inputs = [self.double.result(i) for i in node.inputs] if a in self.controlled else []
        if node.attributes.get("momentum") is not None:
            self.running[a] = self._running(a, self.double), self._running(a, self.rough)
        segment = self.roots.before(a) if self.roots else None
        want, rms = self._costed(a)
        bound = self.costs[a] * self.precision.margin
        error = distance(got, want, rms)
        if a in self.controlled:
            self._control(a, node, inputs, got, rms, bound)
        if self.roots and segment:
            self.roots.after(a, segment, got, want, error, bound)
        self.oracles.release(a)
        self.results.append(NodeParity(a, rms, error, bound, sample(got)))
        self.progress(len(self.results), len(self.wanted))
        if not self.to_the_end and error > bound:
            raise _Parted

    def _costed(self, a: int) -> tuple[np.ndarray, float]:
        """What a node should compute, and its root mean square; the node's cost is noted."""
        want = self.oracles.result(a)
        rms = sqrt(float(np.mean(np.square(want)))) or 1.0
        inherited = [self.costs.get(i, 0.0) for i in self.expected.nodes[a].inputs]
        cost = distance(self.rough.result(a), want, rms)
        self.costs[a] = max(cost, *inherited, self.precision.oracle.unit)
        return want, rms

    def _running(self, a: int, oracle: Oracle) -> dict[str, np.ndarray]:
        node = self.expected.nodes[a]
        return running_statistics(node, oracle.parameters(a), oracle.result(node.inputs[0]))

    def replaced(self, arrays: dict[str, np.ndarray]) -> None:
        """What the port's training step has put in the place of stored arrays."""
        for a, (double, single) in self.running.items():
            parameters = self.found.nodes[self.pairs[a]].parameters
            for slot in sorted(double.keys() & parameters.keys()):
                pieces, want = parameters[slot], double[slot]
                if all(p.handle in arrays for p in pieces):
                    got = whole(self.found.nodes[self.pairs[a]], slot, arrays.__getitem__)
                    rms = sqrt(float(np.mean(np.square(want)))) or 1.0
                    cost = max(self.costs[a], distance(single[slot], want, rms))
                    self.statistics.append(SlotParity.of(a, slot, got, want, cost))
                    if self.roots:
                        before = self.expected.nodes[self.expected.nodes[a].inputs[0]].shape
                        count = len(self.double.image) * prod(before[:-1])
                        self.roots.statistic(self.statistics[-1], count, want, got)

    @property
    def missing_statistics(self) -> str:
        """Which running statistics the graph promises and the step did not replace."""
        slots = [
            (a, slot)
            for a, (double, _) in self.running.items()
            for slot in double.keys() & self.found.nodes[self.pairs[a]].parameters.keys()
        ]
        if missing := len(slots) - len(self.statistics):
            return f"{missing} of {len(slots)} running statistics were not replaced"
        return ""

    def _control(
        self, a: int, node: Node, inputs: list[np.ndarray], got: np.ndarray, rms: float,
        bound: float,
    ) -> None:  # fmt: skip
        alteration, result = wrong(self.double, node, self.double.parameters(a), inputs)
        self.controls.append(Control(a, alteration, distance(got, result, rms), bound))


def neutral(array: np.ndarray, node: Node) -> np.ndarray:
    """A port's result in neutral layout; one of another size stays as it is, and fails."""
    if array.size != prod(size for axis in node.axes for _, size in axis):
        return array
    return packed(to_neutral(array, node.axes).reshape((-1, *node.shape)))


def _unfolded(tape: Tape, output: int, value: int, array: np.ndarray) -> np.ndarray:
    """A node's result from the output that returns it, perhaps reshaped or transposed."""
    if output == value:
        return array
    result = np.empty(tape[value].shape)
    result.reshape(-1)[places(tape, output, value).reshape(-1)] = array.reshape(-1)
    return result


def places(tape: Tape, output: int, value: int) -> np.ndarray:
    """Where each number of an output stands in a node's result, which it lays out in another way.

    Raises :class:`.CannotCompute` where it is more than a layout.
    """
    shape = tape[value].shape
    numbers = np.arange(prod(shape))
    try:  # between 0 and 1 no bound that the graph has left out changes a number
        given = ((numbers + 1) / len(numbers)).reshape(shape)
        found = np.rint(evaluate(tape, output, {value: given}) * len(numbers)).astype(int) - 1
    except KeyError:
        found = numbers[:0]
    if not np.array_equal(np.sort(found, axis=None), numbers):
        raise CannotCompute("an output is more than a layout of its last node")
    return found


def outputs_differ(expected: Graph, found: Graph, pairs: dict[int, int]) -> str:
    """What is wrong with the outputs of a port: too few, too many, or another one in a place."""
    if len(found.outputs) != len(expected.outputs):
        return f"{len(found.outputs)} outputs, expected {len(expected.outputs)}"
    for place, (a, b) in enumerate(zip(expected.outputs, found.outputs, strict=True), 1):
        node, other = expected.nodes[a], found.nodes[b]
        if node.shape != other.shape:
            return f"output {place} is {text(other.shape)}, expected {text(node.shape)}"
        if pairs.get(a) != b:
            return f"output {place} is {other.kind} {other.where}, not what is expected there"
    return ""


def cheapest_of_each_kind(graph: Graph, observed: set[int]) -> set[int]:
    cheapest: dict[str, int] = {}
    for index in sorted(observed):
        node = graph.nodes[index]
        before = cheapest.get(node.kind)
        # The largest of one cell is its average: there is nothing to alter.
        one_cell = node.has("pooling") and prod(node.attributes.get("kernel", (2,))) == 1
        if not node.known or one_cell:
            continue
        if before is None or _cost(node) < _cost(graph.nodes[before]):
            cheapest[node.kind] = index
    return set(cheapest.values())


def _cost(node: Node) -> int:
    return prod(node.shape) + node.multiply_adds
