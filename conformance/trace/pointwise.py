"""Activations that are spelt in several operations: one node each, by what they compute.

A walk takes algebra apart as far as it has names, so a hard sigmoid is a scale and a clip, and a
PReLU two ReLUs and a sum.  When all of the network is known, what lies between two nodes and is a
known function of each number becomes one node.  So nothing is taken from a longer piece of algebra.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from conformance.graph.axes import axis_of
from conformance.graph.model import Node, Parameter
from conformance.kinds import KINDS, activations, modern
from conformance.kinds.kind import Kind
from conformance.trace.evaluation import BINARY, UNARY, evaluate
from conformance.trace.excerpt import Excerpt, excerpt, remembered
from conformance.trace.probes import leaves, probes, same, wide
from conformance.trace.recognise import DENSE
from conformance.trace.stored import fill
from conformance.trace.walk import Walk

#: A function is spelt in so many nodes at most.
MOST = 12

#: The functions, and how the number that one has is read from two of its values: at -1, and where
#: an exponential has vanished.  What leaks all is the number itself, or its absolute value.
CLASSIC = {row.name: row for row in (activations.RELU, activations.TANH, activations.SIGMOID)}
MODERN = CLASSIC | {row.name: row for row in vars(modern).values() if isinstance(row, Kind)}
NUMBERS: dict[str, Any] = {
    "leaky_relu": lambda near, far: -near if abs(near) != 1 else 0.0,
    "elu": lambda near, far: -far,
    "celu": lambda near, far: -far,
    "soft_shrink": lambda near, far: FAR + far,
}
FAR = 700.0

#: A constant may be one of single precision, such as the root of two in a GELU.  That part of it
#: moves none of these functions by more than the same part of its number, or of one.
SINGLE = float(np.finfo(np.float32).eps)

#: The kinds that such a function may be taken apart into, and those in which it may end.
PARTS = frozenset({"relu", "tanh", "sigmoid", "clip", "scale", "add"})
ENDS = frozenset({"clip", "scale", "add"})

Named = tuple[str, dict[str, float], int | None]


def name_functions(walk: Walk, outputs: Iterable[int]) -> None:
    """Let one node stand where several are a known function of each number of another's result."""
    readers: list[set[int]] = [set() for _ in walk.nodes]
    for index in outputs:
        readers[index].add(-1)
    for index in reversed(range(len(walk.nodes))):
        if readers[index]:  # what nothing reads, such as a ReLU that has become a clip, reads none
            for i in walk.nodes[index].inputs:
                readers[i].add(index)
    gone: set[int] = set()
    for end in reversed(range(len(walk.nodes))):
        if end in gone or not readers[end] or not _may_end(walk.nodes[end]):
            continue
        for start, inside in _pieces(walk, end):
            read = set().union(*(readers[i] for i in inside - {end}))
            if read <= inside and (made := _function(walk, start, end)) is not None:
                walk.nodes[end] = made
                gone |= inside
                break


def _may_end(node: Node) -> bool:
    return not node.known or node.kind in ENDS


def _is_part(walk: Walk, node: Node) -> bool:
    """Whether a node computes each number from those in its place."""
    if node.known:
        return node.kind in PARTS
    return node.value >= 0 and _elementwise(walk.tape[node.value].name)


def _elementwise(name: str) -> bool:
    return name in UNARY or name in BINARY or name == "select"


def _pieces(walk: Walk, end: int) -> Iterator[tuple[int, set[int]]]:
    """The nodes that ``end`` is a function of, the farthest first, and what lies between."""
    seen, stack = {end}, [end]
    while stack and len(seen) <= MOST:
        node = walk.nodes[stack.pop()]
        if _is_part(walk, node):
            new = [i for i in node.inputs if i not in seen]
            seen.update(new)
            stack.extend(new)
    for start in sorted(seen - {end}) if _is_part(walk, walk.nodes[end]) else ():
        inside = _between(walk, start, end, seen)
        if inside and not (len(inside) == 1 and walk.nodes[end].known):
            yield start, inside


def _between(walk: Walk, start: int, end: int, near: set[int]) -> set[int]:
    """The nodes that make ``end`` of the result of ``start`` alone; none if others have a part."""
    inside, stack = {end}, [end]
    while stack:
        new = {*walk.nodes[stack.pop()].inputs} - inside - {start}
        if not all(i in near and _is_part(walk, walk.nodes[i]) for i in new):
            return set()
        inside |= new
        stack.extend(new)
    return inside


