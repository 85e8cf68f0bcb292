"""One graph in the spelling of another, where both spellings compute the same.

A dense layer, the convolution that covers its whole map, and a 1x1 convolution on a 1x1 map are
one function, and so is a 1x1 convolution before a global average or behind it.  Which of them a
network is written with is recorded in a node's ``spelling`` and makes no difference to anything
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from conformance.graph.model import Graph, Node

NO_PADDING = ((0, 0), (0, 0))


#: What rises with its input: the largest of four may be taken before or behind it.
RISING = ("relu", "tanh", "sigmoid", "clip")


def alike(expected: Graph, found: Graph) -> tuple[Graph, Graph]:
    """Both graphs in one spelling: layers that may change places with the next behind that, and the
    heads of the found one as those of the expected one that they stand for."""
    for may in (_maximum, _layer_of_a_pixel):
        if not any(_exchangeable(expected, may)):
            found = _exchanged(found, may)
        elif not any(_exchangeable(found, may)):
            expected = _exchanged(expected, may)
    respelled = {
        ours.index: (ours, theirs)
        for ours, theirs in _pairs(list(_heads(found)), list(_heads(expected)))
        if ours.kind != theirs.kind
    }
    if respelled:
        found = found.rebuilt(_Respelling(expected, found, respelled).made)
    return expected, found


def _maximum(before: Node, first: Node, then: Node) -> bool:
    """Whether a maximum may be taken behind the activation that follows it."""
    return first.kind == "max_pool" and then.kind in RISING and before.kind not in RISING


def _layer_of_a_pixel(before: Node, first: Node, then: Node) -> bool:
    """Whether a convolution of single pixels may read the average of the map that it makes."""
    a = first.attributes
    alone = first.kind == "conv" and (a["kernel"], a["stride"]) == ((1, 1), (1, 1))
    return alone and a["padding"] == NO_PADDING and then.kind == "global_avg_pool"


May = Callable[[Node, Node, Node], bool]


def _exchangeable(graph: Graph, may: May) -> Iterator[tuple[int, int]]:
    """Each node that only one other reads and may come behind, and that other."""
    readers = graph.consumers()
    for index, node in enumerate(graph):
        if index in graph.outputs or len(readers[index]) != 1 or not node.inputs:
            continue
        (reader,) = readers[index]
        if may(graph.nodes[node.inputs[0]], node, graph.nodes[reader]):
            yield index, reader


def _exchanged(graph: Graph, may: May) -> Graph:
    """The graph with nodes behind those that read them: it computes the same."""
    nodes = list(graph.nodes)
    for index, reader in _exchangeable(graph, may):
        first, then = nodes[index], nodes[reader]
        source = nodes[first.inputs[0]]
        whole = then.kind == "global_avg_pool"
        nodes[index] = replace(
            then, inputs=first.inputs, axes=source.axes, value=-1,
            shape=(1, 1, source.shape[-1]) if whole else source.shape,
        )  # fmt: skip
        said = ("order", f"{first.kind}, {then.kind}", f"{then.kind}, {first.kind}")
        nodes[reader] = replace(
            first, inputs=(index,), shape=then.shape, axes=then.axes, value=then.value,
            spelling=(*first.spelling, said),
        )  # fmt: skip
    return replace(graph, nodes=nodes) if nodes != graph.nodes else graph


@dataclass(frozen=True)
class Head:
    """A layer of which every output reads all of its input: ``map`` is the input's size."""

    index: int
    kind: str
    map: tuple[int, int, int]
    outputs: int
    node: Node

    @property
    def inputs(self) -> int:
        return prod(self.map)


def _heads(graph: Graph) -> Iterator[Head]:
    for index, node in enumerate(graph):
        if node.kind not in ("conv", "dense") or any(
            piece.region for pieces in node.parameters.values() for piece in pieces
        ):
            continue
        before = graph.nodes[_map_of(graph, node.inputs[0])].shape
        size = before if len(before) == 3 else (1, 1, prod(before))
        if node.kind == "dense" or _covers(node, size):
            yield Head(index, node.kind, (size[0], size[1], size[2]), node.shape[-1], node)


def _covers(node: Node, size: tuple[int, ...]) -> bool:
    """Whether a convolution's only window is the whole map."""
    a = node.attributes
    plain = a["groups"] == 1 and a["padding"] == NO_PADDING and a["dilation"] == (1, 1)
    return plain and a["kernel"] == tuple(size[:2]) and "table" not in a


def _map_of(graph: Graph, index: int) -> int:
    """The map that a vector has been before it was flattened."""
    at = index
    while _passes(graph.nodes[at]):
        (at,) = graph.nodes[at].inputs
    return graph.nodes[at].inputs[0] if graph.nodes[at].kind == "flatten" else index


