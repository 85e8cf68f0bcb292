"""Rules as rows: what an operation means, given what its operands mean.

The annotated types of a rule's operands select it.  Rules of one operation are tried in the
order in which they stand; the first that returns a meaning has it.  A rule that returns None
leaves the operation to the next one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, get_type_hints

from conformance.trace.meanings import Meaning, Plain

Rule = Callable[..., Meaning | None]
R = TypeVar("R", bound=Callable[..., Any])

#: For every operation.
ANY = "any"

_RULES: dict[str, list[tuple[tuple[Any, ...], Any, Rule]]] = {}
#: How what is pending becomes nodes, by its meaning; and a recognised layer a node, by its kind.
PLACES: dict[type, Callable[..., Plain | None]] = {}
MAKERS: dict[str, Callable[..., Plain | None]] = {}


def rule(*operations: str, commutes: bool = False) -> Callable[[R], R]:
    """Register a rule ``(walk, op, *operands)`` for these operations.

    One that ``commutes`` takes its two operands in either order.
    """

    def register(function: R) -> R:
        hints = get_type_hints(function)
        operands = list(inspect.signature(function).parameters.values())[2:]
        rest = next((hints[p.name] for p in operands if p.kind is p.VAR_POSITIONAL), None)
        types = tuple(hints[p.name] for p in operands if p.kind is not p.VAR_POSITIONAL)
        for operation in operations:
            rows = _RULES.setdefault(operation, [])
            rows.append((types, rest, function))
            if commutes:
                rows.append((types[::-1], rest, _exchanged(function)))
        return function

    return register


def _exchanged(function: Rule) -> Rule:
    return lambda walk, op, left, right: function(walk, op, right, left)


def rules(operation: str, operands: Sequence[Meaning]) -> Iterator[Rule]:
    """The rules of an operation that take operands that mean this."""
    for types, rest, function in _RULES.get(operation, ()):
        if len(operands) < len(types) or (rest is None and len(operands) > len(types)):
            continue
        beyond = operands[len(types) :]
        if all(isinstance(o, t) for o, t in zip(operands, types, strict=False)) and all(
            isinstance(o, rest) for o in beyond
        ):
            yield function


def places(meaning: type) -> Callable[[R], R]:
    """Register how what is pending becomes nodes: ``(walk, flow) -> Plain``, or None."""

    def register(function: R) -> R:
        PLACES[meaning] = function
        return function

    return register


def makes(kind: str) -> Callable[[R], R]:
    """Register how a recognised layer becomes a node: ``(walk, x, layer) -> Plain``, or None.

    A kind without a maker is a node of the layer's attributes.
    """

    def register(function: R) -> R:
        MAKERS[kind] = function
        return function

    return register
