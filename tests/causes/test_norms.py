"""A norm that was computed otherwise, or left other statistics, is told from its numbers alone."""

import numpy as np
import pytest

from conformance.graph.model import Node
from conformance.numbers.causes import nearness
from conformance.numbers.causes.running import moved
from tests.causes import (
    BETA,
    BOUND,
    EPSILON,
    GROUPED,
    LRN,
    NORM,
    RANDOM,
    TAUGHT,
    G,
    M,
    V,
    X,
    around,
    explained,
    lrn,
    patches,
)

pytestmark = pytest.mark.bare


def norm(mean=M, variance=V, gamma=G, beta=BETA, epsilon=1e-5):
    return (X - mean) / (variance + epsilon) ** 0.5 * gamma + beta


def over(*axes):
    return {"mean": X.mean(axes, keepdims=True), "variance": X.var(axes, keepdims=True)}


NORMS = {
    **{f"epsilon is {e}, not 1e-05": norm(epsilon=float(e))
       for e in ("0.001", "1e-06", "1e-07", "1e-08", "1e-12", "0.0001", "2e-05", "0")},
    "epsilon is 0.0123, not 1e-05": norm(epsilon=0.0123),
    "epsilon is 3.14159e-05, not 1e-05": norm(epsilon=3.14159e-5),
    "mean and variance are in each other's place": norm(mean=V, variance=M),
    "gamma and beta are in each other's place": norm(gamma=BETA, beta=G),
    "gamma is left out": norm(gamma=1),
    "beta is left out": norm(beta=0),
    "gamma + 1 is taken for gamma": norm(gamma=1 + G),
    "the mean is not subtracted": norm(mean=0),
    "the variance is taken for the deviation": (X - M) / (V + 1e-5) * G + BETA,
    "the stored variance is taken for a deviation": norm(variance=V * V),
    "epsilon is added to the deviation, not to the variance": (X - M) / (V**0.5 + 1e-5) * G + BETA,
    "the batch's statistics are taken in inference": norm(**over(0, 1, 2)),
    "each image is normalised by itself (instance norm)": norm(**over(1, 2)),
    "each image is normalised over all its channels (layer norm)": norm(**over(1, 2, 3)),
    "each pixel is normalised over its channels (layer norm)": norm(**over(3)),
    "it is left out": X,
    "each channel is scaled by a number of its own: another gamma?": norm() * np.arange(1, 7),
    "each channel is scaled and shifted by numbers of its own: a norm too many or too few?":
        norm() * np.arange(1, 7) + np.arange(6),
}  # fmt: skip


@pytest.mark.parametrize("words", NORMS)
def test_norm(words):
    """A batch norm with another constant, statistic or algebra is told from its result."""
    assert words in explained("batch_norm", EPSILON, NORM, [X], NORMS[words])


GAMMA, SHIFT = GROUPED["gamma"], GROUPED["beta"]


