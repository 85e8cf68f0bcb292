"""Which node of one graph is which node of another, and what differs between them.

Nodes are matched by what surrounds them and never by name.  In two graphs of one network each node
has its place, by everything upstream and downstream.  Graphs that differ are matched at least edit
distance, so that one difference is one finding and leaves everything around it in place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from conformance.graph.edit_distance import match
from conformance.graph.model import Graph, Node
from conformance.graph.sequences import TELLING, Costs, Written, alternative, corresponding

#: How often branches are put into another order and everything is matched again.
ROUNDS = 4


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
    """Pairs of corresponding nodes, and the nodes of either graph that correspond to none.

    ``swaps`` are neighbours, first and second in the expected graph, that have changed places.
    """

    pairs: dict[int, int]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    swaps: tuple[tuple[int, int], ...] = ()

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
        if node.has("unordered"):
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
            edge = place if _ordered(node) else 0
            readers[source].append(digest(hashes[index], edge))
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
    swaps: list[tuple[int, int]] = []
    pairs = _same(expected, found)
    if pairs is None:
        pairs = _nearest(expected, found)
        swaps = _swaps(expected, found, pairs)
    taken = set(pairs.values())
    missing = tuple(a for a in range(len(expected)) if a not in pairs)
    extra = tuple(b for b in range(len(found)) if b not in taken)
    return Alignment(dict(sorted(pairs.items())), missing, extra, tuple(swaps))


def _same(expected: Graph, found: Graph) -> dict[int, int] | None:
    """The nodes of two graphs of one network by their places; None when they are of two.

    Attributes may differ; but two layers that differ in what tells branches of one shape apart may
    have changed places.
    """
    if len(expected) != len(found):
        return None
    where = {place: b for b, place in enumerate(places(found))}
    pairs = {a: where.get(place, -1) for a, place in enumerate(places(expected))}
    if min(pairs.values(), default=0) < 0:
        return None
    telling = [
        a for a, b in pairs.items()
        if any(name in TELLING for name, *_ in _differences(expected.nodes[a], found.nodes[b]))
    ]  # fmt: skip
    return pairs if len(telling) < 2 else None


def _nearest(expected: Graph, found: Graph) -> dict[int, int]:
    """The pairs that the cheapest way to turn one network into the other keeps."""
    costs = Costs()
    ours, theirs = Written(expected, costs), Written(found, costs)
    row = ours.sequence()
    for _ in range(ROUNDS):
        other = theirs.sequence()
        _, kept = match([ours.numbers[a] for a in row], [theirs.numbers[b] for b in other], costs)
        pairs = {row[i]: other[j] for i, j in kept}
        changed = False
        for a, b in pairs.items():
            if min(len(expected.nodes[a].inputs), len(found.nodes[b].inputs)) > 1:
                best = corresponding(ours.branches(a), theirs.branches(b), costs)
                if best != sorted(best):
                    theirs.order[b] = [theirs.inputs(b)[k] for k in best]
                    changed = True
        if not changed:
            break
    return pairs


def _swaps(expected: Graph, found: Graph, pairs: dict[int, int]) -> list[tuple[int, int]]:
    """Pair nodes that have only changed places with a paired neighbour; tell which those are."""
    taken = set(pairs.values())
    readers, their_readers = expected.consumers(), found.consumers()

    def after(b: int) -> list[int]:
        return their_readers[b] if len(their_readers[b]) == 1 else []

    def before(b: int) -> list[int]:
        return [i for i in found.nodes[b].inputs if len(their_readers[i]) == 1]

    swaps: list[tuple[int, int]] = []
    for a, node in enumerate(expected):
        if a in pairs:
            continue
        neighbours = [(p, (a, p), after) for p in readers[a] if len(readers[a]) == 1]
        neighbours += [(p, (p, a), before) for p in node.inputs if len(readers[p]) == 1]
        for p, swap, beyond in neighbours:
            free = [b for b in beyond(pairs[p]) if b not in taken] if p in pairs else []
            same = [b for b in free if found.nodes[b].kind == node.kind]
            if same and not any(p in swap for swap in swaps):
                pairs[a] = same[0]
                taken.add(same[0])
                swaps.append(swap)
                break
    return swaps


def findings(expected: Graph, found: Graph, alignment: Alignment) -> list[Finding]:
    """Every difference between two aligned graphs, in the expected network's order."""
    result: list[tuple[float, Finding]] = []
    back = {b: a for a, b in alignment.pairs.items()}
    for a, b in alignment.pairs.items():
        for attribute, want, have in _differences(expected.nodes[a], found.nodes[b]):
            result.append((a, Finding(attribute, want, have, a, b)))
    for a, finding in _edges(expected, found, alignment, back):
        result.append((a, finding))
    for a in alignment.missing:
        result.append((a, Finding("missing", expected.nodes[a].kind, None, a, None)))
    # An extra node stands behind the last node of the expected network that it is computed from.
    behind: list[int] = []
    for b, node in enumerate(found):
        behind.append(back.get(b, max((behind[i] for i in node.inputs), default=-1)))
    for b in alignment.extra:
        result.append((behind[b] + 0.5, Finding("extra", None, found.nodes[b].kind, None, b)))
    return [finding for _, finding in sorted(result, key=lambda pair: pair[0])]


