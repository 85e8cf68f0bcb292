"""A port compared with its own weights: traced for one size of image, and what it stores."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from conformance.graph.model import Graph, Node
from conformance.trace.canonical import canonical
from conformance.trace.port import Own, Port, Size, UntraceableModel


def address(node: Node) -> str:
    """Where a node is, in its port's own words."""
    return node.where.path or node.where.line or node.kind


class Side:
    """One of two ports that are compared, or of which one is converted."""

    def __init__(self, name: str, port: Port, size: Size):
        self.name, self.port = name, port
        self.tape = port.trace(size)
        self.graph: Graph = canonical(self.tape)

    @cached_property
    def own(self) -> Own:
        """What the port stores.  Raises :class:`UntraceableModel` if that is not what it reads."""
        own = self.port.own()
        read = {p.handle for node in self.graph for part in node.parameters.values() for p in part}
        if strange := sorted(read - own.arrays.keys()):
            raise UntraceableModel(
                f"{self.name} stores no {strange[0]} when it is built a second time: its factory"
                " must give the same names in every call"
            )
        return own

    @cached_property
    def training(self) -> Graph:
        """The graph of training, in which auxiliary heads are seen."""
        shape = self.graph.nodes[self.graph.inputs[0]].shape
        return canonical(self.port.trace((shape[0], shape[1], shape[2]), training=True))

    def single(self, handle: str) -> np.ndarray:
        """A stored array as float32 holds it: what a checkpoint can carry."""
        with np.errstate(over="ignore"):
            return self.own(handle).astype(np.float32).astype(np.float64)

    def unread(self, *graphs: Graph) -> set[str]:
        """The stored arrays that none of these graphs reads."""
        parts = [part for g in graphs for node in g for part in node.parameters.values()]
        return self.own.arrays.keys() - {piece.handle for part in parts for piece in part}

    def at(self, index: int | None, training: bool = False) -> str:
        """Where a node is, in the port's own words."""
        if index is None:
            return ""
        return address((self.training if training else self.graph).nodes[index])
