"""What runs on whole numbers say of a network: how many nodes are exact, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

from conformance.graph.model import Graph
from conformance.numbers.exact import Exact, ExactNode

Json = dict[str, Any]


def planned(graph: Graph, found: Exact) -> tuple[int, int]:
    """How many comparisons a run was to make, of nodes and of control arms, and how many it did."""
    nodes = sum(node.kind != "input" for node in graph)
    without = sum(bool(node.reason) for node in found.nodes)
    arms = len(found.controls)
    return nodes - without + max(1, arms), len(found.nodes) - without + arms


def summary(graph: Graph, found: Exact) -> str:
    """How many nodes are exact, in words."""
    nodes = sum(node.kind != "input" for node in graph)
    rounded = sum(node.rounded for node in found.nodes)
    said = f"{found.exact} of {nodes} nodes exact in {found.precision}"
    return f"{said}, {rounded} to the nearest step" if rounded else said


def as_json(graph: Graph, found: Exact) -> Json:
    """A run as a row of the result; what an algorithm rounds may differ between machines."""
    first = found.first_difference
    rounded = [node.distance for node in found.nodes if node.rounded]
    return {
        "precision": found.precision,
        "device": found.device,
        "nodes": sum(node.kind != "input" for node in graph),
        "exact": found.exact,
        "rounded": len(rounded),
        "furthest": max(rounded, default=0.0),
        "without": dict(sorted(Counter(n.reason for n in found.nodes if n.reason).items())),
        "first_difference": first.node if first else None,
        "controls": len(found.controls),
        "caught": sum(each.caught for each in found.controls),
        "problem": found.problem,
    }


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


def difference(graph: Graph, rows: list[str], found: Exact) -> Json | None:
    """The first node that differs from the exact result, as a finding without its subject."""
    first = found.first_difference
    if first is None:
        return None
    node = graph.nodes[first.node]
    return {
        "check": "forward",
        "node": rows[first.node],
        "attribute": node.kind,
        "expected": f"exact in {found.precision}",
        "found": f"{first.differing} numbers differ",
        "sentence": f"the first node that is not exact in {found.precision} is {node.kind}"
        f" {node.where}: {_apart(first, graph)}",
        "source": str(node.where),
    }


def _apart(first: ExactNode, graph: Graph) -> str:
    size = prod(graph.nodes[first.node].shape)
    where = f", the first at {first.first}" if first.first else ""
    most = f"by at most {first.distance:.3g} steps"
    return f"{first.differing} of {size} numbers differ{where}, {most}"
