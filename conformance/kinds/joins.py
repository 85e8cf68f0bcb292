"""Where branches end: a sum, a concatenation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations, permutations
from string import ascii_lowercase

import numpy as np

from conformance.kinds.arrays import axis_of
from conformance.kinds.experiment import Altered, Trial, least_squares
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Gradients, Kind, Node, Spread, Step


def weighted(t: Trial) -> Altered:
    """A sum of inputs that are scaled, subtracted or left out."""
    if not t.holds(len(t.inputs)):
        return
    shares = least_squares(list(t.inputs), t.found)
    near = [float(f"{share:.6f}") + 0.0 for share in shares]
    for numbers in (near, list(map(float, shares))):
        words = " + ".join(
            f"input {i}" if s == 1 else f"{s:.6g} x input {i}"
            for i, s in enumerate(numbers, 1) if s
        )  # fmt: skip
        terms = [s * x for s, x in zip(numbers, t.inputs, strict=True)]
        yield f"it is {words or 'zero'}", np.asarray(sum(terms))


def multiplied(t: Trial) -> Altered:
    yield "its inputs are multiplied, not added", t.inputs[0] * t.inputs[1]
    yield "it is the larger of its inputs, not the sum", np.maximum(*t.inputs)


def add_spread(node: Node, *inputs: Spread) -> Spread:
    mean = sum(i.mean for i in inputs)
    return Spread(mean, mean**2 + sum(i.variance for i in inputs))


ADD = Kind(
    name="add",
    forward=lambda o, node, slots, x, y: x + y,
    adjoint=lambda step, g: ([g, g], {}),
    reads="",
    spread=add_spread,
    altered=("second input left out", lambda t: t.x),
    causes=(left_out,),
    fitted=(weighted, multiplied),
    written=None,
    traits="join unordered",
)


def split(step: Step, g: np.ndarray) -> Gradients:
    axis = axis_of(step.node)
    ends = np.cumsum([x.shape[axis] for x in step.inputs])[:-1]
    return np.split(g, ends, axis=axis), {}


def concat_spread(node: Node, *inputs: Spread) -> Spread:
    widths = [i.shape[-1] for i in inputs]
    share = [w / sum(widths) for w in widths]
    return Spread(
        sum(i.mean * s for i, s in zip(inputs, share, strict=True)),
        sum(i.moment * s for i, s in zip(inputs, share, strict=True)),
    )


def orders(t: Trial) -> Altered:
    count = len(t.inputs)
    orders = [list(order) for order in permutations(range(count))] if count <= 4 else []
    for i, j in combinations(range(count) if count > 4 else (), 2):
        orders.append([j if k == i else i if k == j else k for k in range(count)])
    for order in orders:
        if order != sorted(order):
            words = ", ".join(ascii_lowercase[place] for place in order)
            wrong = t.run(*(t.inputs[place] for place in order))
            yield f"its inputs are concatenated in the order {words}", wrong


def parts(t: Trial) -> Altered:
    """One input of a concatenation is scaled, left out or taken twice."""
    ends = np.cumsum([x.shape[-1] for x in t.inputs])
    for place, (x, end) in enumerate(zip(t.inputs, ends, strict=True)):
        got = t.found[..., end - x.shape[-1] : end]

        def within(new: np.ndarray, place: int = place) -> np.ndarray:
            return t.run(*(new if i == place else each for i, each in enumerate(t.inputs)))

        if np.array_equal(got, x):
            continue
        if not got.any():
            yield f"its input {place + 1} is zero", within(np.zeros_like(x))
        for other, each in enumerate(t.inputs):
            if other != place and each.shape == x.shape:
                words = f"its input {other + 1} stands for input {place + 1} as well"
                yield words, within(each)
        share = float(np.vdot(got, x) / np.vdot(x, x))
        words = f"its input {place + 1} is {{}} times as large"
        yield from t.fitted(share, partial(_times, x, within), words, x.size)


def _times(x: np.ndarray, put: Callable[[np.ndarray], np.ndarray], s: float) -> np.ndarray:
    return put(s * x)


CONCAT = Kind(
    name="concat",
    optional="axis",
    forward=lambda o, node, slots, *xs: np.concatenate(xs, axis=axis_of(node)),
    adjoint=split,
    reads="",
    spread=concat_spread,
    altered=(
        "inputs in reverse order",
        lambda t: np.concatenate(t.inputs[::-1], axis=-1),
    ),
    causes=(orders,),
    fitted=(parts,),
    written=None,
    traits="join keeps_sign",
)
