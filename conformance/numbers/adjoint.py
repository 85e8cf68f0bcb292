"""Reverse mode for the oracle: NumPy walks a neutral graph back, by the adjoint of each kind.

A rule turns the gradient with respect to a node's result into those with respect to its inputs
and its slots.  Which side of a rectifier a value is on and which cell of a window is the largest
is decided in double precision whatever the precision of the walk: a value near such an edge would
otherwise make a difference that has nothing to do with how the gradient is summed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.graph.model import Graph
from conformance.kinds import KINDS
from conformance.kinds.kind import Step
from conformance.numbers.oracle import Oracle

#: The slots that a training step moves by their gradient.
TRAINED = frozenset({"kernel", "bias", "gamma", "beta", "coefficient", "slope"})


def backward(
    forward: Oracle, cotangents: dict[int, np.ndarray], decisive: Oracle | None = None
) -> Iterator[tuple[int, np.ndarray, dict[str, np.ndarray]]]:
    """Differentiate the sum of ``results * cotangents``, from the last node to the first.

    ``forward`` still holds every result that this way back :func:`reads`, as does ``decisive``, the
    same in double precision.  Yields a node, the gradient with respect to its result and those with
    respect to its trained slots; a node that no output depends on is left out.
    """
    graph, kind = forward.graph, forward.dtype
    edges = (decisive or forward).results
    arrived = {index: np.asarray(array, kind) for index, array in cotangents.items()}
    for index in range(len(graph) - 1, -1, -1):
        if index not in arrived:
            continue
        gradient = arrived.pop(index)
        parts, of_slots = one_back(forward, index, gradient, edges)
        for source, part in zip(graph.nodes[index].inputs, parts, strict=True):
            # Two readers' parts are added into a new array: a rule may have passed its own on.
            arrived[source] = arrived[source] + part if source in arrived else part
        yield index, gradient, of_slots


def one_back(
    forward: Oracle, index: int, gradient: np.ndarray, edges: dict[int, np.ndarray]
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """What one node hands on of the gradient with respect to its result: to each input, and slot.

    ``edges`` are results in double precision.
    """
    node = forward.graph.nodes[index]
    slots = forward.parameters(index)

    def kept(results: dict[int, np.ndarray], i: int) -> np.ndarray:
        shape = (len(forward.image), *forward.graph.nodes[i].shape)
        return results[i] if i in results else np.broadcast_to(forward.dtype.type(np.nan), shape)

    inputs = [kept(forward.results, i) for i in node.inputs]
    first = kept(edges, node.inputs[0]) if inputs else forward.image
    step = Step(node, slots, inputs, kept(forward.results, index), first, kept(edges, index))
    with np.errstate(all="ignore"):
        parts, of_slots = KINDS[node.kind].adjoint(step, gradient)
    shaped = [part.reshape(x.shape) for x, part in zip(inputs, parts, strict=True)]
    return shaped, {name: of_slots[name] for name in of_slots if name in slots}


def reads(graph: Graph, decides: bool) -> frozenset[int]:
    """The nodes whose results the way back reads; those that it only ``decides`` by, if it does.

    Outputs are among them, so that none is computed again.
    """
    found = set(graph.outputs)
    for index, node in enumerate(graph):
        read = KINDS[node.kind].reads.split() if node.kind in KINDS else ()
        if "result" in read or (decides and "decided" in read):
            found.add(index)
        if "inputs" in read:
            found.update(node.inputs)
        elif decides and "decisive" in read:
            found.update(node.inputs[:1])
    return frozenset(found)
