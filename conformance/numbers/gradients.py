"""Does a live model differentiate to what its graph says?  Every gradient, against the oracle's.

The loss is the sum of every output times a fixed canonical cotangent, in float64.  The model's
own automatic differentiation gives the gradients with respect to the image and to every slot that
training moves; the oracle walks its graph back for the same.  Two models that agree in the forward
pass part here when one of them detaches something, stops or scales a gradient, or brings a
derivative of its own along.

In training a batch goes through its own statistics and through auxiliary heads, and what flows
back flows through both.  A step of stochastic gradient descent, ``w - rate * gradient``, is that
gradient and a subtraction: it is right where the gradient is, and is no check of its own.  What
a step does besides, to the running statistics, is compared by :mod:`.parity`.

The bound is derived as in :mod:`.parity`: the oracle's gradient in float32, forward
and back, differs from that in float64 by what single precision costs up to this place, counted
from the output; a float64 gradient passes below ``2^-14.5`` of it.  A gradient that is zero, such
as that of a bias before a norm of the batch, is nothing but rounding in both: its unit is then the
size that would lose all of itself to single precision here, and it may be as far from zero as the
rounding of a double.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType

from conformance.chunks import each, packed
from conformance.data import Count, Row, Shape
from conformance.graph.axes import to_neutral
from conformance.graph.model import Graph, Node, Parameter
from conformance.large import Large, inner
from conformance.numbers.adjoint import TRAINED, backward
from conformance.numbers.deviation import Control, SlotParity, beside, distance
from conformance.numbers.located import located
from conformance.numbers.oracle import CannotCompute
from conformance.numbers.parity import Oracles, neutral, outputs_differ, places
from conformance.numbers.precision import FLOAT32, FLOAT64
from conformance.numbers.stored import view
from conformance.numbers.weights import BATCH, carried, counterparts, keeping
from conformance.trace.port import NoGradient, Port, Run, UntraceableModel
from conformance.trace.tape import Tape

#: The name of the image among the slots.
IMAGE = "image"


class Gradients(Row, frozen=True):
    """All gradients of one model, from the output back, and control arms.

    ``image`` is the size of the image, where another was run than the graph's own.
    """

    seed: Count
    slots: tuple[SlotParity, ...]
    controls: tuple[Control, ...]
    problem: str = ""
    image: Shape | UnsetType = UNSET

    @property
    def first_divergence(self) -> SlotParity | None:
        """The wrong gradient closest to the output: whatever is wrong lies between it and that."""
        return next((s for s in self.slots if not s.agrees), None)

    def suspects(self, graph: Graph) -> tuple[int, ...]:
        """Nodes at or directly after which the gradient was altered, the first divergence first.

        A node whose slots are right has been given the right gradient, and so have those behind
        it, whose own it is made of.  What is wrong lies between the node that diverged first and
        them.  Where only some of its slots are wrong, what it was given is right: it is itself.
        """
        if (diverged := self.first_divergence) is None:
            return ()
        wrong = {s.node for s in self.slots if not s.agrees}
        right = {s.node for s in self.slots if s.agrees}
        if diverged.node in right:
            return (diverged.node,)
        readers = graph.consumers()
        cleared = _reached(readers, right - wrong, set())
        return tuple(sorted(_reached(readers, {diverged.node}, cleared)))


def _reached(readers: list[list[int]], start: set[int], barred: set[int]) -> set[int]:
    found, stack = set[int](), list(start)
    while stack:
        if (index := stack.pop()) not in found | barred:
            found.add(index)
            stack.extend(readers[index])
    return found


def gradients(
    port: Port,
    tape: Tape,
    found: Graph,
    expected: Graph | None = None,
    pairs: dict[int, int] | None = None,
    seed: int = 0,
    training: bool = False,
    oracles: Oracles | None = None,
    altered: Callable[[tuple[int, ...]], None] | None = None,
) -> Gradients:
    """Differentiate a port on canonical weights and compare every slot's gradient.

    The graphs and ``tape`` are those of inference or, with ``training``, those of training;
    ``expected``, ``pairs`` and what becomes of dropout are as in
    :func:`.parity`.  Slots of another shape than expected are not compared.
    Raises :class:`.NoGradient`; what else cannot be computed is a problem, never a pass.
    ``oracles`` have been through the same step already.  ``altered`` is given the nodes at which a
    wrong gradient was altered, if there is one; the port goes back once more for that.
    """
    expected = expected or found
    pairs = pairs or {i: i for i in range(len(found))}
    problem = outputs_differ(expected, found, pairs)
    if not problem and len(tape.outputs) != len(found.outputs):
        problem = f"{len(tape.outputs)} outputs, expected {len(expected.outputs)}"
    if problem:
        return Gradients(seed, (), (), problem)
    comparison = _Comparison(expected, found, pairs)
    count = BATCH if training else 1
    oracles = oracles or Oracles(expected, seed, count, returns=True)
    weights, batch = oracles.weights, oracles.batch
    cotangents = weights.cotangents(count)
    try:
        outputs = zip(tape.outputs, found.outputs, cotangents, strict=True)
        own = [_laid_out(tape, value, found.nodes[node], each) for value, node, each in outputs]
        values = carried(found, counterparts(weights, found, pairs), tape)
        wanted = frozenset(p.handle for pieces in comparison.pieces.values() for p in pieces)
        draws = keeping(tape, found) if training else {}
        run = Run(tape, values, batch, training, draws, came=comparison.came)
        comparison.begin(oracles, cotangents)
        with np.errstate(all="ignore"):
            comparison.end(port.gradient(run, own, wanted))
            if altered and not all(slot.agrees for slot in comparison.slots):
                altered(comparison.altered(oracles, _inside(port, run, own, found, pairs)))
    except NoGradient:
        raise  # the model itself cannot go backward
    except (CannotCompute, UntraceableModel) as reason:
        return Gradients(seed, (), (), str(reason))
    if missing := comparison.planned - len(comparison.slots):
        problem = f"{missing} of {comparison.planned} gradients were never computed"
    controls = tuple(control for _, control in comparison.controls.values())
    return Gradients(seed, tuple(comparison.slots), controls, problem)


def _inside(
    port: Port, run: Run, own: list[np.ndarray], found: Graph, pairs: dict[int, int]
) -> dict[int, list[np.ndarray]]:
    """The port's gradients by the results of nodes, as far as it has them."""
    nodes = {a: found.nodes[b] for a, b in pairs.items() if found.nodes[b].seen}
    try:
        got = port.inside(run, own, frozenset(node.value for node in nodes.values()))
    except UntraceableModel:
        return {}
    return {
        a: [neutral(array, node) for array in got[node.value]]
        for a, node in nodes.items()
        if node.value in got
    }


