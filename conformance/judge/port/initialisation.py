"""What a port starts from: its own initial values, judged slot by slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from conformance.graph.align import Finding as Difference
from conformance.graph.model import Graph, Node
from conformance.judge.finding import Finding, Part, Unjudged
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.structure import source
from conformance.judge.port.subject import Subject
from conformance.judge.port.variants import explain
from conformance.numbers.causes.roots import stand_ins
from conformance.numbers.deviation import sample
from conformance.numbers.initial import ZERO_LAST, ZERO_OUTPUT, Initial, initial
from conformance.numbers.stored import whole
from conformance.reference.variants import Profile

Own = Callable[[str], np.ndarray]

#: Slots of which there is something to say; a bias or a beta may start anywhere.
JUDGED = frozenset({"kernel", "gamma", "mean", "variance"})


def check(subject: Subject, loaded: bool, settled: bool = False) -> tuple[Part, list[Profile]]:
    """A finding for each slot that no usual scheme starts like, and the variants it starts as.

    A port that was ``loaded`` from a checkpoint, or looks it, is not judged.  Where values have
    ``settled`` what its unread operations are, these are judged as that.
    """
    subject.stage("looking at initial values", 0, 0)
    comparison = subject.inference
    if settled:
        pairs = stand_ins(comparison.expected, comparison.found, comparison.pairs)
        comparison = replace(comparison, found=subject.side().found, pairs=pairs)
    stored = None if loaded else subject.port.own()
    if not stored or trained(comparison.found, stored.held) or _folded(comparison):
        why = "initial values (the port comes with trained ones)"
        return Part(unjudged=[Unjudged("initialisation", why)]), []
    own, slots = stored.held, judged(comparison.found)
    values = initial(comparison.found, own)
    found = [
        _finding(comparison, each)
        for each in values
        if each.finding and not _handles(comparison.found, each) <= stored.unset
    ]
    found += _alike(comparison, own)
    return Part(found, slots, slots), _variants(comparison, values, subject.candidates)


def _handles(graph: Graph, each: Initial) -> set[str]:
    return {piece.handle for piece in graph.nodes[each.node].parameters[each.slot]}


def _folded(comparison: Comparison) -> bool:
    """Whether the port has none of the network's norms: folding follows training."""
    expected, found = (
        any("variance" in node.slots for node in graph)
        for graph in (comparison.expected, comparison.found)
    )
    return expected and not found


def judged(graph: Graph) -> int:
    """How many slots of a graph are judged by their initial values."""
    return sum(slot in JUDGED for node in graph for slot in node.parameters)


def trained(graph: Graph, own: Own) -> bool:
    """Whether the values have been through training: its norms have seen batches."""
    norms = [node for node in graph if "mean" in node.parameters and "variance" in node.parameters]
    return bool(norms) and all(
        whole(node, "mean", own).any() and np.ptp(whole(node, "variance", own)) > 0
        for node in norms
    )


def _alike(comparison: Comparison, own: Own) -> list[Finding]:
    """A finding for each kernel that starts with the numbers of another one."""
    first: dict[tuple[object, ...], list[int]] = {}
    alike: list[Finding] = []
    nodes = comparison.found.nodes
    for index, node in enumerate(nodes):
        pieces = node.parameters.get("kernel", ())
        if not pieces:
            continue
        values = _kernel(node, own)
        before = first.setdefault((node.slots["kernel"], sample(values)), [])
        equal = (i for i in before if np.array_equal(values, _kernel(nodes[i], own)))
        if (other := next(equal, None)) is None:
            before.append(index)
            continue
        twin = nodes[other].parameters["kernel"]
        if not np.ptp(values) or {p.handle for p in twin} & {p.handle for p in pieces}:
            continue
        alike.append(
            Finding(
                "initialisation", comparison.labels[index], "kernel", "numbers of its own",
                "the same numbers as another one", kind=node.kind, port_node=str(node.where),
                hint=f"equal to {comparison.labels[other]}: one seed for several layers? Give each"
                " its own, or draw all from one generator",
            )
        )  # fmt: skip
    return alike


def _kernel(node: Node, own: Own) -> np.ndarray:
    """A kernel in the layout of the one array that it is stored in, or its own."""
    pieces = node.parameters["kernel"]
    alone = len(pieces) == 1 and pieces[0].region is None
    return own(pieces[0].handle) if alone else whole(node, "kernel", own)


def _variants(
    comparison: Comparison, values: Sequence[Initial], profiles: Sequence[Profile]
) -> list[Profile]:
    """The known variants that a port starts as, by what is 0 in them and elsewhere is not."""
    zero = [
        Difference(f"initial {each.slot}", None, 0, comparison.back[each.node], each.node)
        for each in values
        if each.scheme in (ZERO_LAST, ZERO_OUTPUT) and each.node in comparison.back
    ]
    return explain(replace(comparison, findings=zero), profiles).profiles


def _finding(comparison: Comparison, each: Initial) -> Finding:
    node = comparison.found.nodes[each.node]
    index = comparison.back.get(each.node)
    return Finding(
        check="initialisation",
        node=comparison.names[index] if index is not None else "no node of the paper's",
        attribute=each.slot,
        expected="a usual scheme",
        found=each.finding,
        kind=node.kind,
        port_node=str(node.where),
        hint="values as the factory built them; for a port that loads a checkpoint, --trained",
        source=source(comparison.model, comparison.rows[index]) if index is not None else "",
    )
