"""Canonical weights: values that hide nothing, the same for every port of one network.

A slot's values depend on the seed and on the node's place in the network's structure only, so
two ports built in any order and any framework receive the same ones.  No slot is neutral: biases
and means are not 0, variances and gammas not 1, no two channels alike.  Kernels are scaled by the
second moment that their input is expected to have, so results stay of order 1 at every depth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import prod, sqrt
from threading import RLock
from typing import Any, Protocol, cast

import numpy as np

from conformance.chunks import each, fill, room, strips
from conformance.graph.align import digest, places
from conformance.graph.model import Graph, Node, Parameter
from conformance.kinds import Spread
from conformance.kinds.conv import connected
from conformance.large import HELD, Large, Windows
from conformance.numbers.drawn import DRAWN
from conformance.trace.evaluation import evaluate
from conformance.trace.probes import leaves
from conformance.trace.tape import Tape

#: How many images a step of training is given.
BATCH = 2


class Weights:
    """Canonical values for the slots of a graph.

    ``like`` is the same graph for images of another size, whose values are to be had here.
    """

    def __init__(self, graph: Graph, seed: int = 0, like: Graph | None = None):
        self.graph, self.seed, self.like = graph, seed, like or graph
        self.places = places(self.like)
        DRAWN.begin(self.places)
        self.moments = [spread.moment for spread in expected_spreads(self.like)]
        self._recent = lru_cache(maxsize=2)(self._slot)
        self._range = lru_cache(maxsize=None)(self._reach)
        self._lock = RLock()

    def image(self) -> np.ndarray:
        """One image, 1 x height x width x channels, of mean 0 and second moment 1."""
        return self.images(1)

    def images(self, count: int) -> np.ndarray:
        """A batch of different images, the first of which is :meth:`image`."""
        shape = self.graph.nodes[self.graph.inputs[0]].shape
        return _uniform(digest(self.seed, "image"), (count, *shape), sqrt(3))

    def cotangents(self, count: int) -> list[np.ndarray]:
        """What each output for a batch is multiplied by, before all is summed to a loss."""
        return [
            _uniform(
                digest(self.seed, "cotangent", *([place] if place else [])),
                (count, *self.graph.nodes[index].shape),
                sqrt(3),
            )
            for place, index in enumerate(self.graph.outputs)
        ]

    def slot(self, index: int, slot: str) -> np.ndarray:
        """The values of a slot, in neutral layout."""
        with self._lock:  # oracles of two precisions ask for it at the same time
            return self._recent(index, slot)

    def _slot(self, index: int, slot: str) -> np.ndarray:
        node, place = self.graph.nodes[index], self.places[index]
        shape, (middle, reach) = node.slots[slot], self._range(index, slot)
        table = node.attributes.get("table") if slot == "kernel" else None

        large = slot == "kernel" and len(shape) == 2 and prod(shape) >= HELD
        drawn = (Windows.numbers(shape),) if large else shape

        def draw() -> np.ndarray:
            values = _uniform(digest(self.seed, place, slot), drawn, reach)
            if table:
                return values * connected(shape, table)
            return np.sign(values) if slot == "centres" else middle + values if middle else values

        values = DRAWN((place, (self.seed, slot, drawn, middle, reach, table)), draw)
        return cast(np.ndarray, Windows(shape, values)) if large else values

    def _reach(self, index: int, slot: str) -> tuple[float, float]:
        """The middle of a slot's values, and how far they reach from it."""
        node = self.like.nodes[index]
        before = self.moments[node.inputs[0]]
        match slot:
            case "kernel":
                return 0.0, sqrt(3 / (_fan_in(self.like, node) * before))
            case "centres":
                return 0.0, 1.0
            case "gamma":
                return 1.0, 0.5
            case "variance":
                return before, 0.5 * before
            case "mean":
                return 0.0, 0.5 * sqrt(before)
            case "coefficient":
                middle = 1 / sqrt(prod(node.attributes.get("kernel", (1, 1))) * before)
                return middle, 0.5 * middle
        return 0.0, 0.5


class Given(Protocol):
    """Values for the slots of a graph, from a seed."""

    graph: Graph
    seed: int

    @property
    def slot(self) -> Callable[[int, str], np.ndarray]:
        """The values of a node's slot, in neutral layout."""


def counterparts(
    weights: Given, found: Graph, pairs: dict[int, int]
) -> Callable[[int, str], np.ndarray]:
    """Values for the slots of a port's graph, from those of the graph that it is held against.

    ``pairs`` leads from the nodes of that graph to those of ``found``.  A slot without a
    counterpart, or of another shape than that, receives canonical values of its own.
    """
    own, back = Weights(found, weights.seed), {b: a for a, b in pairs.items()}

    def slot(index: int, name: str) -> np.ndarray:
        node = back.get(index)
        shape = found.nodes[index].slots[name]
        if node is None or weights.graph.nodes[node].slots.get(name) != shape:
            return own.slot(index, name)
        return weights.slot(node, name)

    return slot