def _edges(
    expected: Graph, found: Graph, alignment: Alignment, back: dict[int, int]
) -> Iterator[tuple[int, Finding]]:
    """What differs in what nodes read, beyond what nodes without a partner explain."""
    stands_for = dict(alignment.pairs)
    swapped = set()
    for first, second in alignment.swaps:
        x, y = alignment.pairs[first], alignment.pairs[second]
        stands_for[first], stands_for[second] = y, x
        swapped |= {first, second}
        kinds = expected.nodes[first].kind, expected.nodes[second].kind
        yield first, Finding("order", kinds, kinds[::-1], first, x)
    wanted = _sources(expected, stands_for)
    present = _sources(found, {b: b for b in back})
    for a, b in alignment.pairs.items():
        if a in swapped or expected.nodes[a].inputs == found.nodes[b].inputs == ():
            continue
        reads, is_read = expected.nodes[a].inputs, found.nodes[b].inputs
        want, have = [wanted[i] for i in reads], [present[i] for i in is_read]
        if _ordered(expected.nodes[a]) and expected.nodes[a].kind == found.nodes[b].kind:
            places = _places_of(want, have)
            known = [place for place in places if place is not None]
            if known != sorted(known):
                yield a, Finding("order", tuple(range(len(want))), places, a, b)
        here = {stands_for[i] for i in reads if i in stands_for}
        there = {i for i in is_read if i in back}
        direct = len(here) == len(reads) and len(there) == len(is_read)
        explained = here <= set().union(*have) and there <= set().union(*want)
        if sorted(want) != sorted(have) if direct else not explained:
            sources = tuple(back[i] for i in is_read if i in back)
            yield a, Finding("inputs", reads, sources, a, b)


def _ordered(node: Node) -> bool:
    """Whether the order of the branches that end in a node is a part of what it computes."""
    return node.has("join") and not node.has("unordered")


def _sources(graph: Graph, label: dict[int, int]) -> list[tuple[int, ...]]:
    """For each node its label or, if it has none, the labels of what it is computed from."""
    result: list[tuple[int, ...]] = []
    for index, node in enumerate(graph):
        through = sorted({each for i in node.inputs for each in result[i]})
        result.append((label[index],) if index in label else tuple(through))
    return result


def _places_of(want: list[tuple[int, ...]], have: list[tuple[int, ...]]) -> tuple[int | None, ...]:
    """Where among the expected inputs each of those that are there stands."""
    free: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, source in enumerate(want):
        free[source].append(place)
    return tuple(free[source].pop(0) if free[source] else None for source in have)


def _differences(want: Node, have: Node) -> Iterator[tuple[str, Any, Any]]:
    names = want.attributes.keys() | have.attributes.keys()
    if want.kind != have.kind:
        yield "kind", want.kind, have.kind
        names = want.attributes.keys() & have.attributes.keys()
    for attribute in sorted(names):
        a, b = want.attributes.get(attribute), have.attributes.get(attribute)
        if not equal(a, b):
            yield attribute, a, b
    if want.has("weighted") and want.shape[-1] != have.shape[-1]:
        yield "width", want.shape[-1], have.shape[-1]
    # A convolution's or dense layer's bias is an attribute already.
    slots = want.slots.keys() ^ have.slots.keys() if "bias" not in want.attributes else set()
    if alternative(want.kind, have.kind):
        slots = set()  # another activation: that it has a learned slope goes without saying
    for slot in sorted(slots):
        yield slot, slot in want.slots, slot in have.slots


def equal(a: Any, b: Any) -> bool:
    """Equal as written down; a number that only passed through single precision is equal too."""
    if isinstance(a, float) or isinstance(b, float):
        if a is None or b is None:
            return False
        return bool(np.float32(a) == np.float32(b))
    return bool(a == b)
