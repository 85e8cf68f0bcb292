"""Wrong variants of the oracle's operations: for each kind a bug that real ports have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from conformance.graph.model import Node
from conformance.numbers.oracle import OPERATIONS, Oracle


def _altered(**changes: Callable[[Node], Any]) -> Callable[..., np.ndarray]:
    """The node's own operation with some attributes changed."""

    def wrong(o: Oracle, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        attributes = node.attributes | {name: change(node) for name, change in changes.items()}
        return np.asarray(
            OPERATIONS[node.kind](o, replace(node, attributes=attributes), slots, *inputs)
        )

    return wrong


def _as(kind: str) -> Callable[..., np.ndarray]:
    """Another kind's operation in the place of the node's own."""

    def wrong(o: Oracle, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        attributes = {"count_include_pad": True} | node.attributes
        return np.asarray(OPERATIONS[kind](o, replace(node, attributes=attributes), slots, *inputs))

    return wrong


def _with_slots(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., np.ndarray]:
    """The node's own operation on changed parameters."""

    def wrong(o: Oracle, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        return np.asarray(OPERATIONS[node.kind](o, node, slots | change(slots), *inputs))

    return wrong


#: For each kind a bug that is made in real ports, and how to make it.
ALTERATIONS: dict[str, tuple[str, Callable[..., np.ndarray]]] = {
    "conv": (
        "first two output channels swapped",
        _with_slots(
            lambda s: {"kernel": s["kernel"][..., [1, 0, *range(2, s["kernel"].shape[3])]]}
        ),
    ),
    "dense": (
        "inputs in reverse order",
        _with_slots(lambda s: {"kernel": s["kernel"][::-1]}),
    ),
    "batch_norm": (
        "epsilon ten times larger",
        _altered(epsilon=lambda node: 10 * node.attributes["epsilon"]),
    ),
    "lrn": (
        "alpha divided by n",
        _altered(alpha=lambda node: node.attributes["alpha"] / node.attributes["n"]),
    ),
    "max_pool": ("average for maximum", _as("avg_pool")),
    "avg_pool": ("maximum for average", _as("max_pool")),
    "global_avg_pool": (
        "maximum for average",
        lambda o, node, slots, x: x.max(axis=(1, 2), keepdims=True),
    ),
    "dropout": ("not scaled", lambda o, node, slots, x: x),
    "subsample": (
        "mean for sum",
        _altered(divisor=lambda node: node.attributes["divisor"] * prod(node.attributes["kernel"])),
    ),
    "rbf": (
        "first two units swapped",
        _with_slots(lambda s: {"centres": s["centres"][[1, 0, *range(2, len(s["centres"]))]]}),
    ),
    "relu": ("left out", lambda o, node, slots, x: x),
    "tanh": ("logistic for tanh", _as("sigmoid")),
    "sigmoid": ("tanh for logistic", _as("tanh")),
    "softmax": ("left out", lambda o, node, slots, x: x),
    "add": ("second input left out", lambda o, node, slots, x, y: x),
    "concat": (
        "inputs in reverse order",
        lambda o, node, slots, *xs: np.concatenate(xs[::-1], axis=-1),
    ),
    "scale": ("left out", lambda o, node, slots, x: x),
    "flatten": (
        "width before height",
        lambda o, node, slots, x: x.transpose(0, 2, 1, 3).reshape(len(x), -1),
    ),
}
