"""The published networks as graphs, in inference and in training: data, and no framework.

    graphs/ResNet-50.json.gz    {"inference": graph, "training": graph}

A node's address is the row of the paper's table that it belongs to.  The suite holds every
framework's own trace against these files; ``python -m
conformance.suite.published FRAMEWORK [ARCH…]`` writes them anew from one of them.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from conformance import reference
from conformance.data import tuples
from conformance.graph.model import Graph, Node, Parameter, Where
from conformance.graph.resize import CannotResize, resized
from conformance.graph.rows import row_of
from conformance.reference import Model

HERE = Path(__file__).with_name("graphs")

#: What frameworks do by convention, of which no paper says anything: whether the running variance
#: takes in the variance of a sample or that of the batch.
UNBIASED = "unbiased"

Json = dict[str, Any]
Size = tuple[int, int, int]


@dataclass(frozen=True)
class Network:
    """One published network in both modes, each built when it is asked for."""

    data: Json

    @cached_property
    def inference(self) -> Graph:
        return _graph(self.data["inference"])

    @cached_property
    def training(self) -> Graph:
        return _graph(self.data["training"])


class NoSuchSize(Exception):
    """A network cannot read an image of this size; the message says why."""


def network(model: Model) -> Network:
    """The graphs of a published network, for the paper's size of image."""
    return _network(model.name)


@cache
def _network(name: str) -> Network:
    return Network(json.loads(gzip.decompress(_file(name).read_bytes())))


def known(name: str) -> bool:
    """Whether there are graphs of a network of this name."""
    return name in reference.models() and _file(name).is_file()


def another(graph: Graph, name: str, times: int = 1) -> str:
    """The network that a graph is so many times nearer to than to the one called ``name``."""
    if not known(name) or not (own := _distance(graph, name)):
        return ""
    nearest = min(filter(known, reference.models()), key=lambda each: _distance(graph, each))
    return nearest if times * _distance(graph, nearest) < own else ""


def _distance(graph: Graph, name: str) -> int:
    """How many layers of one have no counterpart of their kind and size in the other."""
    mine, own = (
        Counter((node.kind, size(node)) for node in each)
        for each in (graph, _network(name).inference)
    )
    return sum(((mine - own) + (own - mine)).values())


def size(node: Node) -> tuple[Any, ...]:
    """The size of a node's result and of its parameters."""
    return node.shape, tuple(sorted(node.slots.items()))


def sized(graph: Graph, model: Model, size: Size) -> Graph:
    """A network's graph for images of another size.  Raises :class:`NoSuchSize`."""
    if size == model.input:
        return graph
    try:
        return resized(graph, size)
    except CannotResize as refused:
        sides = "x".join(map(str, size))
        raise NoSuchSize(f"{model.name} has no meaning on an image of {sides}: {refused}") from None


def write(model: Model, inference: Graph, training: Graph, folder: Path = HERE) -> None:
    """Write a network's file; the same graphs give the same bytes."""
    rows = model.row_names
    data = {"inference": _json(inference, rows), "training": _json(training, rows)}
    text = json.dumps(data, separators=(",", ":"), sort_keys=True)
    _file(model.name, folder).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def neutral(graph: Graph, rows: list[str]) -> Graph:
    """A trace without what belongs to its framework: as it is written and read again."""
    return _graph(json.loads(json.dumps(_json(graph, rows))))


def by_convention(expected: Graph, found: Graph) -> Graph:
    """The expected graph with the running variance that most norms of a port keep."""
    kept = Counter(node.attributes.get(UNBIASED) for node in found if node.kind == "batch_norm")
    del kept[None]
    if not kept:
        return expected
    convention = max(kept, key=lambda each: kept[each])

    def kept_alike(index: int, node: Node, nodes: list[Node]) -> Node:
        if node.attributes.get(UNBIASED) is None:
            return node
        return replace(node, attributes=node.attributes | {UNBIASED: convention})

    return expected.rebuilt(kept_alike)


def _file(name: str, folder: Path = HERE) -> Path:
    return folder / f"{name}.json.gz"


def _json(graph: Graph, rows: list[str]) -> Json:
    return {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "nodes": [
            [node.kind, _attributes(node), node.inputs, node.shape, node.slots, row]
            for node, row in zip(graph, row_of(graph, rows), strict=True)
        ],
    }


def _attributes(node: Node) -> Json:
    known = node.attributes.get(UNBIASED) is not None
    return node.attributes | ({UNBIASED: False} if known else {})


def _graph(data: Json) -> Graph:
    nodes = [_node(index, *each) for index, each in enumerate(data["nodes"])]
    return Graph(nodes, tuple(data["inputs"]), tuple(data["outputs"]))


def _node(
    index: int, kind: str, attributes: Json, inputs: list[int], shape: list[int], slots: Json,
    row: str,
) -> Node:  # fmt: skip
    sizes = {slot: tuple(size) for slot, size in slots.items()}
    return Node(
        kind=kind,
        attributes={name: tuples(value) for name, value in attributes.items()},
        inputs=tuple(inputs),
        shape=tuple(shape),
        parameters={slot: (Parameter(f"{index} {slot}", size),) for slot, size in sizes.items()},
        slots=sizes,
        where=Where(row),
    )
