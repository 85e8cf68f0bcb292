"""Layers that are one object in several places: a fact of structure, seen without numbers."""

from __future__ import annotations

from math import prod

from conformance.graph.model import STATISTICS, Graph
from conformance.judge.finding import Finding
from conformance.judge.variants import Comparison

ADVICE = "one object in two places: build one for each"


def owners(graph: Graph) -> dict[int, int]:
    """Nodes of which every stored array is read by an earlier node, and by which."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for index, node in enumerate(graph):
        handles = [piece.handle for pieces in node.parameters.values() for piece in pieces]
        before = {first[handle] for handle in handles if handle in first}
        if handles and before and all(handle in first for handle in handles):
            found[index] = min(before)
        for handle in handles:
            first.setdefault(handle, index)
    return found


def counted_twice(graph: Graph) -> int:
    """How many trained parameters a sum over layers counts again."""
    return sum(
        prod(shape)
        for index in owners(graph)
        for slot, shape in graph.nodes[index].slots.items()
        if slot not in STATISTICS
    )


def findings(comparison: Comparison) -> list[Finding]:
    """A finding for each block that has no parameters of its own."""
    shared = owners(comparison.found)
    meant = {
        (comparison.pairs.get(a), comparison.pairs.get(b))
        for a, b in owners(comparison.expected).items()
    }
    labels = comparison.labels
    blocks: dict[tuple[str, str], list[int]] = {}
    for node, owner in shared.items():
        if (node, owner) not in meant:
            blocks.setdefault((_block(labels[node]), _block(labels[owner])), []).append(node)
    return [
        Finding(
            check="parameters",
            node=block,
            attribute="shared",
            expected="its own",
            found=f"those of {owner}",
            kind=comparison.found.nodes[nodes[0]].kind,
            port_node=str(comparison.found.nodes[nodes[0]].where),
            hint=ADVICE,
            sentence=f"{block} shares the parameters of {owner}",
        )
        for (block, owner), nodes in blocks.items()
    ]


def _block(label: str) -> str:
    """The block that a layer belongs to: ``stage1/3`` of ``stage1/3/2 batch_norm``."""
    parts = label.partition(" ")[0].split("/")
    return "/".join(parts[:-1]) if len(parts) > 2 else "/".join(parts)
