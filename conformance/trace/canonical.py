"""From a tape to the neutral graph: every value of the tape gets a meaning, by rules.

A value is stored (made of parameters and constants only), a node's result, perhaps with an
affine map, a padding or a choice of channels pending, or algebra of one node's result that no
single operation names, such as a hand-written LRN.  What is pending becomes nodes when the next
operation has been seen: a padding becomes part of a convolution, an affine map a batch norm.
"""

from __future__ import annotations

from dataclasses import replace

from conformance.graph.model import Graph, Node
from conformance.trace import rules
from conformance.trace.meanings import Flowing
from conformance.trace.rules.training import follow
from conformance.trace.tape import Tape
from conformance.trace.walk import Walk

__all__ = ["canonical", "rules"]


def canonical(tape: Tape) -> Graph:
    """The neutral graph of what the tape computes; unreachable operations are left out."""
    walk = Walk(tape)
    walk.run()
    outputs: list[int] = []
    for value in tape.outputs:
        x = walk.means[value]
        assert isinstance(x, Flowing)
        outputs.append(walk.placed(x).node)
    follow(walk, tape.updates)
    return _reachable(*_once(walk.nodes, tuple(outputs)))


def _once(nodes: list[Node], outputs: tuple[int, ...]) -> tuple[list[Node], tuple[int, ...]]:
    """The same layer of the same result, computed twice, is one.

    Two draws of noise are two, and a norm by its batch moves its statistics each time.
    """
    seen: dict[str, int] = {}
    first: list[int] = []
    kept: list[Node] = []
    for index, node in enumerate(nodes):
        made = replace(node, inputs=tuple(first[i] for i in node.inputs))
        kept.append(made)
        alone = node.kind in ("input", "dropout") or node.attributes.get("statistics")
        key = repr((index if alone else node.kind, made.inputs, node.attributes, node.parameters))
        first.append(seen.setdefault(key, index))
    return kept, tuple(first[i] for i in outputs)


def _reachable(nodes: list[Node], outputs: tuple[int, ...]) -> Graph:
    """The nodes that the outputs need, renumbered, the inputs first."""
    needed = Graph(nodes, (), outputs).ancestors(*outputs)
    needed |= {i for i, node in enumerate(nodes) if node.kind == "input"}
    order = sorted(needed)
    new = {old: i for i, old in enumerate(order)}
    kept = [replace(nodes[old], inputs=tuple(new[i] for i in nodes[old].inputs)) for old in order]
    inputs = tuple(i for i, node in enumerate(kept) if node.kind == "input")
    return Graph(kept, inputs, tuple(new[i] for i in outputs))
