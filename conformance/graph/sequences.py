"""A network written down as a sequence of layers, and what two layers have to do with each other.

A sequence holds the layers of a branch together, one branch after the other and their join behind
them.  Of two layers of one kind only what they do is compared, never their names; what a layer
costs that has no partner outweighs any difference in attributes, so that a batch norm after every
convolution, a block too many or another width everywhere leave the rest in place.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from conformance.graph.edit_distance import NEVER, match
from conformance.graph.model import Graph
from conformance.graph.reach import reached
from conformance.kinds import KINDS, having

#: What differences cost, from most to least: a layer that is not there, more when it has a kernel;
#: another kind in its place; what makes a convolution another one; branches in another order; all
#: else.  They choose between ways to tell a difference and never hide one.
GAP, KERNEL_GAP = 100, 150
TELLING = {"kernel": 45, "stride": 25, "width": 40, "groups": 30, "dilation": 30, "table": 30}
SLIGHT, MOST, INSTEAD, MOVED = 6, 140, 170, 40

#: Kinds in which branches end, kinds that context looks through, kinds with a width.
JOINS, PASSED, WIDE = having("join"), having("passing"), having("weighted")

#: Kinds of which one can stand in the place of the other.  Of these, only an activation has
#: parameters: a learned slope.
ALTERNATIVES = tuple(
    frozenset(name for name in having(trait) if trait == "activation" or not KINDS[name].slots)
    for trait in ("activation", "pooling", "join")
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a layer is matched by: equal traits cost nothing."""

    kind: str
    features: tuple[tuple[str, Hashable], ...]
    level: int
    before: tuple[str, ...]
    after: tuple[str, ...]


def alternative(a: str, b: str) -> bool:
    """Whether one kind can stand in the other's place and be the same layer, done differently."""
    return any(a in kinds and b in kinds for kinds in ALTERNATIVES)


def traits(graph: Graph) -> list[Traits]:
    """For each node what it is matched by.

    The level is how often the size was halved, so that another input size changes nothing.  What
    lies before and after counts where it says which layer of a block this is, in any block.
    """
    before = _context(graph, range(len(graph)), [node.inputs for node in graph])
    after = _context(graph, range(len(graph) - 1, -1, -1), graph.consumers())
    whole = max((node.shape[0] for node in graph if len(node.shape) == 3), default=1)
    result = []
    for index, node in enumerate(graph):
        features = [(k, _plain(v)) for k, v in sorted(node.attributes.items())]
        features += [(f"has {slot}", True) for slot in sorted(node.slots)]
        features.append(("width", node.shape[-1:]))
        level = round(log2(whole / max(node.shape[0], 1))) if len(node.shape) == 3 else -1
        near = (before[index], after[index])
        if node.kind in JOINS or (node.kind in PASSED and JOINS.issuperset(near[0])):
            near = ((), ())  # the end of a block: what follows depends on how many there are
        result.append(Traits(node.kind, tuple(features), level, *near))
    return result


def _context(
    graph: Graph, walk: Iterable[int], near: Sequence[Sequence[int]]
) -> list[tuple[str, ...]]:
    """For each node the kinds next to it in one direction, looking through passing ones.

    A join counts only where there is nothing else: most results are also read by a shortcut.
    """
    seen: list[set[str]] = [set() for _ in graph]
    result: list[tuple[str, ...]] = [()] * len(graph)
    for index in walk:
        kinds = {kind for i in near[index] for kind in seen[i]}
        kinds = kinds - JOINS or kinds
        result[index] = tuple(sorted(kinds))
        kind = graph.nodes[index].kind
        seen[index] = kinds if kind in PASSED else {kind}
    return result


def _plain(value: Any) -> Hashable:
    return float(np.float32(value)) if isinstance(value, float) else value


class Costs:
    """What it costs to match layers, each known by the number of its traits.

    All costs are whole numbers, so that ties are ties; equal layers cost nothing.
    """

    def __init__(self) -> None:
        self._numbers: dict[Traits, int] = {}
        self._traits: list[Traits] = []
        self._known: dict[tuple[int, int], int] = {}

    def numbers(self, graph: Graph) -> list[int]:
        """For each node the number of its traits: equal for equal ones, in any graph."""
        result = [self._numbers.setdefault(each, len(self._numbers)) for each in traits(graph)]
        self._traits = list(self._numbers)
        return result

    def gap(self, layer: int) -> int:
        """The cost of leaving one layer out."""
        return KERNEL_GAP if self._traits[layer].kind in WIDE else GAP

    def __call__(self, a: int, b: int) -> int:
        """The cost of taking one layer for the other."""
        if (a, b) not in self._known:
            self._known[a, b] = _difference(self._traits[a], self._traits[b])
        return self._known[a, b]


