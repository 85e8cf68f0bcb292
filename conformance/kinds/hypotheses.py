"""Ways to state a hypothesis about one node.

A hypothesis is a generator of alterations; the first that explains the port is taken.
Its words say what was computed in place of the node; "it" is the node.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import prod
from typing import Any

import numpy as np

from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.kind import Hypothesis, Node


def as_kind(kind: str, words: str, **attributes: Any) -> Hypothesis:
    """Another kind's operation in the place of the node's own."""

    def tried(t: Trial) -> Altered:
        yield words, t.run(kind=kind, **attributes)

    return tried


def slot(words: str, name: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Hypothesis:
    """The node's own operation with one slot changed, or left out; where it has that slot."""

    def tried(t: Trial) -> Altered:
        if name in t.slots:
            yield words, t.run(slots={name: change(t.slots[name])})

    return tried


def result(words: str, make: Callable[[Trial], np.ndarray]) -> Hypothesis:
    """A result made by hand."""

    def tried(t: Trial) -> Altered:
        yield words, make(t)

    return tried


#: What is said of kernels of so many axes that are in another order, and the step of a layout that
#: leads there and back.
ORDERS: dict[int, dict[str, tuple[str, tuple[int, ...]]]] = {
    4: {
        "rows and columns of the kernel are exchanged": ("transpose", (1, 0, 2, 3)),
        "the kernel is flipped: a true convolution": ("reverse", (0, 1)),
        "the kernel's rows are reversed": ("reverse", (0,)),
        "the kernel's columns are reversed": ("reverse", (1,)),
        "the kernel's inputs and outputs are exchanged": ("transpose", (0, 1, 3, 2)),
    },
    2: {"the kernel is transposed": ("transpose", (1, 0))},
}


def turned(words: str) -> Hypothesis:
    """The kernel in another order, where that leaves its shape."""
    step, axes = next(orders[words] for orders in ORDERS.values() if words in orders)

    def tried(t: Trial) -> Altered:
        kernel = t.slots["kernel"]
        moved = [a for a, b in enumerate(axes) if a != b] if step == "transpose" else axes
        sides = {kernel.shape[a] for a in moved}
        if step == "reverse" or (len(sides) == 1 and sides != {1}):
            other = np.flip(kernel, axes) if step == "reverse" else kernel.transpose(axes)
            yield words, t.run(slots={"kernel": other})

    return tried


def left_out(t: Trial) -> Altered:
    for place, x in enumerate(t.inputs):
        if x.size == t.want.size:
            which = f" and its input {place + 1} taken" if len(t.inputs) > 1 else ""
            yield f"it is left out{which}", x.reshape(t.want.shape)


def flattened(t: Trial) -> Altered:
    """Another order of rows, columns and channels on the way to a vector."""
    shape = t.image if t.node.kind == "dense" else t.x.shape[1:]
    if len(shape) != 3 or sum(n > 1 for n in shape) < 2:
        return
    cells = t.x.reshape(-1, *shape)
    for order in permutations((1, 2, 3)):
        if order != (1, 2, 3):
            words = ", ".join("?HWC"[axis] for axis in order)
            moved = cells.transpose(0, *order).reshape(len(cells), -1)
            wrong = t.run(moved) if t.node.kind == "dense" else moved
            yield f"flattened in the order {words}", wrong


def inputs_reordered(t: Trial) -> Altered:
    x = t.x
    half = x.shape[-1] // 2
    if half:
        words = "its input channels are in reverse order"
        if t.first and x.shape[-1] == 3:
            words = "the image's channels are BGR, not RGB"
        yield words, t.run(x[..., ::-1])
        swapped = np.concatenate([x[..., half:], x[..., :half]], axis=-1)
        yield "the halves of its input channels are swapped", t.run(swapped)


def epsilons(t: Trial) -> Altered:
    for epsilon in (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 1e-4, 2e-5, 0.0):
        words = f"epsilon is {epsilon:g}, not {t.node.attributes['epsilon']:g}"
        yield words, t.run(epsilon=epsilon)


def products(t: Trial) -> Altered:
    """The products of a layer are scaled, its bias is not."""
    bias = t.slots.get("bias")
    if bias is not None:
        plain = t.want - bias
        share = float(np.vdot(t.found - bias, plain) / np.vdot(plain, plain))
        words = "what it sums is {} times as large, its bias is not"
        yield from t.fitted(share, lambda s: s * plain + bias, words)


#: What is done to a bias.
biases: tuple[Hypothesis, ...] = (
    slot("the bias is left out", "bias", lambda bias: None),
    slot("the bias is added twice", "bias", lambda bias: 2 * bias),
    slot("the bias is subtracted", "bias", lambda bias: -bias),
)


def uses(node: Node) -> int:
    """LeNet's count of a kernel: one for each use of a weight and one for each use of a bias."""
    return (prod(node.shape[:2]) if len(node.shape) == 3 else 1) * (node.weights + node.biases)