def _pairs(found: list[Head], expected: list[Head]) -> Iterator[tuple[Head, Head]]:
    """Each head with the first one free that has its size, its inputs or its outputs.

    One of its own kind goes first: on a small image every 1x1 convolution of the last stage is a
    head, and a classifier that reads as many maps is none of them.
    """
    free = list(expected)
    left = list(found)
    for alike_in in (
        lambda a, b: (a.inputs, a.outputs) == (b.inputs, b.outputs),
        lambda a, b: (a.inputs, a.kind) == (b.inputs, b.kind),
        lambda a, b: a.inputs == b.inputs,
        lambda a, b: a.outputs == b.outputs,
    ):
        for ours in list(left):
            theirs = next((e for e in free if alike_in(ours, e)), None)
            if theirs is not None:
                free.remove(theirs)
                left.remove(ours)
                yield ours, theirs


class _Respelling:
    """The nodes of a graph written anew, one by one."""

    def __init__(
        self, expected: Graph, found: Graph, respelled: dict[int, tuple[Head, Head]]
    ) -> None:
        self.old = found
        self.respelled = respelled
        self.consumers = found.consumers()
        #: Flattenings of which only convolutions are left to read.
        self.unflattened = {
            index
            for index, node in enumerate(found)
            if node.kind == "flatten" and self._only_before_convolutions(index)
        }
        #: The nodes of found that read a map and have to read a vector.
        self.flattened = {
            self._start(index, _vectors_before(expected, theirs))
            for index, (ours, theirs) in respelled.items()
            if theirs.kind == "dense" and ours.map[:2] != (1, 1)
        }

    def _only_before_convolutions(self, index: int) -> bool:
        if index in self.old.outputs or not self.consumers[index]:
            return False
        return all(
            (reader in self.respelled and self.respelled[reader][1].kind == "conv")
            or (_passes(self.old.nodes[reader]) and self._only_before_convolutions(reader))
            for reader in self.consumers[index]
        )

    def _start(self, index: int, steps: int) -> int:
        """The node so many steps before, as long as nothing else reads what lies between."""
        for _ in range(steps):
            (before,) = self.old.nodes[index].inputs
            if not _passes(self.old.nodes[before]) or len(self.consumers[before]) != 1:
                break
            index = before
        return index

    def made(self, index: int, node: Node, nodes: list[Node]) -> Node | int:
        """A node of the found graph in its new spelling."""
        if index in self.unflattened:
            return node.inputs[0]
        if index in self.flattened:
            size = prod(nodes[node.inputs[0]].shape)
            flat = Node("flatten", {"order": "HW"}, node.inputs, (size,), where=node.where)
            nodes.append(flat)
            node = replace(node, inputs=(len(nodes) - 1,))
        if index in self.respelled:
            return replace(self._head(*self.respelled[index]), inputs=node.inputs)
        before = nodes[node.inputs[0]].shape if node.inputs else ()
        if _passes(node) and prod(before) == prod(node.shape):
            return replace(node, shape=before)
        return node

    def _head(self, ours: Head, theirs: Head) -> Node:
        node = ours.node
        attributes: dict[str, Any] = {"bias": node.attributes["bias"]}
        kernel: tuple[int, ...] = (ours.inputs, ours.outputs)
        shape: tuple[int, ...] = (ours.outputs,)
        if theirs.kind == "conv":
            kernel, shape = (*ours.map, ours.outputs), (1, 1, ours.outputs)
            attributes |= {
                "kernel": ours.map[:2], "stride": theirs.node.attributes["stride"],
                "padding": NO_PADDING, "dilation": (1, 1), "groups": 1,
            }  # fmt: skip
        pieces = node.parameters["kernel"]
        parameters = node.parameters | {
            "kernel": tuple(replace(p, steps=(*p.steps, ("reshape", kernel))) for p in pieces)
        }
        return replace(
            node, kind=theirs.kind, attributes=attributes, shape=shape,
            parameters=parameters, slots=node.slots | {"kernel": kernel},
            spelling=(*node.spelling, ("kind", node.kind, theirs.kind)),
        )  # fmt: skip


def _passes(node: Node) -> bool:
    """Whether a node works on numbers and does not care how they are laid out."""
    return node.has("passing") and node.kind not in ("flatten", "pad") and len(node.inputs) == 1


def _vectors_before(graph: Graph, head: Head) -> int:
    """How many nodes lie between the flattening of a map and the layer that reads it."""
    count, at = 0, head.node.inputs[0]
    while _passes(graph.nodes[at]):
        count, at = count + 1, graph.nodes[at].inputs[0]
    return count if graph.nodes[at].kind == "flatten" else 0
