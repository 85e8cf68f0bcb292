"""The oracle in integers: results of a graph's nodes that every precision and device must share.

Every result is computed in whole steps, see :mod:`conformance.numbers.steps`, in arrays of
float32, which hold them exactly: a bound on the sum of all absolute products, or a rule for the
kind, shows that no order of summation rounds.  In bfloat16 a result may have more digits than are
stored; then it is rounded once, from the exact one, as any implementation that sums in float32
does.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.graph.model import Node
from conformance.kinds import KINDS
from conformance.kinds.experiment import shaped
from conformance.numbers.oracle import Oracle
from conformance.numbers.steps import KEPT, SUMMED, TINY, Rounds, Stepped, finest, saturates

if TYPE_CHECKING:
    from conformance.numbers.integers import Integers


class IntegerOracle(Oracle):
    """Stepped results of a graph's nodes, computed on demand and forgotten when used up.

    ``reasons`` says of nodes that cannot be exact why; ``lost`` are those of whose results the
    exact value is not known, and what is in ``results`` is near to it.
    """

    results: dict[int, Stepped]  # type: ignore[assignment]

    def __init__(self, integers: Integers):
        super().__init__(integers.graph, integers.slot, integers.image())
        self.integers = integers
        self.kept = integers.precision
        self.reasons: dict[int, str] = {}
        self.lost: set[int] = set()

    def result(self, index: int) -> Stepped:  # type: ignore[override]
        """What node ``index`` computes, in steps."""
        found: Any = super().result(index)
        return found

    def _compute(self, index: int) -> None:
        node = self.graph.nodes[index]
        inputs = [self.results[i] for i in node.inputs]
        try:
            with np.errstate(all="ignore"):
                result = self._stepped(index, node, inputs)
            behind = [i for i in node.inputs if i in self.lost]
            if behind and node.kind != "tanh":
                self.lost.add(index)
                self.reasons[index] = f"behind {self._source(behind[0])}"
        except Rounds as reason:
            behind = [i for i in node.inputs if i in self.lost]
            weighted = behind and (node.slots or node.kind == "scale")
            self.reasons[index] = f"behind {self._source(behind[0])}" if weighted else str(reason)
            result = self._near(index, node, inputs)
        self.results[index] = result
        for source in node.inputs:
            self.pending[source] -= 1
            self._forget(source)

    def _source(self, index: int) -> str:
        """The kind of node behind which the exact values are not known any more."""
        said = self.reasons[index]
        kind = self.graph.nodes[index].kind
        return said.removeprefix("behind ") if said.startswith("behind ") else kind

    def _stepped(self, index: int, node: Node, inputs: list[Stepped]) -> Stepped:
        """The exact result.  Raises :class:`Rounds`."""
        if node.kind == "input":
            return self.integers.stepped_image
        if node.kind in ("conv", "dense"):
            return self._stored(self.product(index, node, inputs[0]))
        if node.kind == "batch_norm":
            return self._stored(self._norm(index, inputs[0]))
        if node.kind not in KEPT:
            raise Rounds(f"{node.kind} rounds")
        if node.kind == "tanh" and node.inputs[0] in self.lost and not saturates(inputs[0].values):
            raise Rounds("tanh rounds where it is not saturated")
        return self._stored(KEPT[node.kind](self.kept, node, *inputs))

    def product(self, index: int, node: Node, x: Stepped) -> Stepped:
        """A convolution or a dense layer, bias included.  Raises :class:`Rounds`."""
        chosen = self.integers.products[index]
        values = chosen.kernel.product(node, x.values)
        most = np.abs(chosen.kernel.weights).sum(axis=0).max() * x.levels * float(x.step)
        step = chosen.step
        if chosen.bias is not None:
            if self._round(values) is not values:
                raise Rounds("it rounds before its bias and after")
            values = values + (chosen.bias * float(step))[:, None, None].astype(np.float32)
            most += float(np.abs(chosen.bias).max()) * float(step)
        if index not in self.lost and Stepped(np.array([most]), step).bits > SUMMED:
            raise Rounds("its sums need more than 24 bits")
        return Stepped(values, step)

    def _norm(self, index: int, x: Stepped) -> Stepped:
        """A batch norm, all of whose steps are exact, but for its last.  Raises :class:`Rounds`."""
        chosen = self.integers.norms[index]
        values = x.values - (chosen.mean * float(x.step))[:, None, None].astype(np.float32)
        if self._round(values) is not values:
            raise Rounds("it rounds before it divides and after")
        values *= (chosen.sign * float(chosen.step / x.step))[:, None, None].astype(np.float32)
        if not np.array_equal(self._round(some := values[chosen.beta != 0]), some):
            raise Rounds("it rounds before its beta and after")
        values += (chosen.beta * float(chosen.step))[:, None, None].astype(np.float32)
        return Stepped(values, chosen.step)

    def _round(self, values: np.ndarray) -> np.ndarray:
        """What is stored of numbers: the same array where that is all of them."""
        if self.kept.stored >= SUMMED:
            return values
        kept = self.kept.round(values)
        return values if np.array_equal(kept, values) else kept

    def _stored(self, x: Stepped) -> Stepped:
        """What is stored of a result: all of it in float32, in bfloat16 perhaps rounded once."""
        if x.bits <= self.kept.stored:
            return x
        if self.kept.stored >= SUMMED:
            raise Rounds("its values need more than 24 bits")
        kept = self._round(x.values)
        if kept is x.values:
            return x
        positive = kept > 0
        above = x.step if np.array_equal(kept[positive], x.values[positive]) else None
        return Stepped(kept, finest(kept), above)

    def _near(self, index: int, node: Node, inputs: list[Stepped]) -> Stepped:
        """About what a node computes that rounds, in steps of our own.

        A response normalisation of what is tiny beside the 1 that it starts at passes it on, and
        what is behind is exact again.
        """
        tiny = inputs[0].step.denominator >= TINY.denominator
        if node.kind == "lrn" and tiny and not self.lost & set(node.inputs):
            return inputs[0]
        self.lost.add(index)
        wide = [x.values.transpose(1, 2, 0)[None].astype(np.float64) for x in inputs]
        if node.known:
            result = shaped(
                np.asarray(KINDS[node.kind].forward(self, node, self.parameters(index), *wide)),
                node.shape,
            )
        else:
            result = np.zeros((1, *node.shape))
        values = result[0].astype(np.float32).reshape(-1, 1, 1)
        if result.ndim == 4:
            values = np.ascontiguousarray(result[0].transpose(2, 0, 1), np.float32)
        largest = float(np.abs(values).max(initial=0)) or 1.0
        return Stepped(values, Fraction(2) ** int(np.floor(np.log2(largest / self.integers.reach))))
