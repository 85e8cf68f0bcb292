"""Ways to make a control arm: a kind's own operation on other attributes, slots or as another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.kinds.kind import KINDS, Arithmetic, Forward, Node, changed


def attributes(**changes: Callable[[dict[str, Any]], Any]) -> Forward:
    """The node's own operation with some attributes changed."""

    def wrong(o: Arithmetic, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        a = node.attributes
        other = changed(node, a | {name: new(a) for name, new in changes.items()})
        return np.asarray(KINDS[node.kind].forward(o, other, slots, *inputs))

    return wrong


def instead(kind: str, **given: Any) -> Forward:
    """Another kind's operation in the place of the node's own."""

    def wrong(o: Arithmetic, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        other = changed(node, given | node.attributes)
        return np.asarray(KINDS[kind].forward(o, other, slots, *inputs))

    return wrong


def slot(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Forward:
    """The node's own operation with one parameter changed."""

    def wrong(o: Arithmetic, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        held = slots | {name: change(slots[name])}
        return np.asarray(KINDS[node.kind].forward(o, node, held, *inputs))

    return wrong


def skipped(o: Arithmetic, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
    """The node left out: its first input in the place of its result."""
    return inputs[0]
