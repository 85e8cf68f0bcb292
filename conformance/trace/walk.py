"""The walk over a tape: every value gets a meaning.  It knows rules, and no operation by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.axes import Axes, Axis, named, reshaped, shape_of
from conformance.graph.model import DRAWN, Node, Parameter, Where
from conformance.trace.meanings import Absent, Flow, Flowing, Meaning, Plain, Step, Stored
from conformance.trace.probes import leaves
from conformance.trace.rule import ANY, PLACES, rules
from conformance.trace.tape import Tape

ABSENT = Absent()
Spelling = tuple[tuple[str, Any, Any], ...]

#: What the axes are called, in attributes and messages.
AXES = {"C": "channels", "H": "height", "W": "width", "N": "batch"}


class Walk:
    """The nodes found so far, and what each value of the tape means."""

    def __init__(self, tape: Tape) -> None:
        # Rules write algebra of parameters behind the end of this copy.
        self.tape = Tape()
        self.tape.operations = list(tape.operations)
        self.outputs = frozenset(tape.outputs)
        #: The axes of the image, in which a map is taken to be where nothing else is known.
        read = (op.attributes.get("axes", "") for op in tape.operations if not op.inputs)
        self.letters = next(filter(None, read), "NHWC")
        self.nodes: list[Node] = []
        self.means: dict[int, Meaning] = {-1: ABSENT}
        self.named: dict[int, Plain] = {}
        self.nameless: set[tuple[int, int, bool]] = set()
        #: For each axis of the image the one that its first reader takes it for, if it differs.
        self.reads_as: dict[str, str] = {}
        # A reader that nothing reads, such as a reshape that another has undone, is none.
        self.readers = [0] * len(tape)
        for value in reversed(range(len(tape))):
            if self.readers[value] or value in self.outputs:
                for source in tape[value].inputs:
                    if source >= 0:
                        self.readers[source] += 1

    def run(self) -> None:
        """Give every value its meaning, in the order of execution."""
        for value in range(len(self.readers)):
            self.means[value] = self._meaning(Step.of(value, self.tape[value]))

    def _meaning(self, op: Step) -> Meaning:
        operands = [self.means[i] for i in op.inputs]
        flowing = [o for o in operands if isinstance(o, Flowing)]
        if len({x.node for x in flowing}) > 1 and self.unread(op.value):
            # Such as what two norms make of one statistic: it takes apart nothing that is read.
            return self.opaque(op.value, flowing)
        if (named := self.by_rule(op, operands)) is not None:
            return named
        if not flowing:
            return Stored(op.value)
        for function in rules(ANY, operands):
            if (found := function(self, op, *operands)) is not None:
                return found
        return self.opaque(op.value, [self.placed(x) for x in flowing])

    def unread(self, value: int) -> bool:
        """Whether no output depends on a value."""
        return not self.readers[value] and value not in self.outputs

    def by_rule(self, op: Step, operands: Sequence[Meaning]) -> Any:
        """What an operation means by the rules that name it; None if none of them has it."""
        if not op.attributes.get("unknown"):
            for function in rules(op.name, operands):
                if (found := function(self, op, *operands)) is not None:
                    return found
        return None

    def placed(self, x: Flowing) -> Plain:
        """The plain flow of a value: what was pending becomes nodes, once."""
        if isinstance(x, Plain):
            return x
        if x.value not in self.named:
            found = PLACES[type(x)](self, x)
            # Placing may have named the value on its way.
            self.named[x.value] = found or self.opaque(x.value, [x])
        return self.named[x.value]

    def of(self, flow: Flow) -> Node:
        """The node whose result a flow is."""
        return self.nodes[flow.node]

    def any(self, kind: str) -> bool:
        """Whether a node of this kind has been made."""
        return any(node.kind == kind for node in self.nodes)

    def shape(self, x: Flowing | Stored) -> tuple[int, ...]:
        """The shape of a value, in the framework's axes."""
        return self.tape[x.value].shape

    def sole(self, x: Flowing) -> bool:
        """Whether one operation reads the value, and it is no output."""
        return self.readers[x.value] <= 1 and x.value not in self.outputs

    def number(self, number: float) -> Stored:
        """A constant."""
        return self._stored(self.tape.constant(number))

    def side(self, name: str, *operands: Stored) -> Stored:
        """Algebra of stored values."""
        values = tuple(o.value for o in operands)
        shape = np.broadcast_shapes(*map(self.shape, operands))
        return self._stored(self.tape.emit(name, values, shape))

    def _stored(self, value: int) -> Stored:
        self.means[value] = Stored(value)
        return Stored(value)

    def node(
        self,
        kind: str,
        attributes: Mapping[str, Any],
        inputs: Iterable[int],
        axes: Axes,
        value: int,
        parameters: Mapping[str, tuple[Parameter, ...]] | None = None,
        slots: Mapping[str, tuple[int, ...]] | None = None,
        where: Where | None = None,
        spelling: Spelling = (),
    ) -> Plain:
        """A new node whose result is ``value``."""
        where = where or self.tape[value].where
        # Two components tell a file from another and say nothing of the machine it lies on.
        where = replace(where, line="/".join(where.line.split("/")[-2:]))
        made = Node(kind, dict(attributes), tuple(inputs), shape_of(axes))
        made.parameters, made.slots = dict(parameters or {}), dict(slots or {})
        made.where, made.value, made.axes, made.spelling = where, value, axes, spelling
        self.nodes.append(made)
        return Plain(len(self.nodes) - 1, axes, value)

    def opaque(self, value: int, sources: Sequence[Flowing], why: str = "") -> Plain:
        """A node for an unsupported operation.

        It keeps the axes of what it reads, and holds the stored arrays that it reads.  ``why`` is
        the reason, as far as it is known.
        """
        op, first = self.tape[value], sources[0]
        before = first.axes if isinstance(first, Flow) else self.nodes[first.node].axes
        attributes = _by_name(op.attributes, before)
        stored = self._stored_reads(value, "parameter")
        why = why or ("random" if self._stored_reads(value, "random") else "")
        if why:
            handles = tuple(self.tape[i].attributes["handle"] for i in stored)
            attributes |= {"why": why, "of": handles, "by": op.name}
        arrays = [Parameter(self.tape[i].attributes["handle"], self.tape[i].shape) for i in stored]
        slots = {f"parameter {i}": p for i, p in enumerate(arrays, 1)}
        parameters = {slot: (p,) for slot, p in slots.items()}
        shapes = {slot: p.shape for slot, p in slots.items()}
        if origin := attributes.pop("origin", ()):
            number = next(n for n, i in enumerate(op.inputs) if isinstance(self.means[i], Flowing))
            axes = _from(before, op.shape, origin[number])
        else:
            axes = _kept(before, op.shape, op.attributes) or _guess(op.shape, self.letters)
        kind = DRAWN if why == "random" else f"unknown:{op.name}"
        nodes = [source.node for source in sources]
        return self.node(kind, attributes, nodes, axes, value, parameters, shapes)

    def _stored_reads(self, value: int, name: str) -> list[int]:
        """The stored arrays, or draws, that a value is computed from, back to the last node."""
        found: set[int] = set()
        stack = [value]
        while stack:
            for i in self.tape[stack.pop()].inputs:
                meaning = self.means[i]
                if isinstance(meaning, Stored):
                    found |= leaves(self.tape, i, name)
                elif isinstance(meaning, Flowing) and not isinstance(meaning, Plain):
                    stack.extend([i] if i not in self.named else [])
        return sorted(found)


