"""Layers as the reference writes them, and what counts as one."""

from __future__ import annotations

from collections.abc import Callable

from conformance.graph.model import Node

#: What counts as a layer, by the name of the count.
LAYERS = {
    "weight layers": frozenset({"conv", "dense"}),
    "convolutional layers": frozenset({"conv"}),
    "dense layers": frozenset({"dense"}),
    "pooling layers": frozenset({"max_pool", "avg_pool", "global_avg_pool", "subsample"}),
    "ReLUs": frozenset({"relu"}),
}


def size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _window(node: Node) -> str:
    stride = node.attributes["stride"]
    step = "" if stride == (1, 1) else f"/{stride[0] if stride[0] == stride[1] else size(stride)}"
    return size(node.attributes["kernel"]) + step


#: How the reference writes a layer of each kind; other kinds stand in no table.
_WRITTEN: dict[str, Callable[[Node], str]] = {
    "conv": lambda node: f"{_window(node)} {node.shape[-1]}",
    "dense": lambda node: f"fc {node.shape[-1]}",
    "rbf": lambda node: f"rbf {node.shape[-1]}",
    "subsample": lambda node: f"subsample {_window(node)}",
    "max_pool": lambda node: f"max pool {_window(node)}",
    "avg_pool": lambda node: f"average pool {_window(node)}",
    "global_avg_pool": lambda node: "average pool",
    "lrn": lambda node: "LRN",
    "dropout": lambda node: f"dropout {node.attributes['rate']:g}",
}
WRITTEN = frozenset(_WRITTEN)


def written(nodes: list[Node], kinds: frozenset[str]) -> tuple[str, ...]:
    """Layers of some kinds as the reference writes them, ``3x3/2 64`` or ``fc 4096``; sorted."""
    return tuple(sorted(_WRITTEN[node.kind](node) for node in nodes if node.kind in kinds))
