"""Some algebra by itself: the operations between two values of a tape, and nothing else of it.

A network repeats a few pieces of algebra hundreds of times, and to find out what one of them is
takes evaluations on whole images.  A recogniser that is :func:`remembered` is given an excerpt
instead of the tape, so equal excerpts have one answer, and it is looked for once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from conformance.graph.reach import reached
from conformance.trace.tape import Operation, Tape

P = ParamSpec("P")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What lies between ``base``, an input here, and the values ``ends``; all are renumbered.

    ``members`` has each operation's number in the tape that the excerpt is from.  Two excerpts
    of one ``text`` differ in nothing but that, the names of their parameters and their places.
    """

    tape: Tape
    base: int
    ends: tuple[int, ...]
    members: tuple[int, ...]
    text: str


def excerpt(tape: Tape, base: int, *ends: int) -> Excerpt:
    """The operations that the values ``ends`` are computed from, as far back as ``base``."""
    found = reached(ends, lambda value: tape[value].inputs, {base})
    members = tuple(sorted(found | ({base} - {-1})))
    numbers = {member: number for number, member in enumerate(members)}
    part = Tape()
    for member in members:
        op = tape[member]
        inputs = tuple(numbers.get(i, -1) for i in op.inputs)
        if member == base:
            part.operations.append(Operation("input", (), op.shape))
        elif op.name == "parameter":
            part.operations.append(Operation("parameter", (), op.shape))
        else:
            part.operations.append(Operation(op.name, inputs, op.shape, op.attributes))
    renumbered = numbers.get(base, -1), tuple(numbers[end] for end in ends)
    lines = [(op.name, op.inputs, op.shape, _spelt(op.attributes)) for op in part.operations]
    text = sha256(repr((renumbered, lines)).encode()).hexdigest()
    return Excerpt(part, *renumbered, members, text)


def _spelt(attribute: Any) -> Any:
    """An attribute such that its ``repr`` tells it from every other."""
    if isinstance(attribute, np.ndarray):
        return attribute.dtype.str, attribute.shape, sha256(attribute.tobytes()).hexdigest()
    if isinstance(attribute, dict):
        return [(name, _spelt(attribute[name])) for name in sorted(attribute)]
    if isinstance(attribute, list | tuple):
        return [_spelt(item) for item in attribute]
    return attribute


def remembered(
    recogniser: Callable[Concatenate[Excerpt, P], Answer | None],
) -> Callable[Concatenate[Excerpt, P], Answer | None]:
    """Ask the recogniser once about each text; what it cannot evaluate it does not recognise."""
    answers: dict[Any, Answer | None] = {}

    @functools.wraps(recogniser)
    def ask(part: Excerpt, /, *args: P.args, **kwargs: P.kwargs) -> Answer | None:
        key = part.text, args, tuple(sorted(kwargs.items()))
        if key not in answers:
            try:
                answers[key] = recogniser(part, *args, **kwargs)
            except (KeyError, ValueError):
                answers[key] = None
        return answers[key]

    return ask
