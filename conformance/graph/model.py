"""The neutral graph: layers as the papers name them, free of any framework's layout.

A :class:`Graph` is a list of :class:`Node` in an order in which every node comes after its
inputs.  Sizes are height, width, channels; kernels are height, width, inputs, outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from conformance.graph.reach import reached
from conformance.graph.sharing import repeated
from conformance.kinds import KINDS, Kind

#: Slots that training does not move.
STATISTICS = frozenset({"mean", "variance"})


#: The kind of what no kind is and numbers that are drawn at random go into.
DRAWN = "unknown:random"


@dataclass(frozen=True, slots=True)
class Where:
    """The port's own address of an operation: module path and source line, when known."""

    path: str = ""
    line: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.path, f"({self.line})" if self.line else "") if part)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where a slot's values live in the port: a stored array, and how the slot is read from it.

    ``steps`` are layout operations that lead from the stored array of ``shape`` to the slot
    (or to the part of the slot that ``region`` selects with one index tuple an axis).  They
    only move numbers, so they can be walked back: that is how canonical weights are carried.
    """

    handle: str
    shape: tuple[int, ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()
    region: tuple[tuple[int, ...], ...] | None = None


@dataclass(slots=True)
class Node:
    """One layer: what it does, to what, with which parameters, and where the port does it.

    ``shape`` is height x width x channels of one image, or a vector's length.  ``slots`` gives
    each slot's shape in neutral layout.  ``value`` is the tape's operation whose result is the
    node's result, and ``axes`` names that result's axes, so that a run can be observed.
    ``spelling`` is what the port writes in another way that computes the same: the attribute,
    what is there, and what it is here.
    """

    kind: str
    attributes: dict[str, Any]
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: dict[str, tuple[Parameter, ...]] = field(default_factory=dict)
    slots: dict[str, tuple[int, ...]] = field(default_factory=dict)
    where: Where = Where()
    value: int = -1
    axes: tuple[tuple[tuple[str, int], ...], ...] = ()
    spelling: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def known(self) -> bool:
        """Whether the suite knows what this node does."""
        return self.row is not None

    @property
    def seen(self) -> bool:
        """Whether the port holds the node's result by itself."""
        return self.value >= 0 and self.kind != "input"

    @property
    def row(self) -> Kind | None:
        """What the suite knows of this kind of node; None of an unknown primitive."""
        return KINDS.get(self.kind)

    def has(self, trait: str) -> bool:
        """Whether the node is of a kind that has a trait; see :mod:`conformance.kinds.kind`."""
        return self.row is not None and self.row.has(trait)

    def reach(self, axis: int) -> int:
        """How many cells of the map a window spans."""
        kernel, dilation = self.attributes["kernel"], self.attributes.get("dilation", (1, 1))
        return int((kernel[axis] - 1) * dilation[axis] + 1)

    def windows(self, axis: int, before: int) -> int:
        """How many windows there are along a side of a map that is so long."""
        room = before + sum(self.attributes["padding"][axis]) - self.reach(axis)
        return int(room // self.attributes["stride"][axis] + 1)

    @property
    def weights(self) -> int:
        """Kernel entries that are in use: a pair of maps without a connection has none."""
        if "kernel" not in self.slots:
            return sum(
                prod(s) for slot, s in self.slots.items() if slot in ("gamma", "coefficient")
            )
        height_width_in_out = self.slots["kernel"]
        if table := self.attributes.get("table"):
            return prod(height_width_in_out[:2]) * sum(len(maps) for maps in table)
        return prod(height_width_in_out)

    @property
    def biases(self) -> int:
        """Entries added once a channel: biases, and the betas of normalisation."""
        return sum(prod(s) for slot, s in self.slots.items() if slot in ("bias", "beta"))

    @property
    def statistics(self) -> int:
        """Entries that are counted over batches and not trained."""
        return sum(prod(s) for slot, s in self.slots.items() if slot in STATISTICS)

    @property
    def multiply_adds(self) -> int:
        """Products summed by convolution and dense kernels for one image; nothing else counts."""
        if "kernel" not in self.slots:
            return 0
        return self.weights * (prod(self.shape[:2]) if len(self.shape) == 3 else 1)

    @property
    def connections(self) -> int:
        """LeNet's count: one for each use of a weight and one for each use of a bias."""
        return self.row.connections(self) if self.row else 0


@dataclass(slots=True)
class Graph:
    """The layers of one model for one input size, in execution order; indices are node names."""

    nodes: list[Node]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def consumers(self) -> list[list[int]]:
        """For each node, the nodes that read it."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for source in node.inputs:
                readers[source].append(index)
        return readers

    def rebuilt(self, make: Callable[[int, Node, list[Node]], Node | int]) -> Graph:
        """The graph made anew, in the order of its nodes.

        ``make`` is given a node's number, the node, which reads by new numbers, and the new nodes
        so far.  It returns another node, or the number of the new one that stands for it.
        """
        nodes: list[Node] = []
        at: list[int] = []
        for index, node in enumerate(self.nodes):
            made = make(index, replace(node, inputs=tuple(at[i] for i in node.inputs)), nodes)
            if isinstance(made, Node):
                nodes.append(made)
                made = len(nodes) - 1
            at.append(made)
        ends = (tuple(at[i] for i in end) for end in (self.inputs, self.outputs))
        return Graph(nodes, *ends)

    def ancestors(self, *indices: int) -> set[int]:
        """The nodes given and everything that they are computed from."""
        return reached(indices, lambda index: self.nodes[index].inputs)

    @property
    def unknown(self) -> list[Node]:
        """The nodes that are of no kind."""
        return [node for node in self.nodes if not node.known]

    def parameters(self, convention: str) -> int:
        """How many parameters, counted by a named convention.

        ``weights``: kernels only.  ``weights + bias``: and what is added once a channel.
        ``trainable``: everything that training moves.  ``with running statistics``: and the
        batch statistics.  An array that several nodes read is counted once.  Raises
        :class:`KeyError` for any other name.
        """
        again = repeated(self)
        return sum(
            count_parameters(_without(node, again.get(index, ())), convention)
            for index, node in enumerate(self.nodes)
        )

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image through the whole graph."""
        return sum(node.multiply_adds for node in self.nodes)

    @property
    def totals(self) -> dict[str, int]:
        """What a network is known by: its parameters, multiply-adds and layers."""
        return {
            "parameters": self.parameters("trainable"),
            "multiply_adds": self.multiply_adds,
            "layers": self.depth,
        }

    @property
    def connections(self) -> int:
        """Connections of the whole graph, by LeNet's count."""
        return sum(node.connections for node in self.nodes)

    @property
    def depth(self) -> int:
        """Convolutions and dense layers on the longest path; a shortcut's projection adds none."""
        depths: list[int] = []
        for node in self.nodes:
            before = max((depths[i] for i in node.inputs), default=0)
            depths.append(before + ("kernel" in node.slots))
        return max(depths, default=0)

    def receptive_fields(self) -> list[tuple[int, int]]:
        """For each node, the height and width of the input that one of its outputs sees.

        The largest over all paths.  A dense, global or flattened value sees everything it can.
        """
        height = self._receptive_field(0)
        return list(zip(height, self._receptive_field(1), strict=True))

    def _receptive_field(self, axis: int) -> list[int]:
        fields: list[int] = []
        jumps: list[int] = []
        for node in self.nodes:
            a = node.attributes
            reach = max((fields[i] for i in node.inputs), default=1)
            jump = max((jumps[i] for i in node.inputs), default=1)
            if node.has("whole"):
                reach = self.nodes[self.inputs[0]].shape[axis]
            elif "kernel" in a:
                reach += (node.reach(axis) - 1) * jump
                jump *= a["stride"][axis]
            fields.append(reach)
            jumps.append(jump)
        return fields


def _without(node: Node, slots: Collection[str]) -> Node:
    if not slots:
        return node
    return replace(node, slots={s: shape for s, shape in node.slots.items() if s not in slots})


def count_parameters(node: Node, convention: str) -> int:
    """One node's parameters by a named convention; see :meth:`Graph.parameters`."""
    return _CONVENTIONS[convention](node)


_CONVENTIONS: Mapping[str, Any] = {
    "weights": lambda node: 0 if node.has("norm") else node.weights,
    "weights + bias": lambda node: 0 if node.has("norm") else node.weights + node.biases,
    "trainable": lambda node: node.weights + node.biases,
    "with running statistics": lambda node: node.weights + node.biases + node.statistics,
}


class InvalidGraph(Exception):
    """A graph holds a node that no row of a kind describes: a slip in whatever made it."""


def verify(graph: Graph) -> Graph:
    """The graph itself.  Raises :class:`InvalidGraph` and names the nodes that are not as their
    row says, or that read what is no earlier node.

    A primitive that is of no kind, ``unknown:<primitive>``, may be anything.
    """
    wrong = [
        f"node {index}, {node.kind}, {node.where}: {each}"
        for index, node in enumerate(graph)
        if not node.kind.startswith("unknown:")
        for each in (node.row.departures(node) if node.row else ["is of no kind"])
    ]
    wrong += [
        f"node {index}, {node.kind}, {node.where}: reads node {i}"
        for index, node in enumerate(graph)
        for i in node.inputs
        if not 0 <= i < index
    ]
    if wrong:
        raise InvalidGraph("; ".join(wrong))
    return graph
