"""Matrices that are made a few rows at a time are the ones that would be made at once."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from conformance import large
from conformance.graph.model import Node, Parameter
from conformance.numbers import weights
from conformance.numbers.deviation import SlotParity
from conformance.numbers.stored import read, view

pytestmark = pytest.mark.bare

SHAPE = (49 * 40, 520)
STEPS = {
    "as it is": (),
    "transposed": (("transpose", (1, 0)),),
    "channels first": (
        ("transpose", (1, 0)),
        ("reshape", (40, 7, 7, 520)),
        ("transpose", (1, 2, 0, 3)),
        ("reshape", SHAPE),
    ),
    "reversed at last": (("reshape", (7, 280, 520)), ("reshape", SHAPE), ("reverse", 0)),
}
RANDOM = np.random.default_rng(0)


def whole(reach: int, *shape: int) -> np.ndarray:
    """Random whole numbers as floats, whose sums of products are the same in any order."""
    return RANDOM.integers(-reach, reach, shape).astype(np.float64)


LATE: Any = large.Windows(SHAPE, whole(1 << 20, large.Windows.numbers(SHAPE)))
AT_ONCE = np.concatenate([LATE.rows(part) for part in LATE.strips])
FEW, BACK = whole(1 << 10, 2, SHAPE[0]), whole(1 << 10, 2, SHAPE[1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_drawn_late(dtype):
    """Weights are the same numbers whenever and however they are drawn."""
    late, once = LATE.astype(dtype), AT_ONCE.astype(dtype)
    assert np.array_equal(np.asarray(late), once)
    assert np.array_equal(late[::-1], once[::-1])
    assert np.array_equal(late.T + 1, once.T + 1)


def test_different():
    """No two inputs have the same weights, and no two outputs, nor do most of them meet."""
    for each in (AT_ONCE, AT_ONCE.T):
        assert len(np.unique(each, axis=0)) == len(each)
    far = large.Windows((25_088, 4096), LATE.ring)
    assert len(set(far.starts.tolist())) == 25_088


def test_products():
    """Products with them on either side are those of the whole matrix."""
    assert np.array_equal(FEW @ LATE, FEW @ AT_ONCE)
    assert np.array_equal(LATE.behind(BACK), BACK @ AT_ONCE.T)


@pytest.mark.parametrize("order", [o for o in permutations((1, 2, 3)) if o != (1, 2, 3)], ids=str)
def test_flattened(order):
    """A map that is flattened in another order gives other results, every one of them."""
    cells = FEW.reshape(2, 7, 7, 40)
    wrong = cells.transpose(0, *order).reshape(2, -1) @ LATE
    assert (wrong != FEW @ LATE).all()


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_stored(steps):
    """A framework's array is filled with them as with the whole matrix."""
    shape = SHAPE if not steps or steps[0][0] == "reshape" else SHAPE[::-1]
    parameter = Parameter("w", shape, steps, None)
    found = weights.stored(LATE, parameter)
    assert np.array_equal(found, weights.stored(AT_ONCE, parameter))
    assert np.array_equal(read(found, parameter).reshape(SHAPE), AT_ONCE)


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_gradient(monkeypatch, steps, wrong):
    """One wrong number in the last row of a gradient that is not held is seen, however it lies."""
    monkeypatch.setattr(large, "HELD", 1)
    x, y = whole(4, 2, SHAPE[0]), whole(4, 2, SHAPE[1])
    want, got = large.product(x, y), x.T @ y
    got[-1, 3] += wrong
    parameter = Parameter(
        "w", SHAPE if not steps or steps[0][0] == "reshape" else SHAPE[::-1], steps
    )
    node = Node("dense", {}, (), (520,), {"kernel": (parameter,)}, {"kernel": SHAPE})
    lies = view(node, "kernel", lambda handle: weights.stored(got, parameter))
    found = SlotParity.of(0, "kernel", lies, want, np.finfo(np.float64).eps)
    held = SlotParity.of(0, "kernel", got, x.T @ y, np.finfo(np.float64).eps)
    assert isinstance(want, large.Large)
    assert found.agrees is held.agrees is not wrong
    assert (found.error, found.share, found.sample) == (held.error, held.share, held.sample)