def _by_name(attributes: Mapping[str, Any], axes: Axes) -> dict[str, Any]:
    """An operation's attributes; which axis it works on is said by name, and arrays are tuples, as
    nodes are compared by them."""
    result = {name: _in_tuples(value) for name, value in attributes.items()}
    for name in ("axis", "axes"):
        given = attributes.get(name)
        numbers = given if isinstance(given, tuple | list) else (given,)
        if given is not None and all(isinstance(n, int) and n < len(axes) for n in numbers):
            letters = [letter for n in numbers for letter, _ in axes[n]]
            result[name] = " and ".join(AXES[letter] for letter in letters)
    return result


def _in_tuples(value: Any) -> Any:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    return tuple(map(_in_tuples, value)) if isinstance(value, list) else value


def _kept(axes: Axes, shape: tuple[int, ...], attributes: Mapping[str, Any]) -> Axes | None:
    """The axes of what is read, as long as they are afterwards; None if they are others."""
    if tuple(prod(size for _, size in axis) for axis in axes) == shape:
        return axes
    if (found := reshaped(axes, shape)) is not None:
        return found
    gone = attributes.get("axes")
    if isinstance(gone, tuple | list) and len(axes) - len(gone) == len(shape):
        axes = tuple(axis for i, axis in enumerate(axes) if i not in gone)
    if len(axes) != len(shape):
        return None
    result: list[Axis] = []
    for axis, size in zip(axes, shape, strict=True):
        if prod(n for _, n in axis) == size:
            result.append(axis)
        elif len(axis) == 1:
            result.append(((axis[0][0], size),))
        else:
            return None
    return tuple(result)


def _from(axes: Axes, shape: tuple[int, ...], origin: Sequence[int]) -> Axes:
    """The axes of a result of which it is known where they come from; new ones are channels."""
    each = zip(shape, origin, strict=True)
    return tuple(axes[place] if place >= 0 else (("C", n),) for n, place in each)


def _guess(shape: tuple[int, ...], letters: str) -> Axes:
    names = {len(letters): letters, 2: "NC", 1: "C"}.get(len(shape))
    if names is None:
        return tuple((("C", n),) if n == max(shape) else () for n in shape)
    return named(shape, names)
