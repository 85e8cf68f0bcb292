"""The numeric checks of a record alike: what was to be compared, what was, and how near it came.

A record's values are compared in inference, and of some networks in a step of training and
backwards as well, and in inference in lower precisions or compiled.  Whoever judges or shows them
takes them from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite

from conformance.adjoint import TRAINED
from conformance.causes.roots import Root
from conformance.deviation import Control, NodeParity, SlotParity
from conformance.evidence import Record
from conformance.parity import Parity
from conformance.trace.graph import Graph
from conformance.trace.port import PLAIN, Execution

#: The slots that a step of training replaces.
RUNNING = frozenset({"mean", "variance"})


@dataclass(frozen=True, slots=True)
class Compared:
    """One numeric check: results in the order in which they were compared, and control arms.

    One in a ``lower`` precision than float64 need not see every control arm: float64 does.
    ``roots`` are the nodes that are wrong by themselves, and why.
    """

    mode: str
    graph: Graph
    planned: int
    results: tuple[NodeParity | SlotParity, ...]
    controls: tuple[Control, ...]
    problem: str
    lower: bool = False
    roots: tuple[Root, ...] = ()

    @property
    def first_divergence(self) -> NodeParity | SlotParity | None:
        return next((each for each in self.results if not each.agrees), None)

    @property
    def before(self) -> float:
        """The largest error of what was compared before the results part."""
        first = self.first_divergence
        earlier = self.results[: self.results.index(first)] if first else self.results
        return max((each.error for each in earlier), default=0.0)

    @property
    def closest(self) -> NodeParity | SlotParity | None:
        """The result that came nearest to its bound, or furthest beyond it."""
        return max(self.results, key=nearness, default=None)

    def doubts(self) -> Iterator[str]:
        """Sentences on what keeps this check from being one, whatever its results."""
        if self.problem:
            yield self.problem
        if len(self.results) < self.planned:
            things = "gradients" if self.mode == "gradients" else "nodes"
            yield f"{len(self.results)} of {self.planned} {things} were compared"
        if not self.controls:
            yield "no control arm was run"
        elif self.lower and not any(each.caught for each in self.controls):
            yield "no control arm was caught"
        for each in self.unseen if not self.lower else ():
            kind = self.graph.nodes[each.node].kind
            yield f"a control arm was not caught: {kind}, {each.alteration}"

    @property
    def unseen(self) -> tuple[Control, ...]:
        """The control arms that passed for right."""
        return tuple(each for each in self.controls if not each.caught)


def compared(record: Record) -> dict[str, Compared]:
    """What a record's numbers were compared in, by the name of the mode; empty if in none."""
    found = []
    if record.parity:
        found.append(_values("inference", record.graph, record.parity))
    if record.training and record.training_parity:
        found.append(_values("training", record.training, record.training_parity))
    if each := record.gradients:
        live = record.graph.ancestors(record.graph.outputs[0])
        slots = sum(len(TRAINED & record.graph.nodes[index].slots.keys()) for index in live)
        # One more is the gradient by the image.
        found.append(
            Compared("gradients", record.graph, slots + 1, each.slots, each.controls, each.problem)
        )
    found += [_executed(record.graph, each) for each in record.executions]
    return {each.mode: each for each in found}


def _values(mode: str, graph: Graph, parity: Parity) -> Compared:
    """Every node but the input and, in training, the running statistics after the step."""
    planned = sum(node.kind != "input" for node in graph)
    if mode == "training":
        norms = (node for node in graph if node.attributes.get("momentum") is not None)
        planned += sum(len(RUNNING & node.slots.keys()) for node in norms)
    results: tuple[NodeParity | SlotParity, ...] = parity.nodes + parity.statistics
    return Compared(
        mode, graph, planned, results, parity.controls, parity.problem, roots=parity.roots
    )


def _executed(graph: Graph, parity: Parity) -> Compared:
    """Every node but the input; of a compiled network the outputs."""
    how = Execution(parity.precision, compiled=parity.compiled)
    nodes = sum(node.kind != "input" for node in graph)
    return Compared(
        str(how),
        graph,
        len(graph.outputs) if parity.compiled else nodes,
        parity.nodes,
        parity.controls,
        parity.problem,
        parity.precision != PLAIN.precision,
    )


def nearness(result: NodeParity | SlotParity) -> float:
    """How near a result came to its bound; what is not a number came nearest."""
    near = result.error / result.bound if result.bound else inf
    return near if isfinite(near) else inf
