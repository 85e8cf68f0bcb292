"""From a tape to the neutral graph: every value of the tape gets a meaning, by rules.

A value is stored (made of parameters and constants only), a node's result, perhaps with an
affine map, a padding or a choice of channels pending, or algebra of one node's result that no
single operation names, such as a hand-written LRN.  What is pending becomes nodes when the next
operation has been seen: a padding becomes part of a convolution, an affine map a batch norm.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from conformance.graph.model import Graph, Node
from conformance.graph.towers import joined
from conformance.trace import rules
from conformance.trace.meanings import Flowing
from conformance.trace.pointwise import name_functions
from conformance.trace.port import UntraceableModel
from conformance.trace.rejoined import rejoin
from conformance.trace.rules.layout import zeros
from conformance.trace.rules.training import follow
from conformance.trace.tape import Tape
from conformance.trace.walk import AXES, Walk

__all__ = ["canonical", "rules"]


def canonical(tape: Tape) -> Graph:
    """The neutral graph of what the tape computes; unreachable operations are left out.

    Raises :class:`UntraceableModel` where an output depends on no image.
    """
    graph, reads_as = _walked(tape)
    if not reads_as:
        return graph
    # A model that takes rows for channels, or for columns, is read as it reads the image.
    other, _ = _walked(_relabelled(tape, reads_as))
    if len(other.unknown) > len(graph.unknown):
        return graph
    pairs = sorted(reads_as.items())
    words = [f"{AXES[name]} as {AXES[taken]}" for name, taken in pairs if name != taken]
    for index in other.inputs:
        other.nodes[index].attributes["layout"] = ", ".join(words)
    return other


def without_zeros(graph: Graph) -> Graph:
    """The same function less what is multiplied by zero and added; the graph itself if none is."""
    stands: dict[int, int] = {}
    for index, node in enumerate(graph):
        if node.kind == "add" and not node.parameters:
            left = [i for i in node.inputs if not zeros(graph.nodes[i])]
            if len(left) == 1:
                stands[index] = stands.get(left[0], left[0])
    if not stands:
        return graph
    nodes = [replace(node, inputs=tuple(stands.get(i, i) for i in node.inputs)) for node in graph]
    return _reachable(nodes, tuple(stands.get(i, i) for i in graph.outputs))


def only(graph: Graph, output: int) -> Graph:
    """What leads to one of a graph's outputs."""
    return _reachable(graph.nodes, (output,))


def _walked(tape: Tape) -> tuple[Graph, dict[str, str]]:
    walk = Walk(tape)
    walk.run()
    outputs: list[int] = []
    for place, value in enumerate(tape.outputs, 1):
        x = walk.means[value]
        if not isinstance(x, Flowing):
            raise UntraceableModel(f"output {place} depends on no image; return what is computed")
        outputs.append(walk.placed(x).node)
    follow(walk, tape.updates)
    rejoin(walk, outputs)
    name_functions(walk, outputs)
    return joined(_reachable(*_once(walk.nodes, tuple(outputs)))), walk.reads_as


def _relabelled(tape: Tape, letters: dict[str, str]) -> Tape:
    """The tape with other names for the axes of its images."""
    other = copy(tape)
    other.operations = []
    for op in tape.operations:
        if op.name == "input":
            axes = "".join(letters.get(name, name) for name in op.attributes["axes"])
            op = replace(op, attributes={"axes": axes})
        other.operations.append(op)
    return other


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
        drawn = node.kind == "dropout" or node.attributes.get("why")
        alone = node.kind == "input" or drawn or node.attributes.get("statistics")
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
