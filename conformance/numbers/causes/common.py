"""Hypotheses about a node of any kind; the second tuple's have a number to solve for first.

Each of those solves for a few numbers from many; what comes out is believed only where computing
the node with it gives all of the port's result.
"""

from __future__ import annotations

import numpy as np

from conformance.kinds.experiment import TIMES, Altered, Trial, least_squares
from conformance.kinds.functions import FUNCTIONS
from conformance.kinds.kind import Hypothesis
from conformance.numbers.deviation import order_of


def followed(t: Trial) -> Altered:
    for name, function in FUNCTIONS.items():
        yield f"{name} follows it", function(t.want)


def preceded(t: Trial) -> Altered:
    """An activation before the node: of all that it reads, or of one input."""
    for name, function in FUNCTIONS.items():
        if len(t.inputs) == 1:
            yield f"{name} comes before it", t.run(function(t.x))
        for place in range(len(t.inputs) if len(t.inputs) > 1 else 0):
            inputs = [function(x) if i == place else x for i, x in enumerate(t.inputs)]
            yield f"{name} comes before its input {place + 1}", t.run(*inputs)


def rescaled(t: Trial) -> Altered:
    """By one number, by two, then by numbers of each channel: the first that is enough."""
    square = float(np.vdot(t.want, t.want))
    if square:
        share = float(np.vdot(t.found, t.want)) / square
        yield from t.fitted(share, lambda s: s * t.want, "it is {} times as large")
    offset = float(np.mean(t.found - t.want))
    yield from t.fitted(offset, lambda b: t.want + b, "{} is added to it")
    if t.holds(2):
        factor, offset = least_squares([t.want, np.ones_like(t.want)], t.found)
        words = f"it is {factor:.6g} times as large, and {offset:.6g} is added"
        yield words, factor * t.want + offset
    yield from _each_channel(t)


def _each_channel(t: Trial) -> Altered:
    """Another bias, another gamma, or a norm that was left out or added."""
    want, got = (x.reshape(-1, x.shape[-1]) for x in (t.want, t.found))
    if len(want) < TIMES:
        return
    offsets = (got - want).mean(axis=0)
    yield "each channel has a number of its own added: another bias?", t.want + offsets
    shares = (got * want).sum(axis=0) / (want * want).sum(axis=0)
    yield "each channel is scaled by a number of its own: another gamma?", t.want * shares
    if len(want) < 2 * TIMES:
        return
    middle = want.mean(axis=0)
    shares = ((got - got.mean(axis=0)) * (want - middle)).sum(axis=0)
    shares = shares / ((want - middle) ** 2).sum(axis=0)
    words = "each channel is scaled and shifted by numbers of its own: a norm too many or too few?"
    yield words, (t.want - middle) * shares + got.mean(axis=0)


def reordered(t: Trial) -> Altered:
    """The channels are all there, in another order."""
    order = order_of(t.want, t.found)
    yield _order(order), t.want[..., order]


def _order(order: np.ndarray) -> str:
    count, places = len(order), np.arange(len(order))
    if np.array_equal(order, places[::-1]):
        return "its channels are in reverse order"
    if count % 2 == 0 and np.array_equal(order, np.roll(places, count // 2)):
        return "the halves of its channels are swapped"
    for groups in range(2, count):
        if count % groups == 0 and np.array_equal(order, places.reshape(groups, -1).T.reshape(-1)):
            return f"its channels are shuffled, as over {groups} groups"
    moved = [i for i in places if order[i] != i]
    first = f", the first {moved[0]}, where {order[moved[0]]} belongs" if moved else ""
    return f"{len(moved)} of its channels are in another place{first}"


def turned(t: Trial) -> Altered:
    """The map itself lies another way."""
    if t.want.ndim == 4:
        yield "its rows are in reverse order", t.want[:, ::-1]
        yield "its columns are in reverse order", t.want[:, :, ::-1]
        yield "rows and columns of its map are exchanged", t.want.transpose(0, 2, 1, 3)


def nothing(t: Trial) -> Altered:
    yield "it is zero", np.zeros_like(t.want)


#: Tried where nothing of its own kind explains a node.
COMMON: tuple[Hypothesis, ...] = (followed, preceded)
COMMON_FITTED: tuple[Hypothesis, ...] = (nothing, rescaled, reordered, turned)
