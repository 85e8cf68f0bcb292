"""What runs on whole numbers say of a network: how many nodes are exact, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod

from conformance.graph.model import Graph
from conformance.judge import results
from conformance.judge.finding import Finding, Part, Unjudged
from conformance.numbers.exact import Exact, ExactNode


def part(graph: Graph, rows: list[str], subject: str, found: Exact) -> Part:
    """A run as a check: the first node that differs, and what keeps it from being one."""
    nodes = sum(node.kind != "input" for node in graph)
    without = sum(bool(node.reason) for node in found.nodes)
    arms = len(found.controls)
    said = f"exact in {found.precision}: "
    result = Part(
        planned=nodes - without + max(1, arms),
        run=len(found.nodes) - without + arms,
        open=[Unjudged("forward", said + doubt) for doubt in doubts(graph, found)],
    )
    if first := found.first_difference:
        node, row = graph.nodes[first.node], rows[first.node]
        result.findings.append(
            Finding(
                check="forward",
                node=row,
                attribute="value",
                expected=f"exact in {found.precision}",
                found=f"{first.differing} numbers differ",
                kind=node.kind,
                port_node=str(node.where),
                sentence=f"{subject.format(row=row)}: {difference(graph, found)}",
            )
        )
    return result


def summary(run: results.ExactRun) -> str:
    """How many nodes are exact, in words, from the result's row."""
    said = f"{run.exact} of {run.nodes} nodes exact in {run.precision}"
    return f"{said}, {run.rounded} to the nearest step" if run.rounded else said


def row(graph: Graph, found: Exact) -> results.ExactRun:
    """A run as a row of the result; what an algorithm rounds may differ between machines."""
    first = found.first_difference
    rounded = [node.distance for node in found.nodes if node.rounded]
    return results.ExactRun(
        precision=found.precision,
        device=found.device,
        nodes=sum(node.kind != "input" for node in graph),
        exact=found.exact,
        rounded=len(rounded),
        furthest=max(rounded, default=0.0),
        without=dict(sorted(Counter(n.reason for n in found.nodes if n.reason).items())),
        first_difference=first.node if first else None,
        controls=len(found.controls),
        caught=sum(each.caught for each in found.controls),
        problem=found.problem,
    )


def doubts(graph: Graph, found: Exact) -> Iterator[str]:
    """What keeps a run from being a check, whatever its results."""
    if found.problem:
        yield found.problem
    elif not found.controls:
        yield "no control arm was run"
    for node in found.dull:
        kind = graph.nodes[node.node]
        yield (
            f"the numbers of {kind.kind} {kind.where} are too much alike: {node.entropy:.1f} bits"
            f" of the {node.needed:.1f} that tell a bug"
        )
    for each in found.controls:
        if not each.caught:
            kind = graph.nodes[each.node]
            yield f"a control arm was not caught: {kind.kind}, {each.alteration}"


def difference(graph: Graph, found: Exact) -> str:
    """The first node that differs from the exact result, in words; empty for none."""
    first = found.first_difference
    if first is None:
        return ""
    node = graph.nodes[first.node]
    said = f"the first node that is not exact in {found.precision} is {node.kind} {node.where}"
    return f"{said}: {_apart(first, graph)}"


def _apart(first: ExactNode, graph: Graph) -> str:
    size = prod(graph.nodes[first.node].shape)
    where = f", the first at {first.first}" if first.first else ""
    most = f"by at most {first.distance:.3g} steps"
    return f"{first.differing} of {size} numbers differ{where}, {most}"