def _difference(a: Traits, b: Traits) -> int:
    if a.kind != b.kind and not alternative(a.kind, b.kind):
        return NEVER
    total = (a.level != b.level) + SLIGHT * ((a.before != b.before) + (a.after != b.after))
    if a.kind != b.kind:
        return INSTEAD + total
    here, there = dict(a.features), dict(b.features)
    for name in here.keys() | there.keys():
        if here.get(name) == there.get(name):
            continue
        # Without a kernel the width is that of the input.
        total += 1 if name == "width" and a.kind not in WIDE else TELLING.get(name, SLIGHT)
    return min(MOST, total)


class Written:
    """A graph as a sequence: the layers of a branch together, then the next branch, then the join.

    ``order`` says of a join in which order its branches are written down, where that is not
    their position (or, when they are added, the longest first).
    """

    def __init__(self, graph: Graph, costs: Costs) -> None:
        self.graph = graph
        self.numbers = costs.numbers(graph)
        self.order: dict[int, list[int]] = {}
        self._splits = _dominators(graph)
        self._depths = _depths(graph)

    def inputs(self, join: int) -> list[int]:
        """A node's inputs in the order in which they are written down."""
        node = self.graph.nodes[join]
        if node.has("unordered"):
            return self.order.get(join) or sorted(node.inputs, key=lambda i: -self._depths[i])
        return self.order.get(join) or list(node.inputs)

    def sequence(self) -> list[int]:
        """All nodes, each after its inputs."""
        result: list[int] = []
        done: set[int] = set()
        stack = [*range(len(self.graph) - 1, -1, -1), *reversed(self.graph.outputs)]
        while stack:
            index = stack[-1]
            sources = self.inputs(index)
            if len(sources) > 1 and self._splits[index] >= 0:
                sources = [self._splits[index], *sources]
            following = next((i for i in sources if i not in done), None)
            if index not in done and following is not None:
                stack.append(following)
                continue
            stack.pop()
            if index not in done:
                done.add(index)
                result.append(index)
        return result

    def branches(self, join: int) -> list[list[int]]:
        """The numbers of the layers in each branch of a join, as :meth:`inputs` orders them."""
        before = range(self._splits[join] + 1)
        found = (
            reached([source], lambda index: self.graph.nodes[index].inputs, before)
            for source in self.inputs(join)
        )
        return [[self.numbers[index] for index in sorted(branch)] for branch in found]


def corresponding(ours: list[list[int]], theirs: list[list[int]], costs: Costs) -> list[int]:
    """An order of their branches in which each stands where its nearest of ours stands."""
    if all(x == y for x, y in zip(ours, theirs, strict=False)):
        return list(range(len(theirs)))
    distance = [[match(x, y, costs)[0] for y in theirs] for x in ours]
    nearest = sorted(
        (distance[x][y], abs(x - y), x, y) for x in range(len(ours)) for y in range(len(theirs))
    )
    partner: dict[int, int] = {}
    for _, _, x, y in nearest:
        if x not in partner.values() and y not in partner:
            partner[y] = x
    as_it_is = sum(distance[k][k] for k in range(min(len(ours), len(theirs))))
    if len(ours) == len(theirs) and as_it_is <= MOVED + sum(
        distance[x][y] for y, x in partner.items()
    ):
        return list(range(len(theirs)))
    place = -1.0
    places = []
    for y in range(len(theirs)):
        # One without a partner stays behind its neighbour.
        place = partner.get(y, place)
        places.append((place, y))
    return [y for _, y in sorted(places)]


def _dominators(graph: Graph) -> list[int]:
    """For each node the last one that every path to it passes; -1 when there is none."""
    depth: list[int] = []
    result: list[int] = []
    for node in graph:
        common = node.inputs[0] if node.inputs else -1
        for i in node.inputs[1:]:
            while common != i and -1 not in (common, i):
                if depth[common] >= depth[i]:
                    common = result[common]
                else:
                    i = result[i]
            common = common if common == i else -1
        result.append(common)
        depth.append(depth[common] + 1 if common >= 0 else 0)
    return result


def _depths(graph: Graph) -> list[int]:
    """For each node the number of nodes on the longest path to it."""
    result: list[int] = []
    for node in graph:
        result.append(1 + max((result[i] for i in node.inputs), default=0))
    return result
