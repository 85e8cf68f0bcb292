"""What a row of a known variant speaks of, among the nodes and findings of a comparison."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from conformance.graph.align import Finding
from conformance.graph.model import Node
from conformance.graph.written import layer
from conformance.judge.port.comparison import Comparison
from conformance.reference.variants import Difference, Profile
from conformance.values import text


def leaves_out(row: Difference) -> bool:
    """Whether a row of a profile takes layers out of the network."""
    return row.attribute == "missing" and row.count != "any"


def wanted(comparison: Comparison, row: Difference) -> int | None:
    """How many findings a row of a profile asks for; None for any number."""
    if row.count == "any":
        return None
    if row.count.isdecimal():
        return int(row.count)
    if row.count != "all":  # as many as the port has of this kind
        return sum(
            fnmatchcase(label(node), f"{row.count[5:]}*")
            and in_layer(comparison, comparison.behind(index), row.layer)
            for index, node in enumerate(comparison.found)
        )
    nodes = enumerate(comparison.expected)
    places = [i for i, node in nodes if described(node, row) and in_layer(comparison, i, row.layer)]
    if row.attribute == "missing":
        return len(places)
    return sum(i in comparison.pairs for i in places)  # what is not there differs in nothing else


def described(node: Node, row: Difference) -> bool:
    """Whether a row speaks of an expected node, which may have the paper's value or not."""
    if not fnmatchcase(label(node), row.node):
        return False
    if row.attribute in ("missing", "extra", "inputs", "width", "order"):
        return True
    return _is(_attribute(node, row.attribute), row.paper)


def speaks_of(comparison: Comparison, finding: Finding, row: Difference) -> bool:
    """Whether a row speaks of a finding: of what differs, from what to what, and of where.

    A layer in whose place something stands that cannot be read is not left out.
    """
    return (
        finding.attribute == row.attribute
        and not (row.attribute == "missing" and finding.expected_node in comparison.instead)
        and _reads(comparison, finding, row)
        and in_layer(comparison, comparison.anchor(finding), row.layer)
        and fnmatchcase(label(comparison.node(finding)), row.node)
        and _is(finding.expected, row.paper)
        and _is(finding.found, _classes(comparison) if row.variant == "classes" else row.variant)
        and all(
            _is(_attribute(comparison.node(finding), name), value) for name, value in row.having
        )
    )


def _classes(comparison: Comparison) -> str:
    """How many classes the port tells apart."""
    return text(comparison.found.nodes[comparison.found.outputs[0]].shape[-1])


def _reads(comparison: Comparison, finding: Finding, row: Difference) -> bool:
    """Whether a norm that is there for each layer of a kind reads such a layer itself.

    Behind a convolution and behind its ReLU it is another network.  Where one layer of many is
    named, it is only counted.
    """
    kind = row.count.removeprefix("each ")
    if row.variant != "batch_norm" or row.attribute != "extra" or kind == row.count or " " in kind:
        return True
    assert finding.found_node is not None
    before = [comparison.found.nodes[i] for i in comparison.found.nodes[finding.found_node].inputs]
    return any(fnmatchcase(label(node), f"{kind}*") for node in before)


def stated(comparison: Comparison, finding: Finding, profile: Profile) -> bool:
    """Whether a row of a variant states what an added node has."""
    node = comparison.node(finding)
    return any(
        (row.attribute == finding.attribute and _is(finding.found, row.variant))
        or (row.attribute == "extra" and finding.attribute in dict(row.having))
        for row in profile.differences
        if in_layer(comparison, comparison.anchor(finding), row.layer)
        and fnmatchcase(label(node), row.node)
    )


def _attribute(node: Node, name: str) -> Any:
    """An attribute, the kind, or whether there is such a slot."""
    return node.kind if name == "kind" else node.attributes.get(name, name in node.slots)


def in_layer(comparison: Comparison, index: int, layer: str) -> bool:
    """Whether an expected node is in one of the layers that a row names."""
    row = comparison.rows[index]
    for each in layer.split(","):
        match each.strip():
            case "input":
                found = index in comparison.expected.inputs
            case "output":
                found = index == comparison.output
            case "top":
                found = index in comparison.top
            case "auxiliary":
                found = row in comparison.auxiliary
            case pattern:
                found = fnmatchcase(comparison.names[index] if "/" in pattern else row, pattern)
        if found:
            return True
    return False


def _is(value: Any, pattern: str) -> bool:
    return fnmatchcase(text(value), pattern)


def label(node: Node) -> str:
    """A node as profiles write it: its kind, and the layer as the reference writes it."""
    if node.kind == "dropout":
        return node.kind
    text = layer(node)
    if not text or node.kind in ("lrn", "global_avg_pool"):
        return node.kind
    text = text.rpartition("pool ")[2].removeprefix("fc ").removeprefix("subsample ")
    return f"{node.kind} {text}"
