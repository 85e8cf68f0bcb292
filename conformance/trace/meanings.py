"""What a value of the tape means: one small class each.

A rule's annotations name the meanings it takes.  What is *pending* (a padding, an affine map, a
choice of channels) belongs to no node yet: the next operation decides what it becomes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.graph.axes import Axes
from conformance.graph.model import Where
from conformance.trace.tape import Operation

Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))


def together(inner: Padding, outer: Padding) -> Padding:
    """Cells around a map with cells around it."""
    height, width = ((p[0] + q[0], p[1] + q[1]) for p, q in zip(inner, outer, strict=True))
    return height, width


@dataclass(frozen=True, slots=True)
class Absent:
    """An operand that is left out, such as the gamma of a norm that has none."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A value made of parameters, constants and noise only; no image has a part in it."""

    value: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A node's result, in the axes in which ``value`` has it."""

    node: int
    axes: Axes
    value: int

    @property
    def plain(self) -> Plain:
        """The node's result without what is pending."""
        return Plain(self.node, self.axes, self.value)


@dataclass(frozen=True, slots=True)
class Plain(Flow):
    """A node's result with nothing pending."""


@dataclass(frozen=True, slots=True)
class Affine(Flow):
    """``slope x + offset`` of a node's result; None for a slope of 1 and for an offset of 0."""

    slope: Stored | None
    offset: Stored | None


@dataclass(frozen=True, slots=True)
class Padded(Flow):
    """A node's result with cells of ``fill`` around it; "edge" repeats the outermost ones."""

    padding: Padding
    fill: float | str


@dataclass(frozen=True, slots=True)
class Chosen(Flow):
    """Some channels of a node's result, in the order given."""

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Algebra:
    """Algebra of one node's result, ``base``, that has no name yet."""

    base: Plain
    value: int

    @property
    def node(self) -> int:
        return self.base.node


#: A value that the image has a part in.
Flowing = Flow | Algebra
Meaning = Flowing | Stored | Absent


@dataclass(frozen=True, slots=True)
class Step:
    """An operation of the tape and the value that it makes."""

    value: int
    name: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(repr=False)
    where: Where

    @classmethod
    def of(cls, value: int, operation: Operation) -> Step:
        o = operation
        return cls(value, o.name, o.inputs, o.shape, o.attributes, o.where)

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]


def line(flow: Plain | Affine) -> tuple[Stored | None, Stored | None]:
    """Slope and offset of a flow."""
    return (flow.slope, flow.offset) if isinstance(flow, Affine) else (None, None)
