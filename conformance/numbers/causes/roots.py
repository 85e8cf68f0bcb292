"""Root causes: nodes that are wrong by themselves, and those that only inherit what is wrong.

Once the port and the oracle have parted, another oracle goes on from the port's own results, one
node at a time.  What it computes from the port's inputs agrees with the port where the node only
inherits an error; where it does not, there is a second root cause.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Set
from math import sqrt

import numpy as np
from msgspec.structs import replace

from conformance.data import Count, Row
from conformance.graph.model import Graph
from conformance.graph.reach import reached
from conformance.numbers.causes import REACH, Segment, causes, nearness
from conformance.numbers.causes.running import moved
from conformance.numbers.deviation import SlotParity, distance
from conformance.numbers.oracle import Oracle
from conformance.numbers.weights import Weights, counterparts


class Root(Row, frozen=True):
    """A node that is wrong by itself: what makes its error vanish, and how many inherit it.

    ``slot`` is that of a running statistic, where it is what a training step leaves behind.
    """

    node: Count
    causes: tuple[str, ...]
    inherited: Count = 0
    slot: str = ""


#: What is said where the parameters of an operation without a word were none of the layer's.
HALVES = "all its parameters are 1/2 (they could not be told apart)"


def stand_ins(expected: Graph, found: Graph, pairs: dict[int, int]) -> dict[int, int]:
    """Pairs with unsupported operations where a node is expected in their place.

    Of two nodes that correspond, one reads an expected node and the other, in the same place, an
    unknown one of the same size, or what becomes of one; or both are outputs.  Its result can be
    compared, whatever computes it.
    """
    while more := _instead(expected, found, pairs):
        pairs = pairs | more
    return pairs


def _instead(expected: Graph, found: Graph, pairs: dict[int, int]) -> dict[int, int]:
    taken = set(pairs.values())
    instead: dict[int, int] = {}
    sides = [(expected.nodes[a].inputs, found.nodes[b].inputs) for a, b in pairs.items()]
    for reads, is_read in [*sides, (expected.outputs, found.outputs)]:
        for m, u in zip(reads, is_read, strict=True) if len(reads) == len(is_read) else ():
            want, have = expected.nodes[m], found.nodes[u]
            paired = found.nodes[pairs[m]].kind if m in pairs else ""
            if (
                made_of(found, u, want.kind, taken) and u not in taken and paired != want.kind
                and have.shape == want.shape and have.value >= 0
            ):  # fmt: skip
                instead[m] = u
                taken.add(u)
    return instead


def made_of(found: Graph, index: int, kind: str, barred: Set[int]) -> set[int]:
    """What a node is made of that stands for one of a ``kind``, back to nodes that are ``barred``;
    nothing of one that is known and is made of no single operation without a word."""
    nodes, at, barred = found.nodes, index, barred - {index}
    while nodes[at].known:
        if nodes[at].kind == kind or len(nodes[at].inputs) != 1 or nodes[at].inputs[0] in barred:
            return set()
        (at,) = nodes[at].inputs
    return reached([index], lambda i: nodes[i].inputs, barred)


class Roots:
    """Keeps step with a port beside the oracle, and says of each wrong node why it is."""

    def __init__(
        self, expected: Graph, found: Graph, pairs: dict[int, int], observed: set[int],
        weights: Weights, double: Oracle,
    ) -> None:  # fmt: skip
        self.expected, self.found, self.pairs, self.observed = expected, found, pairs, observed
        self.weights, self.oracle, self.parted = weights, double, False
        self.roots: list[Root] = []
        #: Which root an error comes from, by node; and how many nodes inherit each.
        self.source: dict[int, int] = {}
        self.heirs: Counter[int] = Counter()
        #: Nodes from whose results in the port nothing can be computed.
        self.lost: set[int] = set()

    @property
    def found_roots(self) -> tuple[Root, ...]:
        return tuple(
            replace(root, inherited=self.heirs[place]) for place, root in enumerate(self.roots)
        )

    def before(self, a: int) -> Segment:
        """What a node is computed from, to be asked for before the oracle forgets it."""
        nodes, given, waiting = {a}, {}, list(self.expected.nodes[a].inputs)
        while waiting:
            index = waiting.pop()
            node = self.expected.nodes[index]
            if index in self.observed | self.oracle.results.keys() or not node.inputs:
                given[index] = self.oracle.result(index)
            elif index not in nodes:
                nodes.add(index)
                waiting += node.inputs
        return Segment(self.oracle, sorted(nodes), given)

    def after(
        self, a: int, segment: Segment, got: np.ndarray, want: np.ndarray, error: float,
        bound: float,
    ) -> None:  # fmt: skip
        """Say what a node's result in the port is; ``want`` is the oracle's, by its own inputs."""
        wrong = not error <= bound
        if not (wrong or self.parted):
            return
        own = self.oracle.result(a)
        scale = sqrt(float(np.mean(np.square(own)))) or 1.0
        readable = not self.lost & segment.given.keys()
        behind = [i for i in (*segment.nodes, *segment.given) if i in self.source]
        # What lies unseen before a root may be what is wrong for its other readers as well.
        shared = any(i not in self.observed for i in behind)
        if not distance(got, own, scale) <= bound and readable and not shared:
            self._root(a, segment, got, scale, bound)
        elif wrong and behind:
            self.source[a] = min(self.source[i] for i in behind)
            self.heirs[self.source[a]] += 1
        if not self.parted:
            self.oracle, self.parted = _copied(self.oracle), True
        usable = got.shape == want.shape and bool(np.isfinite(got).all())
        self.oracle.results[a] = got.copy() if usable else want
        if not usable:
            self.lost.add(a)
        self.oracle.release(a)

    def statistic(self, result: SlotParity, count: int, want: np.ndarray, got: np.ndarray) -> None:
        """Say why a running statistic is wrong, if it is, of ``count`` values a channel."""
        if result.agrees:
            return
        a, slot = result.node, result.slot
        near, old = nearness(got, result.rms, result.bound), self.weights.slot(a, slot)
        said = moved(self.expected.nodes[a], slot, count, old, want, got, near)
        self.roots.append(Root(a, tuple(said), slot=slot))

    def _root(self, a: int, segment: Segment, got: np.ndarray, rms: float, bound: float) -> None:
        reached = len(segment.nodes) <= REACH + 1
        said = causes(segment, got, rms, bound, self._variants) if reached else ()
        self.source |= dict.fromkeys(segment.nodes, len(self.roots))
        self.roots.append(Root(a, said))

    def _variants(self, a: int) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
        """Other values that the port may have in a node's slots."""
        slots = self.oracle.parameters(a)
        partner = self.found.nodes[self.pairs[a]] if a in self.pairs else None
        if slots and (partner is None or not partner.known):
            halves = {name: np.full_like(values, 0.5) for name, values in slots.items()}
            yield HALVES, halves
        for index, names in self._shared(a).items():
            values = counterparts(self.weights, self.found, self.pairs)
            theirs = {
                name: values(index, other) for name, other in sorted(names.items()) if name in slots
            }
            if theirs and all(x.shape == slots[name].shape for name, x in theirs.items()):
                *first, last = theirs
                subject = " and ".join(filter(None, (", ".join(first), last)))
                those = "are those" if first else "is that"
                yield f"its {subject} {those} of {self.found.nodes[index].where}", slots | theirs

    def _shared(self, a: int) -> dict[int, dict[str, str]]:
        """Slots that the port reads from arrays which another node read before, by that node."""
        first: dict[str, tuple[int, str]] = {}
        for index, node in enumerate(self.found):
            for name, pieces in node.parameters.items():
                for piece in pieces:
                    first.setdefault(piece.handle, (index, name))
        others: dict[int, dict[str, str]] = defaultdict(dict)
        own = self.pairs.get(a)
        for name, pieces in self.found.nodes[own].parameters.items() if own is not None else ():
            index, other = first[pieces[0].handle]
            if index != own:
                others[index][name] = other
        return others


def _copied(oracle: Oracle) -> Oracle:
    """Another oracle that has computed the same, and goes its own way."""
    other = Oracle(oracle.graph, oracle.slots, oracle.image, oracle.precision)
    other.results, other.done = dict(oracle.results), set(oracle.done)
    other.pending = list(oracle.pending)
    return other
