"""What computes on values, joins or moves them is told from its numbers alone."""

from math import erf, sqrt

import numpy as np
import pytest

from tests.causes import (
    DENSE,
    PAD,
    SIDE,
    VECTOR,
    W,
    X,
    Y,
    Z,
    explained,
)

pytestmark = pytest.mark.bare


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(erf)(x * 0.5**0.5))


ACTIVATIONS = {
    "it is left out": ("relu", X),
    "tanh stands in its place": ("relu", (np.exp(2 * X) - 1) / (np.exp(2 * X) + 1)),
    "sigmoid stands in its place": ("tanh", np.exp(X) / (1 + np.exp(X))),
    "relu stands in its place": ("tanh", X * (X > 0)),
    "relu6 stands in its place": ("relu", np.minimum(4 * X * (X > 0), 6)),
    "leaky relu (slope 0.01) stands in its place": ("relu", X * (X > 0) + 0.01 * X * (X < 0)),
    "leaky relu (slope 0.1) stands in its place": ("relu", X * (X > 0) + 0.1 * X * (X < 0)),
    "leaky relu (slope 0.2) stands in its place": ("relu", X * (X > 0) + 0.2 * X * (X < 0)),
    "leaky relu (slope 0.3) stands in its place": ("relu", X * (X > 0) + 0.3 * X * (X < 0)),
    "leaky relu (slope 0.17) stands in its place": ("relu", X * (X > 0) + 0.17 * X * (X < 0)),
    "it is cut off above 2": ("relu", np.clip(X, 0, 2)),
    "silu (swish) stands in its place": ("relu", X / (1 + np.exp(-X))),
    "gelu stands in its place": ("relu", gelu(X)),
    "gelu (by tanh) stands in its place": (
        "relu", X / (1 + np.exp(-2 * sqrt(2 / np.pi) * (X + 0.044715 * X * X * X))),
    ),
    "elu stands in its place": ("relu", np.where(X > 0, X, np.exp(X) - 1)),
    "selu stands in its place": (
        "relu",
        1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * (np.exp(X) - 1)),
    ),
    "softplus stands in its place": ("relu", np.log(1 + np.exp(X))),
    "softsign stands in its place": ("relu", np.where(X > 0, X / (1 + X), X / (1 - X))),
    "mish stands in its place": ("relu", X * np.tanh(np.log(1 + np.exp(X)))),
    "hard tanh stands in its place": ("tanh", np.minimum(1, np.maximum(-1, X))),
    "hard sigmoid stands in its place": ("sigmoid", np.clip((X + 3) / 6, 0, 1)),
    "hard sigmoid (of Keras 2) stands in its place": ("sigmoid", np.clip(0.2 * X + 0.5, 0, 1)),
    "hard swish stands in its place": ("relu", X * np.minimum(np.maximum(X + 3, 0), 6) / 6),
    "1.7159 tanh(2x/3) stands in its place": (
        "tanh", 1.7159 * (1 - 2 / (np.exp(4 * X / 3) + 1)),
    ),
    "the absolute value stands in its place": ("relu", np.sqrt(X * X)),
    "the square stands in its place": ("relu", X * X),
}  # fmt: skip


@pytest.mark.parametrize("words", ACTIVATIONS)
def test_activation(words):
    """Another function in the place of an activation is told from its result."""
    kind, got = ACTIVATIONS[words]
    x = 4 * X if "relu6" in words else X
    assert words in explained(kind, {}, {}, [x], got)


def through(*order):
    """The dense layer on a 4x4x3 map that is flattened in another order."""
    return np.transpose(VECTOR.reshape(3, 4, 4, 3), (0, *order)).reshape(3, 48) @ W + DENSE["bias"]


