"""Layers that a port computes in less than float32: a policy is a remark, an island a finding."""

from __future__ import annotations

from conformance.graph.model import Node
from conformance.judge.finding import Finding, Part, Remark
from conformance.judge.port.subject import Subject
from conformance.trace.tape import Tape


def check(subject: Subject) -> Part:
    """What is computed in less than float32, all convolutions or some layers only.

    Mixed precision keeps some layers in float32 by design: norms, a softmax, the last layer.
    """
    side, nodes = subject.side(), subject.side().found.nodes
    lowered = [_lowered(subject.tape, node) for node in nodes]
    pairs = sorted((found, expected) for expected, found in side.pairs.items())
    low = [pair for pair in pairs if lowered[pair[0]]]
    if not low:
        return Part()
    found, expected = next((pair for pair in low if nodes[pair[0]].slots), low[0])
    name, there, what = side.names[expected], str(nodes[found].where), lowered[found]
    if all(what for what, node in zip(lowered, nodes, strict=True) if node.kind == "conv"):
        kept = {_stored(subject.tape, nodes[i]) for i, _ in low} - {""}
        how = "stored" if kept else "computed"
        hint = (
            f"all convolutions are {how} in {what}, a policy of precision: results are as precise"
            " as that"
        )
        return Part(remarks=[Remark(name, "precision", "float32", what, there, hint)])
    last = side.names[low[-1][1]]
    several = f"{name} to {last} are" if name != last else f"{name} is"
    return Part([
        Finding(
            "structure", name, "precision", "float32", what, nodes[found].kind, there,
            f"only {several} computed in {what}: a cast to a lower precision that was left in",
        )
    ])  # fmt: skip


def _lowered(tape: Tape, node: Node) -> str:
    """In what less than float32 a node is computed, or its parameters are stored."""
    return tape.lowered.get(node.value) or _stored(tape, node)


def _stored(tape: Tape, node: Node) -> str:
    """In what less than float32 a node's parameters are stored."""
    stored = {
        tape[value].attributes["handle"]: what
        for value, what in tape.lowered.items()
        if tape[value].name == "parameter"
    }
    handles = (piece.handle for pieces in node.parameters.values() for piece in pieces)
    return next((stored[handle] for handle in handles if handle in stored), "")


def lowest(subject: Subject) -> str:
    """The coarsest precision that a port computes in: float32, if in none below it."""
    found = set(subject.tape.lowered.values())
    return next((each for each in ("bfloat16", "float16") if each in found), "float32")