def group_norm(groups=2, epsilon=1e-5, gamma=GAMMA, beta=SHIFT, order=range(6)):
    """Groups of channels by a loop over images and groups."""
    result = np.empty_like(X)
    for image in range(len(X)):
        for group in range(groups):
            some = list(order)[group * 6 // groups : (group + 1) * 6 // groups]
            cells = X[image][..., some]
            result[image][..., some] = (cells - cells.mean()) / np.sqrt(cells.var() + epsilon)
    return result * gamma + beta


GROUP_NORMS = {
    "epsilon is 0.001, not 1e-05": group_norm(epsilon=1e-3),
    "epsilon is 0.0123, not 1e-05": group_norm(epsilon=0.0123),
    "it has 3 groups, not 2": group_norm(3),
    "it has 1 group, not 2": group_norm(1),
    "channels are dealt to the groups in turn, not side by side": group_norm(
        order=(0, 2, 4, 1, 3, 5)
    ),
    "the batch's statistics are taken (batch norm)": (
        (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-5) * GAMMA + SHIFT
    ),
    "gamma and beta are in each other's place": group_norm(gamma=SHIFT, beta=GAMMA),
    "gamma is left out": group_norm(gamma=1),
    "beta is left out": group_norm(beta=0),
    "gamma + 1 is taken for gamma": group_norm(gamma=1 + GAMMA),
    "it is left out": X,
}


@pytest.mark.parametrize("words", GROUP_NORMS)
def test_group_norm(words):
    """A group norm with other groups, statistics or constants is told from its result."""
    attributes = {"groups": 2, "epsilon": 1e-5}
    assert words in explained("group_norm", attributes, GROUPED, [X], GROUP_NORMS[words])


BATCH = {
    "the running statistics are taken in training": norm(),
    "the map is divided by the unbiased deviation, with n - 1 for n": norm(
        X.mean((0, 1, 2)), X.var((0, 1, 2), ddof=1)
    ),
    "each image is normalised by itself (instance norm)": norm(**over(1, 2)),
    "epsilon is 0.02, not 1e-05": norm(**over(0, 1, 2), epsilon=0.02),
}


@pytest.mark.parametrize("words", BATCH)
def test_norm_in_training(words):
    """A norm in training with other statistics is told."""
    assert words in explained("batch_norm", TAUGHT, NORM, [X], BATCH[words])


def over_space(divisor):
    cells = patches(around(X, ((2, 2), (2, 2))), (5, 5), 1)
    return X / (2 + 0.1 * (cells**2).sum(axis=(3, 4)) / divisor) ** 0.75


RESPONSES = {
    "alpha is divided by n": (LRN, lrn(alpha=1e-1 / 5)),
    "alpha is multiplied by n": (LRN, lrn(alpha=5e-1)),
    "k is 1, not 2": (LRN, lrn(k=1)),
    "beta is 0.5, not 0.75": (LRN, lrn(beta=0.5)),
    "n is 11, not 5": (LRN, lrn(n=11)),
    "k is 1 and alpha is divided by n": (LRN, lrn(k=1, alpha=1e-1 / 5)),
    "k is 1 and beta is 0.5": (LRN, lrn(k=1, beta=0.5)),
    "n is 3, not 5 and k is 1.7, not 2 and alpha is 0.3, not 0.1": (
        LRN, lrn(n=3, k=1.7, alpha=0.3),
    ),
    "the even window is shifted by one channel": (LRN | {"n": 4}, lrn(n=4, low=1)),
    "the window is over space, within a channel": (LRN, over_space(1)),
    "the window is over space, and averaged": (LRN, over_space(25)),
    "it is left out": (LRN, X),
}  # fmt: skip


@pytest.mark.parametrize("words", RESPONSES)
def test_response_normalisation(words):
    """Local response normalisation with other constants or neighbours is told."""
    attributes, got = RESPONSES[words]
    assert words in explained("lrn", attributes, {}, [X], got)


OLD, NEW = RANDOM.uniform(0.5, 1.5, 6), RANDOM.uniform(0.5, 1.5, 6)
STATISTICS = {
    "it is not updated": OLD,
    "it keeps 0.1 of the old value, not 0.9": 0.1 * OLD + 0.9 * NEW,
    "it keeps 0.99 of the old value, not 0.9": 0.99 * OLD + 0.01 * NEW,
    "it keeps 0 of the old value, not 0.9": NEW,
    "the variance that flows in is divided by n, not n - 1 (biased)": 0.9 * OLD
    + 0.1 * NEW * 31 / 32,
    "it keeps 0.1 of the old value, not 0.9, and the variance that flows in is divided by n,"
    " not n - 1 (biased)": 0.1 * OLD + 0.9 * NEW * 31 / 32,
}


@pytest.mark.parametrize("words", STATISTICS)
def test_running_statistics(words):
    """Another momentum or variance, in a norm's running statistics, is told after one step."""
    node = Node("batch_norm", {"momentum": 0.9, "unbiased": True}, (0,), (4, 4, 6))
    got, want = STATISTICS[words], 0.9 * OLD + 0.1 * NEW
    near = nearness(got, 1.0, BOUND)
    assert list(moved(node, "variance", 32, OLD, want, got, near)) == [words]


@pytest.mark.parametrize("got", [0.9 * OLD + 0.1 * NEW, RANDOM.normal(size=6)])
def test_no_cause_of_running_statistics(got):
    """A right one has none, and garbage has none."""
    node = Node("batch_norm", {"momentum": 0.9, "unbiased": True}, (0,), (4, 4, 6))
    near = nearness(got, 1.0, BOUND)
    assert list(moved(node, "variance", 32, OLD, 0.9 * OLD + 0.1 * NEW, got, near)) == []
