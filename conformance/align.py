"""Which node of one graph is which node of another, and what differs between them.

Nodes are matched by what surrounds them and never by name: by everything upstream, by everything
downstream, by their neighbourhood, outwards from matched neighbours, and what is left by least edit
distance.  Attributes take no part in matching, so that one wrong attribute is one finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from conformance.trace.graph import Graph, Node

#: How far around a node one looks for what tells it apart from others, from far to near.
NEAR = (6, 4, 3, 2, 1)

#: Kinds whose number of output channels is an attribute, the width.
WIDTH = frozenset({"conv", "dense", "rbf"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference at one node: which attribute, what was expected and what is there.

    ``expected_node`` and ``found_node`` are node numbers, or None on the side that has none.
    """

    attribute: str
    expected: Any
    found: Any
    expected_node: int | None
    found_node: int | None


@dataclass(frozen=True, slots=True)
class Alignment:
    """Pairs of corresponding nodes, and the nodes of either graph that correspond to none."""

    pairs: dict[int, int]
    missing: tuple[int, ...]
    extra: tuple[int, ...]

    @property
    def complete(self) -> bool:
        """Whether every node has its counterpart."""
        return not self.missing and not self.extra


def digest(*parts: Hashable) -> bytes:
    """A short hash of plain values, the same in every run and on every machine."""
    return blake2b(repr(parts).encode(), digest_size=12).digest()


def upstream(graph: Graph) -> list[bytes]:
    """For each node a hash of its kind, its shape and everything it is computed from."""
    hashes: list[bytes] = []
    for node in graph:
        sources = [hashes[i] for i in node.inputs]
        if node.kind == "add":
            sources.sort()
        hashes.append(digest(node.kind, node.shape, *sources))
    return hashes


def downstream(graph: Graph) -> list[bytes]:
    """For each node a hash of its kind, its shape and everything that is computed from it."""
    readers: list[list[bytes]] = [[] for _ in graph]
    for place, index in enumerate(graph.outputs):
        readers[index].append(digest("output", place))
    hashes: list[bytes] = [b""] * len(graph)
    for index in range(len(graph) - 1, -1, -1):
        node = graph.nodes[index]
        hashes[index] = digest(node.kind, node.shape, *sorted(readers[index]))
        for place, source in enumerate(node.inputs):
            edge = place if node.kind == "concat" else 0
            readers[source].append(digest(hashes[index], edge))
    return hashes


def around(graph: Graph, radius: int) -> list[bytes]:
    """For each node a hash of its kind, its shape and all nodes up to ``radius`` steps away."""
    hashes = [digest(node.kind, node.shape) for node in graph]
    readers = graph.consumers()
    for _ in range(radius):
        before = hashes
        hashes = []
        for index, node in enumerate(graph):
            sources = [before[i] for i in node.inputs]
            if node.kind == "add":
                sources.sort()
            readings = [
                digest(
                    before[i],
                    graph.nodes[i].inputs.index(index) * (graph.nodes[i].kind == "concat"),
                )
                for i in readers[index]
            ]
            hashes.append(digest(before[index], *sources, "read by", *sorted(readings)))
    return hashes


def places(graph: Graph) -> list[bytes]:
    """For each node its place in the network: equal in two graphs of one network.

    Nodes that no structure tells apart are numbered in the graph's own order.
    """
    counts: dict[bytes, int] = defaultdict(int)
    result = []
    for up, down in zip(upstream(graph), downstream(graph), strict=True):
        both = digest(up, down)
        result.append(digest(both, counts[both]))
        counts[both] += 1
    return result


def align(expected: Graph, found: Graph) -> Alignment:
    """Match the nodes of two graphs."""
    pairs: dict[int, int] = {}
    taken: set[int] = set()

    def pair(a: int, b: int) -> None:
        pairs[a] = b
        taken.add(b)

    for key in (places, upstream, downstream):
        _match(key(expected), key(found), pairs, taken, pair)
    for radius in NEAR:
        if len(pairs) < max(len(expected), len(found)):
            _match(around(expected, radius), around(found, radius), pairs, taken, pair)
    _spread(expected, found, pairs, taken, pair)
    _edit(expected, found, pairs, taken, pair)
    missing = tuple(a for a in range(len(expected)) if a not in pairs)
    extra = tuple(b for b in range(len(found)) if b not in taken)
    return Alignment(pairs, missing, extra)


def findings(expected: Graph, found: Graph, alignment: Alignment) -> list[Finding]:
    """Every difference between two aligned graphs, in the expected network's order."""
    result: list[tuple[float, Finding]] = []
    back = {b: a for a, b in alignment.pairs.items()}
    for a, b in alignment.pairs.items():
        for attribute, want, have in _differences(expected.nodes[a], found.nodes[b]):
            result.append((a, Finding(attribute, want, have, a, b)))
        want_inputs = [alignment.pairs.get(i) for i in expected.nodes[a].inputs]
        have_inputs = list(found.nodes[b].inputs)
        known = None not in want_inputs and all(i in back for i in have_inputs)
        ordered: Callable[[Iterable[Any]], Sequence[Any]] = list
        if expected.nodes[a].kind == "add":
            ordered = sorted
        if known and ordered(want_inputs) != ordered(have_inputs):
            sources = tuple(back[i] for i in have_inputs)
            result.append((a, Finding("inputs", expected.nodes[a].inputs, sources, a, b)))
    for a in alignment.missing:
        result.append((a, Finding("missing", expected.nodes[a].kind, None, a, None)))
    for b in alignment.extra:
        before = max((back[i] for i in found.ancestors(b) if i in back), default=-1)
        result.append((before + 0.5, Finding("extra", None, found.nodes[b].kind, None, b)))
    return [finding for _, finding in sorted(result, key=lambda pair: pair[0])]


