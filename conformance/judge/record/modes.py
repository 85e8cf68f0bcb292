"""The numeric checks of a record alike: what was to be compared, what was, and how near it came.

A record's values are compared in inference, and of some networks in a step of training and
backwards as well, and in inference in lower precisions or compiled.  What judges or shows them
takes them from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite

from conformance.graph.model import Graph
from conformance.judge.finding import finite
from conformance.judge.record.evidence import Record
from conformance.numbers.adjoint import TRAINED
from conformance.numbers.causes.roots import Root
from conformance.numbers.deviation import Control, NodeParity, SlotParity
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Parity
from conformance.trace.port import PLAIN, Execution

__all__ = ["Compared", "check", "compared", "finite", "nearness"]

#: Whatever else a record is executed in, which says itself what that is.
EXECUTED = "executed"

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
            things = "gradients" if self.mode.endswith("gradients") else "nodes"
            yield f"{len(self.results)} of {self.planned} {things} were compared"
        if not self.controls:
            yield "no control arm was run"
        missed = [each for each in self.controls if not each.caught]
        if self.lower and missed and len(missed) == len(self.controls):
            yield "no control arm was caught"
        for each in missed if not self.lower else ():
            kind = self.graph.nodes[each.node].kind
            yield f"a control arm was not caught: {kind}, {each.alteration}"


def compared(record: Record) -> dict[str, Compared]:
    """What a record's numbers were compared in, by the name of the mode; empty if in none."""
    graph, training = record.graph, record.training
    pairs: list[tuple[str, Graph | None, Parity | Gradients | None]] = [
        ("inference", graph, record.parity),
        ("training", training, record.training_parity),
        ("gradients", graph, record.gradients),
        ("training gradients", training, record.training_gradients),
        *((EXECUTED, graph, each) for each in record.executions),
    ]
    found = [check(mode, graph, values) for mode, graph, values in pairs if graph and values]
    return {each.mode: each for each in found}


def check(mode: str, graph: Graph, found: Parity | Gradients) -> Compared:
    """One numeric check of a graph: what was to be compared beside what was."""
    if isinstance(found, Gradients):  # every slot on the way to an output, and the image
        live = graph.ancestors(*graph.outputs)
        planned = sum(len(TRAINED & graph.nodes[index].slots.keys()) for index in live) + 1
        return Compared(mode, graph, planned, found.slots, found.controls, found.problem)
    planned = sum(node.kind != "input" for node in graph)
    if mode == "training":  # and the running statistics after the step
        norms = (node for node in graph if node.attributes.get("momentum") is not None)
        planned += sum(len(RUNNING & node.slots.keys()) for node in norms)
    elif mode != "inference":
        mode = str(Execution(found.precision, compiled=found.compiled))
    return Compared(
        mode,
        graph,
        len(graph.outputs) if found.compiled else planned,
        found.nodes + found.statistics,
        found.controls,
        found.problem,
        found.precision != PLAIN.precision,
        found.roots,
    )


def nearness(result: NodeParity | SlotParity | Control) -> float:
    """How near a result came to its bound; what is not a number came nearest."""
    near = result.error / result.bound if result.bound else inf
    return near if isfinite(near) else inf
