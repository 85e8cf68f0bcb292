"""A port on the smallest image on which it is the same network."""

from __future__ import annotations

from copy import copy

from conformance.graph.alike import alike
from conformance.graph.model import Graph
from conformance.graph.resize import CannotResize, resized
from conformance.graph.shrink import smallest
from conformance.judge.port.subject import Side, Subject
from conformance.judge.port.supposed import supposed
from conformance.trace.canonical import canonical
from conformance.trace.port import Port, Size, UntraceableModel
from conformance.trace.tape import Tape


def taught(subject: Subject) -> tuple[Side, Tape]:
    """What the oracle executes in training, and the port's tape: both on the smallest image.

    Where the port is not node for node the same on it, both are those of the image as it is.
    """
    side, tape = subject.side(training=True), subject.taught
    assert tape is not None
    return _smaller(subject, side) or (side, tape)


def traced(port: Port, size: Size, training: bool = False) -> Tape:
    """A port on an image of another size, also where it declares its own, as Keras' models may."""
    tape: Tape = getattr(port, "resized", port.trace)(size, training=training)
    return tape


def smaller(port: Port, graph: Graph, training: bool = False) -> tuple[Graph, Tape] | None:
    """The graph of a port, and its tape, on the smallest image on which it is node for node the
    same as ``graph``, which is that of the image as it is; None if on no smaller one."""
    if (size := smallest(graph)) is None:
        return None
    try:
        tape = traced(port, size, training)
    except UntraceableModel:
        return None
    found = canonical(tape)
    return (found, tape) if _same(found, graph) and _stored(found) == _stored(graph) else None


def _smaller(subject: Subject, side: Side) -> tuple[Side, Tape] | None:
    if (size := smallest(side.expected)) is None:
        return None
    other = copy(side)
    try:
        tape = traced(subject.port, size, training=True)
        other.expected = resized(side.expected, size, exactly=True)
        spelled = resized(side.comparison.expected, size, exactly=True)
        _, found = alike(spelled, canonical(tape))
        other.found = supposed(other.expected, found, side.pairs, side.turned)
    except (CannotResize, UntraceableModel):
        return None
    same = _same(other.expected, side.expected) and _same(other.found, side.found)
    alike_stored = _stored(other.found) == _stored(side.found)
    return (other, tape) if same and alike_stored and _fit(other) else None


def _same(graph: Graph, other: Graph) -> bool:
    """Whether two graphs differ in the sizes of their maps only."""
    ends = [(each.inputs, each.outputs, len(each)) for each in (graph, other)]
    return ends[0] == ends[1] and all(
        (a.kind, a.inputs, a.attributes, a.slots) == (b.kind, b.inputs, b.attributes, b.slots)
        for a, b in zip(graph, other, strict=True)
    )


def _stored(graph: Graph) -> list[object]:
    """Where each slot of a graph is stored."""
    return [node.parameters for node in graph]


def _fit(side: Side) -> bool:
    """Whether the nodes of each pair are of one size."""
    expected, found = side.expected.nodes, side.found.nodes
    return all(expected[a].shape == found[b].shape for a, b in side.pairs.items())
