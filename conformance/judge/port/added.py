"""What a variant adds is judged like everything else: its nodes have expected attributes.

A layer that the paper does not have is expected to be like its peers: like the network's own
layers of its kind, with what the accepted variants made of them; where there are none, like those
of the family's other networks or as frameworks build it, all of them alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from conformance import reference
from conformance.graph.align import Finding as Difference
from conformance.graph.align import equal
from conformance.graph.model import Graph, Node
from conformance.judge import published
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.described import stated
from conformance.kinds import KINDS
from conformance.reference import Model
from conformance.reference.variants import Profile

#: What is expected of an added node of a kind.
JUDGED = {
    "batch_norm": ("epsilon", "momentum", "statistics", "gamma", "beta"),
    "conv": ("bias", "groups", "dilation"),
    "dense": ("bias",),
    "dropout": ("rate",),
    "lrn": ("n", "k", "alpha", "beta"),
    "avg_pool": ("count_include_pad",),
}
#: What frameworks build where nothing is said, for kinds that neither network nor family has.
USUAL: dict[str, dict[str, tuple[Any, ...]]] = {
    "batch_norm": {
        "epsilon": (1e-5, 1e-3), "momentum": (0.9, 0.99), "gamma": (True, False), "beta": (True,)
    },
    "conv": {"groups": (1,), "dilation": ((1, 1),)},
    "dropout": {"rate": (0.5,)},
}  # fmt: skip


def added(
    comparison: Comparison, surplus: list[int], profiles: Sequence[Profile]
) -> list[Difference]:
    """Differences of the nodes that the accepted ``profiles`` add.

    ``surplus`` are the findings that none accepts.  What a row of a profile states of such a node
    is expected of it.
    """
    accepted = [f for i, f in enumerate(comparison.findings) if i not in set(surplus)]
    nodes = (f.found_node for f in accepted if f.attribute == "extra")
    extra = [b for b in nodes if b is not None]
    peers = _Peers(comparison, {(f.expected_node, f.attribute) for f in accepted}, extra)
    found = [each for b in extra for each in _judged(comparison.found, b, peers)]
    return [f for f in found if not any(stated(comparison, f, each) for each in profiles)]


class _Peers:
    """The values that an attribute has in layers of one kind."""

    def __init__(
        self, comparison: Comparison, accepted: set[tuple[int | None, str]], extra: list[int]
    ) -> None:
        self.comparison, self.accepted = comparison, accepted
        self.extra = [comparison.found.nodes[b] for b in extra]
        self.values = cache(self._values)

    def _values(self, kind: str, normed: bool, attribute: str) -> tuple[Any, ...]:
        """What is expected, the commonest first; empty where nothing is."""
        own = Counter(self._own(kind, normed, attribute))
        if own and attribute == "rate":  # each dropout of a network may have its own
            return tuple(value for value, _ in own.most_common())
        if own:
            return (own.most_common(1)[0][0],)
        usual = USUAL.get(kind, {}).get(attribute, ())
        family = Counter(_relatives(self.comparison.model, kind, attribute))
        likely = (*(value for value, _ in family.most_common(1)), *usual)
        if attribute == "rate":
            return likely
        alike = Counter(value(node, attribute) for node in self.extra if node.kind == kind)
        commonest = alike.most_common(1)[0][0]
        return (commonest,) if any(equal(each, commonest) for each in likely) else likely

    def _own(self, kind: str, normed: bool, attribute: str) -> Iterator[Any]:
        found, expected = self.comparison.found, self.comparison.expected
        for a, b in self.comparison.pairs.items():
            if expected.nodes[a].kind != kind or _normed(found, b) != normed:
                continue
            changed = (a, attribute) in self.accepted
            yield value(found.nodes[b] if changed else expected.nodes[a], attribute)


def _relatives(model: Model, kind: str, attribute: str) -> Iterator[Any]:
    for other in reference.family(model.family).models:
        for node in published.network(other).training:
            if node.kind == kind and value(node, attribute) is not None:
                yield value(node, attribute)


def value(node: Node, attribute: str) -> Any:
    """An attribute, or whether there is such a slot; None for what a mode does not have."""
    slot = attribute in KINDS[node.kind].slots.split()
    return node.attributes.get(attribute, attribute in node.slots if slot else None)


def _normed(graph: Graph, index: int) -> bool:
    """Whether a normalisation reads a node, so that a bias before it would be idle."""
    return any(graph.nodes[i].has("norm") for i in graph.consumers()[index])


def _judged(graph: Graph, index: int, peers: _Peers) -> Iterator[Difference]:
    node = graph.nodes[index]
    normed = node.kind == "conv" and _normed(graph, index)
    for attribute in JUDGED.get(node.kind, ()):
        have = value(node, attribute)
        wanted = peers.values(node.kind, normed, attribute)
        if have is not None and wanted and not any(equal(want, have) for want in wanted):
            yield Difference(attribute, wanted[0], have, None, index)
    if "padding" in node.attributes and "kernel" in node.attributes:
        before = graph.nodes[node.inputs[0]].shape
        if not all(_usual_padding(node.attributes, axis, before[axis]) for axis in (0, 1)):
            yield Difference(
                "padding", _padding(node, before), node.attributes["padding"], None, index
            )


def _usual_padding(of: dict[str, Any], axis: int, size: int) -> bool:
    """None, or what keeps the size: alike on both sides, or less above than below."""
    kernel, (low, high) = of["kernel"][axis], of["padding"][axis]
    if kernel >= size:
        return (low, high) == (0, 0)
    return 0 <= low <= kernel // 2 and 0 <= high <= kernel // 2


def _padding(node: Node, before: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = (
        0 if kernel >= size else kernel // 2
        for kernel, size in zip(node.attributes["kernel"], before, strict=False)
    )
    return ((height, height), (width, width))