def _function(walk: Walk, start: int, end: int) -> Node | None:
    before, node = walk.nodes[start], walk.nodes[end]
    if before.value < 0 or before.shape != node.shape:
        return None
    part = excerpt(walk.tape, before.value, node.value)
    if (found := named(part, axis_of(node.axes, "C"))) is None:
        return None
    kind, attributes, parameter = found
    made = Node(kind, dict(attributes), (start,), node.shape)
    made.where, made.value, made.axes = node.where, node.value, node.axes
    if parameter is not None:
        _fill_slope(walk, made, part.members[parameter])
    return made


def _fill_slope(walk: Walk, node: Node, value: int) -> None:
    stored, channel = walk.tape[value], axis_of(node.axes, "C")
    handle, shape = stored.attributes["handle"], stored.shape
    if max(shape, default=1) == int(np.prod(shape)) and channel is not None:
        one = np.prod(shape) == 1  # one number for all channels
        axis = (("C", 1),) if one else node.axes[channel]
        fill(node, "slope", Parameter(handle, shape), axis)
    else:  # a number for each place of the map, as Keras has it
        node.parameters["slope"], node.slots["slope"] = (Parameter(handle, shape),), shape


@remembered
def named(part: Excerpt, channel: int | None) -> Named | None:
    """The function of each number that algebra is, the number it has, and its learned slope."""
    tape, (end,) = part.tape, part.ends
    shape = tape[part.base].shape
    if tape[end].shape != shape or not _by_number(part):
        return None
    x = _numbers(shape)
    learned = leaves(tape, end)
    if len(learned) > 1:
        return None
    if learned:
        (slope,) = learned
        return ("prelu", {}, slope) if _is_prelu(part, x, slope, channel) else None
    y, near, least, most = (
        evaluate(tape, end, {part.base: np.broadcast_to(at, shape)}) for at in (x, -1.0, -FAR, FAR)
    )
    if same(y, x):  # such as 2 x - x, which leaks all
        return None
    for kind, row in MODERN.items():
        if row.slots:
            continue
        values: dict[str, float] = {}
        if row.attributes:
            number = NUMBERS[kind](float(near.flat[0]), float(least.flat[0]))
            if not np.isfinite(number) or number == 0:
                continue
            values = {row.attributes: float(f"{number:.8g}")}
        if (np.abs(y - _computed(kind, values, x)) <= SINGLE * (1 + np.abs(x))).all():
            if kind in CLASSIC and not _everywhere(part, kind):
                return None
            return kind, values, None
    low, high = float(least.flat[0]), float(most.flat[0])
    if -FAR < low < high < FAR and same(y, np.clip(x, low, high)):
        return "clip", {"low": low, "high": high}, None
    return None


def _by_number(part: Excerpt) -> bool:
    """Whether all that depends on the base is computed number by number."""
    depends = {part.base}
    for index, op in enumerate(part.tape.operations):
        if depends.intersection(op.inputs):
            if not _elementwise(op.name):
                return False
            depends.add(index)
    return True


def _numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that differ along the longest axis, so that a large map costs no more than a row."""
    longest = shape.index(max(shape))
    row = np.random.Generator(np.random.Philox(2016)).normal(size=shape[longest]) * 3
    row[:2] = (-1.5, 1.5)[: len(row)]
    return np.broadcast_to(row.reshape(wide(shape, longest)), shape)


def _everywhere(part: Excerpt, kind: str) -> bool:
    """Whether algebra is a function on so many numbers that no threshold lies between them."""
    shape = part.tape[part.base].shape
    longest = shape.index(max(shape))
    count = -(-DENSE // shape[longest]) * shape[longest]
    for row in np.linspace(-4.0, 4.0, count).reshape(-1, shape[longest]):
        x = np.broadcast_to(row.reshape(wide(shape, longest)), shape)
        if not same(evaluate(part.tape, part.ends[0], {part.base: x}), _computed(kind, {}, x)):
            return False
    return True


def _computed(kind: str, attributes: dict[str, float], x: np.ndarray) -> np.ndarray:
    exactly = SimpleNamespace(stored=lambda y: y)
    return KINDS[kind].forward(exactly, Node(kind, dict(attributes), (), ()), {}, x)


def _is_prelu(part: Excerpt, x: np.ndarray, slope: int, channel: int | None) -> bool:
    """Whether what is below zero is multiplied by the one stored array."""
    held = probes(part.tape, {slope})
    array = held[slope]
    if channel is not None and array.size == x.shape[channel] != 1:
        array = array.reshape(wide(x.shape, channel))
    try:
        want = np.where(x > 0, x, array * x)
    except ValueError:
        return False
    return same(evaluate(part.tape, part.ends[0], {part.base: x} | held), want)