def _differences(want: Node, have: Node) -> list[tuple[str, Any, Any]]:
    result = []
    for attribute in sorted(want.attributes.keys() | have.attributes.keys()):
        a, b = want.attributes.get(attribute), have.attributes.get(attribute)
        if not _equal(a, b):
            result.append((attribute, a, b))
    if want.kind in WIDTH and want.shape[-1] != have.shape[-1]:
        result.append(("width", want.shape[-1], have.shape[-1]))
    # A convolution's or dense layer's bias is an attribute already.
    slots = want.slots.keys() ^ have.slots.keys() if want.kind not in ("conv", "dense") else ()
    for slot in sorted(slots):
        result.append((slot, slot in want.slots, slot in have.slots))
    return result


def _equal(a: Any, b: Any) -> bool:
    """Equal as written down; a number that only passed through single precision is equal too."""
    if isinstance(a, float) or isinstance(b, float):
        if a is None or b is None:
            return False
        return bool(np.float32(a) == np.float32(b))
    return bool(a == b)


def _match(
    left: list[bytes],
    right: list[bytes],
    pairs: dict[int, int],
    taken: set[int],
    pair: Callable[[int, int], None],
) -> None:
    """Pair free nodes whose key is the key of exactly one free node on either side."""
    groups: dict[bytes, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for a, key in enumerate(left):
        if a not in pairs:
            groups[key][0].append(a)
    for b, key in enumerate(right):
        if b not in taken:
            groups[key][1].append(b)
    for in_left, in_right in groups.values():
        if len(in_left) == len(in_right) == 1:
            pair(in_left[0], in_right[0])


def _spread(
    expected: Graph,
    found: Graph,
    pairs: dict[int, int],
    taken: set[int],
    pair: Callable[[int, int], None],
) -> None:
    """Pair free neighbours of paired nodes when only one candidate on either side is alike."""
    readers_a, readers_b = expected.consumers(), found.consumers()
    work = list(pairs.items())
    while work:
        a, b = work.pop()
        for near_a, near_b in (
            (expected.nodes[a].inputs, found.nodes[b].inputs),
            (readers_a[a], readers_b[b]),
        ):
            free_a = [i for i in near_a if i not in pairs]
            free_b = [i for i in near_b if i not in taken]
            for i in free_a:
                alike = [j for j in free_b if likeness(expected.nodes[i], found.nodes[j]) >= 2]
                rivals = [k for k in free_a if expected.nodes[k].kind == expected.nodes[i].kind]
                if len(alike) == 1 and len(rivals) == 1 and alike[0] not in taken:
                    pair(i, alike[0])
                    work.append((i, alike[0]))


def likeness(a: Node, b: Node) -> float:
    """How alike two nodes are: 0 for different kinds, more for each thing they share."""
    if a.kind != b.kind:
        return 0.0
    slots = a.slots == b.slots
    attributes = sum(_equal(v, b.attributes.get(k)) for k, v in a.attributes.items())
    return (
        1.0 + (a.shape == b.shape) + (a.shape[-1:] == b.shape[-1:]) + slots
        + attributes / (1 + len(a.attributes))
    )  # fmt: skip


def _edit(
    expected: Graph,
    found: Graph,
    pairs: dict[int, int],
    taken: set[int],
    pair: Callable[[int, int], None],
) -> None:
    """Pair what is left, stretch by stretch between pairs that keep their order."""
    free_a = [a for a in range(len(expected)) if a not in pairs]
    free_b = [b for b in range(len(found)) if b not in taken]
    if not free_a or not free_b:
        return
    score = np.zeros((len(free_a) + 1, len(free_b) + 1))
    gain = np.array([[likeness(expected.nodes[a], found.nodes[b]) for b in free_b] for a in free_a])
    gain = np.where(_crosses(free_a, free_b, pairs), 0.0, gain)
    for i in range(len(free_a)):
        row = np.maximum(score[i, 1:], np.where(gain[i] > 0, score[i, :-1] + gain[i], 0.0))
        score[i + 1, 1:] = np.maximum.accumulate(row)
    i, j = len(free_a), len(free_b)
    while i and j:
        if score[i, j] == score[i, j - 1]:
            j -= 1
        elif score[i, j] == score[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pair(free_a[i], free_b[j])


def _crosses(free_a: list[int], free_b: list[int], pairs: dict[int, int]) -> np.ndarray:
    """Whether pairing a with b would cross more existing pairs than it keeps in order."""
    known = sorted(pairs.items())
    if not known:
        return np.zeros((len(free_a), len(free_b)), bool)
    left = np.array([a for a, _ in known])
    right = np.array([b for _, b in known])
    result = np.zeros((len(free_a), len(free_b)), bool)
    for row, a in enumerate(free_a):
        before = right[left < a]
        after = right[left > a]
        low = np.median(before[-5:]) if len(before) else -1
        high = np.median(after[:5]) if len(after) else np.inf
        result[row] = [not min(low, high) <= b <= max(low, high) for b in free_b]
    return result