DENSES = {
    "the bias is left out": (DENSE, VECTOR @ W),
    "the bias is added twice": (DENSE, VECTOR @ W + 2 * DENSE["bias"]),
    "flattened in the order C, H, W": (DENSE, through(3, 1, 2)),
    "flattened in the order W, H, C": (DENSE, through(2, 1, 3)),
    "flattened in the order C, W, H": (DENSE, through(3, 2, 1)),
    "its input channels are in reverse order": (DENSE, np.flip(VECTOR, 1) @ W + DENSE["bias"]),
    "the kernel is transposed": (SIDE, VECTOR @ SIDE["kernel"].T + SIDE["bias"]),
    "what it sums is 1/sqrt(48) times as large, its bias is not": (
        DENSE, VECTOR @ W / sqrt(48) + DENSE["bias"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", DENSES)
def test_dense(words):
    """A dense layer that reads in another order, or forgets its bias, is told."""
    held, got = DENSES[words]
    assert words in explained("dense", {}, held, [VECTOR], got, flatten=(4, 4, 3))


@pytest.mark.parametrize("words", ["C, H, W", "W, H, C", "H, C, W"])
def test_flatten(words):
    """The order of a flattening is told."""
    axes = [0, *("?HWC".index(axis) for axis in words.split(", "))]
    got = X.transpose(axes).reshape(2, -1)
    assert f"flattened in the order {words}" in explained("flatten", {}, {}, [X], got)


SUMMED = {
    "it is left out and its input 1 taken": X,
    "it is left out and its input 2 taken": Y,
    "it is input 1 + 0.17 x input 2": X + 0.17 * Y,
    "it is input 1 + -1 x input 2": X - Y,
    "it is 0.5 x input 1 + 0.5 x input 2": (X + Y) / 2,
    "its inputs are multiplied, not added": X * Y,
    "it is the larger of its inputs, not the sum": np.where(X > Y, X, Y),
    "relu comes before its input 1": X * (X > 0) + Y,
    "relu follows it": (X + Y) * (X + Y > 0),
}


@pytest.mark.parametrize("words", SUMMED)
def test_addition(words):
    """A sum that drops, scales or rectifies something is told."""
    assert words in explained("add", {}, {}, [X, Y], SUMMED[words])


JOINED = {
    "its inputs are concatenated in the order c, a, b": np.concatenate([Z, X, Y], -1),
    "its inputs are concatenated in the order b, a, c": np.concatenate([Y, X, Z], -1),
    "its input 2 is zero": np.concatenate([X, 0 * Y, Z], -1),
    "its input 1 stands for input 3 as well": np.concatenate([X, Y, X], -1),
    "its input 3 is 0.1 times as large": np.concatenate([X, Y, Z / 10], -1),
    "relu comes before its input 2": np.concatenate([X, Y * (Y > 0), Z], -1),
    "its channels are in reverse order": np.concatenate([X, Y, Z], -1)[..., ::-1],
    "its channels are shuffled, as over 3 groups": np.stack([X, Y, Z], -1).reshape(2, 8, 8, 18),
}


@pytest.mark.parametrize("words", JOINED)
def test_concatenation(words):
    """A concatenation in another order, or of something else, is told."""
    assert words in explained("concat", {}, {}, [X, Y, Z], JOINED[words])


def test_concatenation_of_many():
    """Of five inputs two that have changed places are told."""
    many = [X, Y, Z, X + Y, Y + Z]
    got = np.concatenate([many[i] for i in (0, 3, 2, 1, 4)], -1)
    said = explained("concat", {}, {}, many, got)
    assert "its inputs are concatenated in the order a, d, c, b, e" in said


def softmax(x, axis):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


SOFTMAXES = {
    "it is left out": VECTOR,
    "it is applied twice": softmax(softmax(VECTOR, 1), 1),
    "its logarithm is returned": VECTOR - np.log(np.exp(VECTOR).sum(1, keepdims=True)),
    "it is taken over the batch": softmax(VECTOR, 0),
}


@pytest.mark.parametrize("words", SOFTMAXES)
def test_softmax(words):
    """A softmax that is missing, doubled or taken over another axis is told."""
    assert words in explained("softmax", {}, {}, [VECTOR], SOFTMAXES[words])


def interpolated(aligned):
    """Twice as many pixels on a line between two, by NumPy's interpolation."""
    places = np.linspace(0, 7, 16) if aligned else (np.arange(16) + 0.5) / 2 - 0.5
    rows = np.apply_along_axis(lambda line: np.interp(places, range(8), line), 1, X)
    return np.apply_along_axis(lambda line: np.interp(places, range(8), line), 2, rows)


GROWN = np.zeros((2, 9, 9, 10))
GROWN[:, :8, :8, 4:] = X
SHIFTED = np.zeros((2, 9, 9, 10))
SHIFTED[:, 1:, 1:, :6] = X
OTHERS = {
    "it is bilinear, not nearest, with half-pixel centres": (
        "upsample", {"factor": (2, 2)}, {}, X, interpolated(False),
    ),
    "it is bilinear, not nearest, with aligned corners": (
        "upsample", {"factor": (2, 2)}, {}, X, interpolated(True),
    ),
    "4 channels are padded in front, 0 behind": ("pad", PAD, {}, X, GROWN),
    "padding is (1, 0, 1, 0), not (0, 1, 0, 1)": ("pad", PAD, {}, X, SHIFTED),
    "the rate is 0.6, not 0.4": ("dropout", {"rate": 0.4}, {}, X, X / 0.4),
    "it is left out": ("dropout", {"rate": 0.4}, {}, X, X),
    "the root of the distance is taken": (
        "rbf", {}, {"centres": SIDE["kernel"][:5]}, VECTOR,
        lambda want: np.linalg.norm(VECTOR[:, None] - SIDE["kernel"][:5], axis=2),
    ),
    "it is the mean, not the sum": (
        "rbf", {}, {"centres": SIDE["kernel"][:5]}, VECTOR,
        lambda want: ((VECTOR[:, None] - SIDE["kernel"][:5]) ** 2).mean(axis=2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", OTHERS)
def test_other_kinds(words):
    """What else has been seen of upsampling, padding, dropout and distances is told."""
    kind, attributes, held, x, got = OTHERS[words]
    assert words in explained(kind, attributes, held, [x], got)
