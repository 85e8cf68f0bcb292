"""Two layers in the other order, and a norm in place of another one, are one difference each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from conformance.graph.align import Finding as Difference
from conformance.graph.align import equal
from conformance.graph.model import Graph, Node
from conformance.judge.port.comparison import Comparison
from conformance.values import text


def swapped(expected: Graph, differences: list[Difference]) -> list[Difference]:
    """The differences, with those of a swapped pair as one: its kinds in the other order."""
    at: dict[int, list[Difference]] = defaultdict(list)
    for each in differences:
        if each.expected_node is not None and each.found_node is not None:
            at[each.expected_node].append(each)
    gone: dict[Difference, Difference | None] = {}
    for first, second in _neighbours(expected, at):
        one, other = at[first], at[second]
        if any(each in gone for each in [*one, *other]) or not _exchanged(one, other):
            continue
        if not _told_apart(expected.nodes[first], expected.nodes[second]) <= {
            each.attribute for each in one
        }:
            continue  # such as a stride that has moved to the other convolution
        names = [_name(one, "expected"), _name(one, "found")]
        whole = Difference("order", tuple(names), tuple(names[::-1]), first, one[0].found_node)
        gone |= dict.fromkeys([*one, *other], None) | {one[0]: whole}
    kept = [gone.get(each, each) for each in differences]
    return [each for each in kept if each is not None]


def replaced(comparison: Comparison, differences: list[Difference]) -> list[Difference]:
    """The differences, with a norm that is missing and another that stands there as one."""
    expected, found = comparison.expected, comparison.found
    there: dict[int | None, Difference] = {}
    for each in differences:
        if each.attribute == "extra" and each.found_node is not None:
            node = found.nodes[each.found_node]
            if node.has("norm"):
                there.setdefault(comparison.back.get(node.inputs[0]), each)
    gone: dict[Difference, Difference | None] = {}
    for each in differences:
        if each.attribute != "missing" or each.expected_node is None:
            continue
        node = expected.nodes[each.expected_node]
        if node.has("norm") and (other := there.pop(node.inputs[0], None)) is not None:
            assert other.found_node is not None
            kind = found.nodes[other.found_node].kind
            one = Difference("kind", node.kind, kind, each.expected_node, other.found_node)
            gone |= {other: None, each: one}
    kept = [gone.get(each, each) for each in differences]
    return [each for each in kept if each is not None]


def _neighbours(graph: Graph, at: dict[int, list[Difference]]) -> Iterator[tuple[int, int]]:
    """Nodes that differ, and the next of their kind behind each of them."""
    readers = graph.consumers()
    for first in sorted(at):
        current = first
        while len(readers[current]) == 1:
            current = readers[current][0]
            if graph.nodes[current].kind == graph.nodes[first].kind:
                if current in at:
                    yield first, current
                break


def _told_apart(one: Node, other: Node) -> set[str]:
    """The attributes in which two layers differ that are expected one behind the other."""
    names = one.attributes.keys() | other.attributes.keys()
    return {n for n in names if not equal(one.attributes.get(n), other.attributes.get(n))}


def _exchanged(one: list[Difference], other: list[Difference]) -> bool:
    """Whether each of two layers has what is expected of the other, in all that differs."""
    theirs = {each.attribute: each for each in other}
    return (
        "kernel" in theirs
        and len(one) == len(other)
        and all(
            each.attribute in theirs
            and equal(each.expected, theirs[each.attribute].found)
            and equal(each.found, theirs[each.attribute].expected)
            for each in one
        )
    )


def _name(of: list[Difference], side: str) -> str:
    """A layer by what tells it from the other: its kernel."""
    (kernel,) = [getattr(each, side) for each in of if each.attribute == "kernel"]
    return text(kernel)
