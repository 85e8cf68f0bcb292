"""The oracle: NumPy executes a neutral graph, node by node, in any floating-point precision.

It knows no framework and shares no arithmetic with one except the BLAS below a matrix product.
Arrays are batch x height x width x channels, kernels height x width x inputs x outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.graph.model import Graph
from conformance.kinds import KINDS
from conformance.kinds.experiment import shaped
from conformance.numbers.precision import FLOAT64, Precision

#: A slot's array for a node of the graph, in neutral layout.
Slots = Callable[[int, str], np.ndarray]


class CannotCompute(Exception):
    """The graph holds an operation that is of no kind."""


class Oracle:
    """Results of a graph's nodes for one batch, computed on demand and forgotten when used up.

    ``precision`` is that of whatever a framework may store: parameters, results, and the steps
    between them where an operation has several.
    """

    def __init__(
        self, graph: Graph, slots: Slots, image: np.ndarray, precision: Precision = FLOAT64
    ):
        self.graph, self.slots, self.precision = graph, slots, precision
        self.dtype = np.dtype(precision.dtype)
        self.results: dict[int, np.ndarray] = {}
        self.image = self.stored(image)
        self.pending = [len(readers) for readers in graph.consumers()]
        self.done: set[int] = set()
        #: What is not forgotten, as somebody reads it who does not ask for it.
        self.needed: frozenset[int] = frozenset()
        #: Has the result of a node, the very same, if it was computed before it was asked for.
        self.ahead: Callable[[int], np.ndarray | None] | None = None

    def anew(self) -> Oracle:
        """Another oracle for the same, which has computed nothing yet."""
        return Oracle(self.graph, self.slots, self.image, self.precision)

    def result(self, index: int) -> np.ndarray:
        """What node ``index`` computes; :class:`CannotCompute` if an unknown node is needed."""
        stack = [index]
        while stack:
            current = stack[-1]
            missing = [i for i in self.graph.nodes[current].inputs if i not in self.results]
            if current in self.results:
                stack.pop()
            elif missing:
                stack.extend(missing)
            else:
                self._compute(current)
                stack.pop()
        return self.results[index]

    def release(self, index: int) -> None:
        """Say that the result of a node is not asked for again; frees what nothing needs."""
        self.done.add(index)
        self._forget(index)

    def parameters(self, index: int) -> dict[str, np.ndarray]:
        """The arrays in a node's slots, in this oracle's precision."""
        names = self.graph.nodes[index].parameters
        return {name: self.stored(self.slots(index, name)) for name in names}

    def stored(self, x: np.ndarray) -> np.ndarray:
        """What is kept of numbers that a framework may store."""
        return self.precision.round(x.astype(self.dtype, copy=False))

    def read(self, x: np.ndarray) -> np.ndarray:
        """Numbers as a product reads them."""
        return self.precision.read(x)

    def add(self, x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """A sum, into ``out`` if there is one, that a framework may store."""
        return self.stored(np.add(x, y, out=out))

    def _forget(self, index: int) -> None:
        if index in self.done and not self.pending[index] and index not in self.needed:
            self.results.pop(index, None)

    def _compute(self, index: int) -> None:
        node = self.graph.nodes[index]
        inputs = [self.results[i] for i in node.inputs]
        if node.kind not in KINDS:
            raise CannotCompute(f"no rule for {node.kind} at {node.where}")
        found = self.ahead(index) if self.ahead else None
        if found is None:
            slots = self.parameters(index)
            with np.errstate(all="ignore"):
                result = KINDS[node.kind].forward(self, node, slots, *inputs)
            found = shaped(self.stored(np.asarray(result)), node.shape)
        self.results[index] = found
        for source in node.inputs:
            self.pending[source] -= 1
            self._forget(source)