def _laid_out(tape: Tape, output: int, node: Node, cotangent: np.ndarray) -> np.ndarray:
    """A neutral array for an output, in the shape and layout that the port returns it in."""
    if node.value < 0:
        raise CannotCompute(f"an output is not a result of {node.kind} at {node.where}")
    shape = tape[node.value].shape
    numbers = np.arange(prod(shape))
    own = np.empty(len(numbers))
    own[to_neutral(numbers.reshape(shape), node.axes).reshape(-1)] = cotangent.reshape(-1)
    return own[places(tape, output, node.value)]


def _rms(array: np.ndarray) -> float:
    return sqrt(inner(array, array) / array.size)


def _together(*walks: Iterator[Any]) -> Iterator[list[Any]]:
    """Walks of equal length, a step of each at a time, at the same time."""
    found: list[Any] = [None] * len(walks)

    def step(place: int) -> None:
        found[place] = next(walks[place], None)

    while True:
        each(step, range(len(walks)))
        if found[0] is None:
            return
        yield found


class _Comparison:
    """Lets the oracle walk back in two precisions and sets a port's gradients beside its own."""

    def __init__(self, expected: Graph, found: Graph, pairs: dict[int, int]) -> None:
        self.expected, self.found, self.pairs = expected, found, pairs
        live = expected.ancestors(*expected.outputs)
        self.pieces: dict[tuple[int, str], tuple[Parameter, ...]] = {}
        for a, b in pairs.items():
            node, other = expected.nodes[a], found.nodes[b]
            for slot in sorted(TRAINED & node.slots.keys() & other.slots.keys()):
                if node.slots[slot] == other.slots[slot] and a in live:
                    self.pieces[a, slot] = other.parameters[slot]
        self.planned = len(self.pieces) + 1  # and the image
        self.slots: list[SlotParity] = []
        self.controls: dict[str, tuple[int, Control]] = {}
        #: The right gradient by the result of an output, and what single precision costs at a node.
        self.above: dict[int, np.ndarray] = {}
        self.costs: dict[int, float] = {}
        self.received: dict[str | None, np.ndarray] = {}
        #: What was received before the end, and why the comparison stopped then, if it did.
        self.early: set[str] = set()
        self.failed: Exception | None = None
        self.complete = False

    def altered(self, oracles: Oracles, inside: dict[int, list[np.ndarray]]) -> tuple[int, ...]:
        """The nodes at which the gradient was altered, by the port's own inside its network."""
        bounds = {index: cost * FLOAT64.margin for index, cost in self.costs.items()}
        return located(oracles.double, self.above, inside, bounds, self.slots)

    def begin(self, oracles: Oracles, cotangents: list[np.ndarray]) -> None:
        """Get ready for what is going to come, from the outputs back."""
        self._again = partial(self._walk, oracles, cotangents)
        self._walking = self._again()

    def came(self, handle: str, gradient: np.ndarray) -> None:
        """Receive a gradient while the port goes back, and compare as much as can be."""
        self.received[handle] = gradient
        self.early.add(handle)
        try:
            next(self._walking, None)
        except Exception as failed:  # nothing that the port does
            self.failed = failed

    def end(self, received: dict[str | None, np.ndarray]) -> None:
        """Receive the rest, or everything once more, and compare it."""
        if self.early & received.keys():
            self.failed, self._walking = None, self._again()
            self.received, self.slots, self.controls, self.costs = {}, [], {}, {}
        if self.failed:
            raise self.failed
        self.received |= received
        self.complete = True
        for _ in self._walking:
            pass

    def _walk(self, oracles: Oracles, cotangents: list[np.ndarray]) -> Iterator[None]:
        """Compare from the outputs back; wait where something has not come yet."""
        received, outputs = self.received, self.expected.outputs
        for index in range(len(self.expected)):  # what is computed from here on is for this alone
            oracles.release(index)
        double, single = oracles.double, oracles.single
        for output in outputs:
            oracles.result(output)
        above = self.above = {}
        for output, cotangent in zip(outputs, cotangents, strict=True):
            above[output] = above[output] + cotangent if output in above else cotangent
        consumers = self.expected.consumers()
        costs = self.costs
        left = Counter(piece.handle for pieces in self.pieces.values() for piece in pieces)
        wide, narrow = backward(double, above), backward(single, above, double)
        for (index, gradient, of_slots), (_, rough, rough_slots) in _together(wide, narrow):
            nearer = (costs[i] for i in consumers[index] if i in costs)
            own = distance(rough, gradient, _rms(gradient) or 1.0)
            costs[index] = max(own, max(nearer, default=FLOAT32.unit))
            image = self.expected.nodes[index].kind == "input"
            while image and not self.complete:
                yield
            if image and None in received:
                axes = self.found.nodes[self.found.inputs[0]].axes
                got = to_neutral(received[None], axes).reshape(gradient.shape)
                self._compare(index, IMAGE, gradient, rough, got, costs[index])
            for slot, want in of_slots.items():
                pieces = self.pieces.get((index, slot), ())
                while not (self.complete or all(p.handle in received for p in pieces)):
                    yield
                if pieces and all(p.handle in received for p in pieces):
                    got = view(self.found.nodes[self.pairs[index]], slot, received.__getitem__)
                    self._compare(index, slot, want, rough_slots[slot], got, costs[index])
                left.subtract(piece.handle for piece in pieces)
                for piece in pieces:  # what has been compared makes room
                    if not left[piece.handle]:
                        received.pop(piece.handle, None)

    def _compare(
        self, index: int, slot: str, want: np.ndarray, rough: np.ndarray, got: np.ndarray,
        inherited: float,
    ) -> None:  # fmt: skip
        if not isinstance(want, Large):
            got = packed(got).reshape(want.shape)
        found = beside(got, want, rough)
        rms, apart = found.rms, found.rough
        if apart > rms:  # it is zero
            self.slots.append(SlotParity.by(index, slot, found, got, inherited, apart / inherited))
            return
        cost = max(inherited, apart / (rms or 1.0))
        result = SlotParity.by(index, slot, found, got, cost)
        self.slots.append(result)
        # The same numbers in another order must not pass; the smallest slot of a name is tried.
        before = self.controls.get(slot)
        if want.shape[-1] > 1 and (before is None or want.size < before[0]):
            error = distance(packed(got).reshape(want.shape), want[..., ::-1], rms or 1.0)
            control = Control(index, f"{slot}: channels reversed", error, result.bound)
            self.controls[slot] = want.size, control
