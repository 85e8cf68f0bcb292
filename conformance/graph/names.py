"""The paper's names for nodes: ``conv3_x/1/2`` is the second layer of its first block.

A row of the paper's table is divided into blocks where everything goes through one sum or one
concatenation; branches are a, b, c in the order of the concatenation (``inception_4c/b/2``), and
what bridges a block is its shortcut.  What has no weights is named after the layer before it:
``conv3_x/1/2 batch_norm``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from string import ascii_lowercase

from conformance.graph.model import Graph
from conformance.graph.reach import reached
from conformance.graph.rows import row_of


def names(graph: Graph, rows: list[str]) -> list[str]:
    """For each node its name; ``rows`` are those of the paper's table, in its order."""
    found = _Names(graph, rows).names
    seen: Counter[str] = Counter()
    for index, name in enumerate(found):
        seen[name] += 1
        if seen[name] > 1:
            found[index] = f"{name} #{seen[name]}"
    return found


class _Names:
    def __init__(self, graph: Graph, rows: list[str]) -> None:
        self.graph = graph
        self.rows = row_of(graph, rows)
        self.within: dict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(self.rows):
            if row:
                self.within[row].append(index)
        self.names = [node.kind for node in graph]
        for row, indices in self.within.items():
            self._name_row(row, indices)

    def _name_row(self, row: str, indices: list[int]) -> None:
        joins = self._block_ends(indices)
        blocks: list[list[int]] = [[] for _ in joins] or [[]]
        for index in indices:
            # What follows a block's sum up to the next weights, its ReLU, still belongs to it.
            number = sum(join < index for join in joins)
            if number and (number == len(joins) or not self._begins(index, joins[number - 1])):
                number -= 1
            blocks[number].append(index)
        for number, block in enumerate(blocks, 1):
            self._name_block(f"{row}/{number}" if len(blocks) > 1 else row, block, joins)

    def _begins(self, index: int, join: int) -> bool:
        """Whether there are weights, or a pooling, between a join and a later node."""
        node = self.graph.nodes[index]
        here = node.has("weighted") or node.has("pooling")
        return here or any(self._begins(each, join) for each in node.inputs if each > join)

    def _block_ends(self, indices: list[int]) -> list[int]:
        """The sums and concatenations that everything in the row goes through."""
        inside = set(indices)
        edges = [(u, v) for v in indices for u in self.graph.nodes[v].inputs if u in inside]
        joins = [i for i in indices if self.graph.nodes[i].has("join")]
        return [j for j in joins if not any(u < j < v for u, v in edges)]

    def _name_block(self, prefix: str, block: list[int], joins: list[int]) -> None:
        inside = set(block)
        group = dict.fromkeys(block, prefix)
        ends = [i for i in block if self.graph.nodes[i].has("join")]
        for end in reversed(ends):  # inner joins come first, and refine what the outer ones said
            self._divide(end, inside, group)
        counts: Counter[str] = Counter()
        totals = Counter(group[i] for i in block if self.graph.nodes[i].has("weighted"))
        at: dict[int, str] = {}
        for index in block:
            node, name = self.graph.nodes[index], group[index]
            if node.has("weighted"):
                counts[name] += 1
                at[index] = f"{name}/{counts[name]}" if totals[name] > 1 else name
                self.names[index] = at[index]
                continue
            before = [i for i in node.inputs if i in at and group[i] == name]
            at[index] = at[before[0]] if before and not node.has("join") else name
            # A row may be named after the one layer that it has: dropout.
            own = at[index] if at[index] == node.kind else f"{at[index]} {node.kind}"
            self.names[index] = own

    def _divide(self, end: int, inside: set[int], group: dict[int, str]) -> None:
        node = self.graph.nodes[end]
        branches = [self._branch(source, inside) for source in node.inputs]
        shared = set.intersection(*branches) if branches else set()
        weights = [
            sum(self.graph.nodes[i].has("weighted") for i in branch - shared) for branch in branches
        ]
        for place, branch in enumerate(branches):
            if node.has("unordered"):
                if weights[place] == max(weights):
                    continue
                label = f"{group[end]}/shortcut"
            else:
                label = f"{group[end]}/{ascii_lowercase[place]}"
            for index in branch - shared:
                if group[index] == group[end]:
                    group[index] = label

    def _branch(self, source: int, inside: set[int]) -> set[int]:
        nodes = self.graph.nodes
        return reached(inside & {source}, lambda index: inside.intersection(nodes[index].inputs))
