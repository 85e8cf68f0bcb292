"""The distance of two arrays, however large they are and however they lie in memory."""

from math import inf, nan

import numpy as np
import pytest

from conformance.numbers.deviation import SAMPLES, distance, sample

pytestmark = pytest.mark.bare

RANDOM = np.random.Generator(np.random.Philox(3))


@pytest.mark.parametrize("shape", [(1, 7), (2, 300, 200, 8), (1, 3, 5, 70000), (90000, 2), (0, 4)])
def test_distance_is_the_largest_difference(shape):
    """One wrong number among many is found, wherever it is, in any layout of either side."""
    want = RANDOM.integers(-9, 9, shape).astype(float)
    got = np.asfortranarray(want)
    assert distance(got, want, 2.0) == 0
    for place in {0, want.size // 2, want.size - 1} if want.size else ():
        wrong = np.array(got, order="F")
        wrong[np.unravel_index(place, shape)] += 3
        assert distance(wrong, want, 2.0) == 1.5


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("place", [0, 99999, 199999])
def test_what_is_not_finite_is_infinitely_far(bad, place):
    """Among numbers before and after it, and on both sides alike."""
    want = RANDOM.normal(size=(2, 100000))
    got = want.copy()
    got.reshape(-1)[place] = bad
    with np.errstate(invalid="ignore"):
        assert distance(got, want, 1.0) == distance(got, got, 1.0) == inf


def test_another_shape_is_infinitely_far():
    """Nothing is broadcast."""
    assert distance(np.zeros((2, 3)), np.zeros((1, 3)), 1.0) == inf


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_a_sample_is_spread_from_the_first_to_the_last(count):
    """In the order of the array and not of its memory."""
    array = np.asfortranarray(np.arange(2.0 * count).reshape(2, count))
    found = sample(array)
    assert len(found) == min(SAMPLES, array.size)
    assert found[0] == 0 and found[-1] == array.size - 1
    assert sorted(set(found)) == list(found)