def keeping(tape: Tape, graph: Graph) -> dict[int, float]:
    """For each random value that a dropout of the graph draws, a number that its mask keeps.

    Ports differ in which side of the rate they keep: both are tried.
    """
    draws: dict[int, float] = {}
    for node in graph:
        if node.kind != "dropout":
            continue
        base = graph.nodes[node.inputs[0]].value
        for noise in leaves(tape, node.value, "random", until=base):
            for draw in (0.0, np.nextafter(1.0, 0.0)):
                known = {
                    base: np.ones(tape[base].shape),
                    noise: np.full(tape[noise].shape, draw),
                }
                if evaluate(tape, node.value, known).all():
                    draws[noise] = float(draw)
    return draws


def carried(
    graph: Graph,
    slot: Callable[[int, str], np.ndarray],
    tape: Tape,
    kept: Callable[[np.ndarray], np.ndarray] = lambda array: array,
) -> Callable[[str], np.ndarray]:
    """Values for the stored arrays on a port's ``tape``, by handle, from those for its slots.

    Of all numbers there is what is ``kept`` of them.

    One that no slot reads keeps the values that the port gives it, as the mean of its images, or
    is filled with one half; so is what an operation without a word reads: nobody knows what it is
    there.
    """
    lines = {op.attributes["handle"]: op for op in tape.operations if op.name == "parameter"}
    unread = {p.handle for node in graph.unknown for some in node.parameters.values() for p in some}
    readers: dict[str, list[tuple[int, str, Parameter]]] = {}
    for index, node in enumerate(graph):
        for name, pieces in node.parameters.items() if node.known else ():
            for parameter in pieces:
                readers.setdefault(parameter.handle, []).append((index, name, parameter))

    def values(handle: str) -> np.ndarray:
        if handle not in readers:
            line = lines[handle]
            own = None if handle in unread else line.attributes.get("array")
            return kept(np.full(line.shape, 0.5) if own is None else np.asarray(own, np.float64))
        index, name, parameter = readers[handle][0]
        part = kept(slot(index, name))
        if parameter.region is not None:
            part = part[np.ix_(*parameter.region)]
        return stored(part, parameter)

    return values


def stored(part: np.ndarray, parameter: Parameter) -> np.ndarray:
    """Walk a parameter's layout steps back, from the slot's part to the stored array."""
    if not parameter.steps and part.shape == parameter.shape:
        return np.asarray(part)
    result = room(parameter.shape, part.dtype)
    # The steps lead from the stored array to the part: as far as they are views, they show where
    # in the result each number belongs.
    place, steps = result, list(parameter.steps)
    while steps:
        try:
            place = _step(place, *steps[0])
        except ValueError:
            break
        del steps[0]
    if not steps and place.flags.c_contiguous and isinstance(part, np.ndarray):
        return part.reshape(parameter.shape)  # as it is: no step has moved a number
    if isinstance(part, Large) and all(step == "reshape" for step, _ in steps):
        part.write(place)
        return result
    shapes = [place.shape]
    for step, argument in steps:
        before = shapes[-1]
        if step == "transpose":
            shapes.append(tuple(before[i] for i in argument))
        else:
            shapes.append(before if step == "reverse" else argument)
    part = part.reshape(shapes[-1])
    for (step, argument), before in zip(reversed(steps), shapes[-2::-1], strict=True):
        if step == "transpose":
            part = part.transpose(np.argsort(argument))
        elif step == "reverse":
            part = np.flip(part, argument)
        else:
            part = part.reshape(before)
    fill(place, part)
    return result


def _step(x: np.ndarray, step: str, argument: Any) -> np.ndarray:
    """A view of ``x`` after one step.  Raises :class:`ValueError` if there is none."""
    if step == "transpose":
        return x.transpose(argument)
    return np.flip(x, argument) if step == "reverse" else x.reshape(argument, copy=False)


def expected_spreads(graph: Graph) -> list[Spread]:
    """For each node how its result is spread under canonical weights, as if it were normal.

    Only the order of magnitude matters: it keeps deep networks from fading or overflowing.
    """
    spreads: list[Spread] = []
    for node in graph:
        inputs = [spreads[i] for i in node.inputs]
        if node.row:
            found = node.row.spread(node, *inputs)
        else:
            found = inputs[0] if inputs else Spread(0.0, 1.0)
        spreads.append(replace(found, shape=node.shape))
    return spreads


def _fan_in(graph: Graph, node: Node) -> float:
    """Kernel entries that reach one output on average, without those that fall on padding."""
    fan_in = node.weights / node.shape[-1]
    before = graph.nodes[node.inputs[0]].shape
    if "padding" not in node.attributes or len(before) < 3:  # it may read patches
        return fan_in
    a = node.attributes
    for axis in (0, 1):
        k, s, d = (a[name][axis] for name in ("kernel", "stride", "dilation"))
        first = np.arange(node.shape[axis])[:, None] * s - a["padding"][axis][0]
        inside = first + np.arange(k) * d
        fan_in *= float(((inside >= 0) & (inside < before[axis])).mean())
    return fan_in


def _uniform(key: bytes, shape: tuple[int, ...], reach: float) -> np.ndarray:
    """Uniform numbers in +-reach, a function of the key alone."""
    values = room(shape, np.float64)
    flat = values.reshape(-1)

    def draw(part: slice) -> None:
        count = np.random.Philox(key=int.from_bytes(key, "big"))
        count.advance(part.start // 4)  # each count makes four numbers
        some = flat[part]
        np.random.Generator(count).random(out=some)
        some -= 0.5
        some *= 2 * reach

    each(draw, strips(len(flat), flat.size))
    return values
