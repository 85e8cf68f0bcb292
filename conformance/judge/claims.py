"""A claim set beside what a live model really has, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod
from typing import Any, Final, Literal, NamedTuple

from conformance.graph.model import Graph, Node, count_parameters
from conformance.graph.rows import layers
from conformance.graph.written import WRITTEN, written
from conformance.judge.record.evidence import Record
from conformance.kinds import counted_as
from conformance.kinds.arrays import size
from conformance.numbers.identity import departure
from conformance.numbers.oracle import CannotCompute
from conformance.reference import Claim
from conformance.reference.claims import Status
from conformance.values import text

DEVIATES: Final = "deviates"

#: What inference does not show, or not all of.
TRAINING = frozenset({"operations", "dropout", "epsilon", "momentum"})


class CannotMeasure(LookupError):
    """A claim about something that the graph does not have; the message says what."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim, what was found, and the status that follows; ``str`` is a line of the report.

    ``status`` is the reference's word for a print that the model bears out or that is disputed
    for a reason that still holds, and ``deviates`` for everything else.
    """

    claim: Claim
    source: str
    found: Any
    status: Status | Literal["deviates"]

    @property
    def conforms(self) -> bool:
        return self.status != DEVIATES

    def __str__(self) -> str:
        claim = self.claim
        subject = " ".join(part for part in (claim.model, claim.layer, claim.subject) if part)
        held = f", held to be {claim.counted}" if claim.counted else ""
        return (
            f"{subject} in {self.source}: {claim.quantity} is {shown(self.found)},"
            f" printed {claim.printed}{held}"
        )


def judge(claim: Claim, source: str, found: Any) -> Verdict:
    """Set what was found beside what is printed.

    A disputed claim has to differ from the print and agree with the number held instead: when
    either changes, the dispute has lost its cause and the claim deviates.
    """
    return Verdict(claim, source, found, claim.status(found) if claim.agrees(found) else DEVIATES)


def measure(
    claim: Claim, record: Record, rows: list[str], beside: Mapping[str, Record] | None = None
) -> Any:
    """What a traced network has of the thing a claim speaks of.

    What inference leaves out, such as dropout and auxiliary heads, is looked up in the training
    graph.
    ``beside`` has the other networks with which a claim compares this one.
    Raises :class:`CannotMeasure`.
    """
    if claim.formula:
        return _compared(claim, {**(beside or {}), record.model: record})
    if claim.quantity not in _MEASURES:
        raise CannotMeasure(f"no live model shows its {claim.quantity}")
    graph = record.graph
    if record.training is not None and claim.quantity in TRAINING:
        graph = record.training
    owners = layers(graph, rows)
    indices = owners[claim.layer] if claim.layer else list(range(len(graph)))
    if not indices and record.training is not None:
        graph = record.training
        owners = layers(graph, rows)
        indices = owners[claim.layer]
    if not indices:
        raise CannotMeasure(f"the model has no {claim.layer}")
    if not claim.rows:
        return _MEASURES[claim.quantity](Place(claim, graph, indices, owners))
    # A total of rows that each count by a convention of their own.
    return sum(
        _count(graph.nodes[i], claim.quantity, convention)
        for row, convention in claim.rows
        for i in owners[row]
    )


def _compared(claim: Claim, records: Mapping[str, Record]) -> Any:
    """What a formula comes to with the counts of live networks."""

    def count(convention: str, model: str) -> int:
        if model not in records:
            raise CannotMeasure(f"{model} was not traced beside {claim.model}")
        graph = records[model].graph
        if convention == "maps":
            return sum(node.shape[-1] for node in graph if node.kind == "conv")
        return (
            graph.multiply_adds if convention == "multiply-adds" else graph.parameters(convention)
        )

    return claim.computed(count)


class Place(NamedTuple):
    """Where a claim is measured: in which nodes of a graph, and which belong to each row."""

    claim: Claim
    graph: Graph
    indices: list[int]
    owners: dict[str, list[int]]

    @property
    def nodes(self) -> list[Node]:
        return [self.graph.nodes[i] for i in self.indices]

    @property
    def last(self) -> int:
        """The node whose result leaves the row, or the network."""
        return max(self.indices) if self.claim.layer else self.graph.outputs[0]


def _depth(at: Place) -> int:
    """Layers on the longest path: a projection beside a block does not make a network deeper."""
    if at.claim.convention == "table rows":
        return sum(bool(found) for found in at.owners.values())
    kinds = counted_as(at.claim.convention)
    depths: dict[int, int] = {}
    for i, node in zip(at.indices, at.nodes, strict=True):
        depths[i] = max((depths.get(j, 0) for j in node.inputs), default=0) + (node.kind in kinds)
    return max(depths.values())


def _sum(at: Place) -> int:
    return sum(_count(node, at.claim.quantity, at.claim.convention) for node in at.nodes)


def _count(node: Node, quantity: str, convention: str) -> int:
    if quantity == "parameters":
        return count_parameters(node, convention)
    if quantity == "connections":
        return node.connections
    products = node.multiply_adds
    if convention == "multiply-adds + bias" and products:
        products += node.biases * (prod(node.shape[:2]) if len(node.shape) == 3 else 1)
    return 2 * products if convention == "FLOPs" else products


def _kernels(at: Place) -> tuple[str, ...]:
    kinds = counted_as("pooling layers" if "pool" in at.claim.subject else "convolutional layers")
    return tuple(sorted({size(n.attributes["kernel"]) for n in at.nodes if n.kind in kinds}))


def _padding(at: Place) -> Any:
    """One number when all four sides are alike, as papers write it."""
    found = [node.attributes["padding"] for node in at.nodes if "padding" in node.attributes]
    if not found:
        raise CannotMeasure(f"nothing in {at.claim.layer} has a padding")
    sides = {side for pair in found[0] for side in pair}
    return sides.pop() if len(sides) == 1 else found[0]


def _identity(at: Place) -> Fraction:
    try:
        found = departure(at.graph)
    except CannotCompute as unknown:
        raise CannotMeasure(str(unknown)) from None
    if not isfinite(found):
        raise CannotMeasure(f"{at.claim.model} leaves another size than it finds")
    return Fraction(found)


def _only(kind: str, attribute: str) -> Callable[[Place], Any]:
    """The one value that an attribute has in all nodes of a kind, as single precision holds it."""

    def found(at: Place) -> Any:
        nodes = [node for node in at.nodes if node.kind == kind]
        values = {Fraction(f"{node.attributes[attribute]:.7g}") for node in nodes}
        if len(values) != 1:
            where = at.claim.layer or at.claim.model
            raise CannotMeasure(f"{where} has {len(values)} values of {kind}")
        return values.pop()

    return found


_MEASURES: dict[str, Callable[[Place], Any]] = {
    "input": lambda at: at.graph.nodes[at.graph.inputs[0]].shape,
    "output": lambda at: at.graph.nodes[at.last].shape,
    "maps": lambda at: at.graph.nodes[at.last].shape[-1],
    "neurons": lambda at: prod(at.graph.nodes[at.last].shape),
    "parameters": _sum,
    "multiply-adds": _sum,
    "FLOPs": _sum,
    "connections": _sum,
    "layers": _depth,
    "convolutions": lambda at: written(at.nodes, counted_as("weight layers")),
    "operations": lambda at: written(at.nodes, WRITTEN - counted_as("weight layers")),
    "kernel": _kernels,
    "padding": _padding,
    "receptive field": lambda at: at.graph.receptive_fields()[at.last],
    "identity": _identity,
    "branches": lambda at: max((len(n.inputs) for n in at.nodes if n.kind == "concat"), default=1),
    "scale": _only("scale", "factor"),
    "dropout": _only("dropout", "rate"),
    "epsilon": _only("batch_norm", "epsilon"),
    "momentum": _only("batch_norm", "momentum"),
}


def shown(value: Any) -> str:
    """A value as a report prints it: a count as 25,557,032, anything else as everywhere."""
    if value == ():
        return "none"
    count = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if count else text(value)
