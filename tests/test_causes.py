"""What a node was computed as instead is named from its numbers alone, or nothing is claimed.

Every wrong result is made here, by other arithmetic than that of the hypothesis that names it.
"""

from itertools import pairwise
from math import erf, sqrt
from typing import Any

import numpy as np
import pytest

from conformance.graph.model import Graph, Node
from conformance.judge.port.trained import share
from conformance.kinds import KINDS
from conformance.kinds.experiment import written
from conformance.numbers.causes import Segment, causes, nearness
from conformance.numbers.causes.running import moved
from conformance.numbers.deviation import SlotParity
from conformance.numbers.gradients import Gradients
from conformance.numbers.oracle import Oracle

pytestmark = pytest.mark.bare

RANDOM = np.random.Generator(np.random.Philox(11))
#: The tightest bound that any node has: half of what lies between single and double precision.
BOUND = 2.0**-24 * 2.0**-14.5

X = RANDOM.normal(size=(2, 8, 8, 6))
Y = RANDOM.normal(size=(2, 8, 8, 6))
Z = RANDOM.normal(size=(2, 8, 8, 6))
IMAGE = RANDOM.uniform(-1, 1, size=(1, 9, 9, 3))
VECTOR = RANDOM.normal(size=(3, 48))
NONE = ((0, 0), (0, 0))
ONE = ((1, 1), (1, 1))


def slots(**shapes):
    return {name: RANDOM.uniform(0.5, 1.5, shape) for name, shape in shapes.items()}


def explained(kind, attributes, held, inputs, got, flatten=None, reads_image=False):
    """The causes that are named for a node of a kind with these inputs, for a result."""
    shapes = [x.shape[1:] for x in inputs]
    nodes = [Node("input", {}, (), shapes[0])]
    for shape in shapes if not reads_image else ():
        nodes.append(Node("relu", {}, (0,), flatten or shape))
        if flatten:
            nodes.append(Node("flatten", {}, (len(nodes) - 1,), shape))
    sources = [len(nodes) - 1] if len(inputs) == 1 else list(range(1, 1 + len(inputs)))
    last = Node(kind, attributes, tuple(sources), ())
    last.parameters = {name: () for name in held}
    oracle = Oracle(Graph([*nodes, last], (0,), (len(nodes),)), lambda i, name: held[name], X)
    segment = Segment(oracle, [len(nodes)], dict(zip(sources, inputs, strict=True)))
    want = KINDS[kind].forward(oracle, last, held, *inputs)
    last.shape = want.shape[1:]
    rms = float(np.sqrt(np.mean(want**2))) or 1.0
    return causes(segment, np.asarray(got(want) if callable(got) else got), rms, BOUND)


def around(x, padding, fill=0.0):
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)


def patches(x, kernel, stride):
    """Every window as a list of cells, by loops."""
    height, width = kernel
    rows = range(0, x.shape[1] - height + 1, stride)
    columns = range(0, x.shape[2] - width + 1, stride)
    return np.stack(
        [np.stack([x[:, i : i + height, j : j + width] for j in columns], 1) for i in rows], 1
    )


def conv(x, kernel, bias=0.0, padding=NONE, stride=1):
    """A convolution as a sum over windows."""
    cells = patches(around(x, padding), kernel.shape[:2], stride)
    return np.einsum("brcijk,ijko->brco", cells, kernel) + bias


SQUARE = slots(kernel=(3, 3, 6, 6), bias=(6,)) | {"bias": RANDOM.normal(size=6)}
K, B = SQUARE["kernel"], SQUARE["bias"]
CONV = {"kernel": (3, 3), "stride": (1, 1), "padding": ONE, "dilation": (1, 1), "groups": 1}
HALVING = CONV | {"stride": (2, 2)}
FIRST = slots(kernel=(3, 3, 3, 4), bias=(4,))
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def spread(kernel):
    """A kernel that reaches twice as far, with zeros between."""
    wide = np.zeros((5, 5, *kernel.shape[2:]))
    wide[::2, ::2] = kernel
    return wide


CONVOLUTIONS = {
    "the bias is left out": (CONV, SQUARE, X, lambda want: conv(X, K, 0, ONE)),
    "the bias is added twice": (CONV, SQUARE, X, lambda want: conv(X, K, 2 * B, ONE)),
    "the bias is subtracted": (CONV, SQUARE, X, lambda want: conv(X, K, -B, ONE)),
    "padding is (0, 1, 0, 1), not (1, 1)": (
        HALVING, SQUARE, X, lambda want: conv(X, K, B, ((0, 1), (0, 1)), 2),
    ),
    "padding is (0, 2, 1, 1), not (1, 1)": (
        CONV, SQUARE, X, lambda want: conv(X, K, B, ((0, 2), (1, 1))),
    ),
    "the border is mirrored, not zero": (
        CONV, SQUARE, X,
        lambda want: conv(np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect"), K, B),
    ),
    "the border is repeated, not zero": (
        CONV, SQUARE, X,
        lambda want: conv(np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge"), K, B),
    ),
    "the border is continued from the other side, not zero": (
        CONV, SQUARE, X,
        lambda want: conv(np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), "wrap"), K, B),
    ),
    "rows and columns of the kernel are exchanged": (
        CONV, SQUARE, X, lambda want: conv(X, np.einsum("ijkl->jikl", K), B, ONE),
    ),
    "the kernel is flipped: a true convolution": (
        CONV, SQUARE, X, lambda want: conv(X, np.rot90(K, 2), B, ONE),
    ),
    "the kernel's rows are reversed": (
        CONV, SQUARE, X, lambda want: conv(X, np.flipud(K), B, ONE),
    ),
    "the kernel's columns are reversed": (
        CONV, SQUARE, X, lambda want: conv(X, np.fliplr(K), B, ONE),
    ),
    "its input channels are in reverse order": (
        CONV, SQUARE, X, lambda want: conv(np.flip(X, 3), K, B, ONE),
    ),
    "the halves of its input channels are swapped": (
        CONV, SQUARE, X, lambda want: conv(np.roll(X, 3, axis=3), K, B, ONE),
    ),
    "the kernel's inputs and outputs are exchanged": (
        CONV, SQUARE, X, lambda want: conv(X, np.einsum("ijkl->ijlk", K), B, ONE),
    ),
    "dilation is 2x2": (
        CONV, SQUARE, X, lambda want: conv(X, spread(K), B, ((2, 2), (2, 2))),
    ),
    "what it sums is 1/9 times as large, its bias is not": (
        CONV, SQUARE, X, lambda want: conv(X / 9, K, B, ONE),
    ),
    "what it sums is 1/sqrt(3) times as large, its bias is not": (
        CONV, SQUARE, X, lambda want: conv(X, K / sqrt(3), B, ONE),
    ),
    "each channel has a number of its own added: another bias?": (
        CONV, SQUARE, X, lambda want: conv(X, K, np.arange(6.0), ONE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", CONVOLUTIONS)
def test_convolution(words):
    """A convolution with another window, kernel or border is told from its result."""
    attributes, held, x, got = CONVOLUTIONS[words]
    assert words in explained("conv", attributes, held, [x], got)


PREPARED = {
    "the image's channels are BGR, not RGB": lambda x: np.flip(x, 3),
    "the image is prepared once more, as 2 x + -1": lambda x: 2 * x - 1,
    "the image is prepared once more, as 0.5 x + 0.5": lambda x: x / 2 + 0.5,
    "the image is prepared once more, as 0.00392157 x + 0": lambda x: x / 255,
    "the image is prepared once more, as 1 x + -0.485 -0.456 -0.406": lambda x: x - MEAN,
}


@pytest.mark.parametrize("words", PREPARED)
def test_image(words):
    """An image that was prepared before the first convolution is told from that."""
    got = conv(PREPARED[words](IMAGE), FIRST["kernel"], FIRST["bias"], ONE)
    assert words in explained("conv", CONV, FIRST, [IMAGE], got, reads_image=True)


POOL = {"kernel": (3, 3), "stride": (2, 2), "padding": ONE}
AVERAGE = POOL | {"count_include_pad": False}
COUNTED = POOL | {"count_include_pad": True}


def pooled(combine, kernel=3, padding=ONE, fill=np.nan, stride=2):
    return combine(patches(around(X, padding, fill), (kernel, kernel), stride), axis=(3, 4))


POOLS = {
    "it is the average, not the maximum": ("max_pool", POOL, pooled(np.nanmean)),
    "it is the average and counts padding": ("max_pool", POOL, pooled(np.mean, fill=0)),
    "the padding is zeros, which may be the largest": (
        "max_pool", POOL, pooled(np.max, padding=ONE, fill=0),
    ),
    "padding is (0, 1, 0, 1), not (1, 1)": (
        "max_pool", POOL, pooled(np.nanmax, padding=((0, 1), (0, 1))),
    ),
    "it is the maximum of a 2x2 window, padded (0, 0)": (
        "max_pool", POOL, pooled(np.max, kernel=2, padding=NONE),
    ),
    "it is the average of a 2x2 window, padded (0, 0)": (
        "max_pool", POOL, pooled(np.mean, kernel=2, padding=NONE),
    ),
    "it is left out": ("max_pool", POOL | {"stride": (1, 1)}, X),
    "padding is counted in the average": ("avg_pool", AVERAGE, pooled(np.mean, fill=0)),
    "padding is not counted in the average": ("avg_pool", COUNTED, pooled(np.nanmean)),
    "it is the maximum, not the average": ("avg_pool", AVERAGE, pooled(np.nanmax)),
    "it is the sum, not the mean": ("avg_pool", AVERAGE, pooled(np.nansum)),
}  # fmt: skip


@pytest.mark.parametrize("words", POOLS)
def test_pool(words):
    """A pool of another kind, window or divisor is told from its result."""
    kind, attributes, got = POOLS[words]
    assert words in explained(kind, attributes, {}, [X], got)


GLOBAL = {
    "it is the maximum, not the average": X.max(axis=(1, 2), keepdims=True),
    "it is the sum, not the mean": X.sum(axis=(1, 2), keepdims=True),
    "only 7x7 of the map is averaged": X[:, :7, :7].mean(axis=(1, 2), keepdims=True),
}


@pytest.mark.parametrize("words", GLOBAL)
def test_global_pool(words):
    """A global pool that reduces otherwise, or not everything, is told."""
    assert words in explained("global_avg_pool", {}, {}, [X], GLOBAL[words])


SUBSAMPLE = {"kernel": (2, 2), "stride": (2, 2), "padding": NONE, "divisor": 1}
TRAINED = slots(coefficient=(6,), bias=(6,))
SUMS = patches(X, (2, 2), 2).sum(axis=(3, 4))
SUBSAMPLED = {
    "it is the mean of the window, not the sum": SUMS / 4 * TRAINED["coefficient"]
    + TRAINED["bias"],
    "the coefficient is left out": SUMS + TRAINED["bias"],
    "the bias is left out": SUMS * TRAINED["coefficient"],
    "what it sums is 0.3 times as large, its bias is not": SUMS * 0.3 * TRAINED["coefficient"]
    + TRAINED["bias"],
}


@pytest.mark.parametrize("words", SUBSAMPLED)
def test_subsampling(words):
    """A trained subsampling that averages or forgets a parameter is told."""
    assert words in explained("subsample", SUBSAMPLE, TRAINED, [X], SUBSAMPLED[words])


NORM = slots(gamma=(6,), beta=(6,), mean=(6,), variance=(6,))
G, BETA, M, V = (NORM[name] for name in ("gamma", "beta", "mean", "variance"))
EPSILON = {"epsilon": 1e-5}


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


GROUPED = slots(gamma=(6,), beta=(6,))


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


TAUGHT = EPSILON | {"statistics": "batch"}
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


LRN = {"n": 5, "k": 2.0, "alpha": 1e-1, "beta": 0.75}


def lrn(n=5, k=2.0, alpha=1e-1, beta=0.75, low=None):
    low = n // 2 if low is None else low
    windows = [slice(max(0, c - low), c - low + n) for c in range(6)]
    total = np.stack([(X[..., w] ** 2).sum(axis=-1) for w in windows], axis=-1)
    return X / (k + alpha * total) ** beta


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


DENSE = slots(kernel=(48, 5), bias=(5,)) | {"bias": RANDOM.normal(size=5)}
SIDE = slots(kernel=(48, 48), bias=(48,))
W = DENSE["kernel"]


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


PAD = {"padding": ((0, 1), (0, 1)), "channels": (0, 4), "value": 0.0}
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


ANYTHING = {
    "it is 0.17 times as large": lambda want: 0.17 * want,
    "it is 1/7 times as large": lambda want: want / 7,
    "it is sqrt(2) times as large": lambda want: want * 2**0.5,
    "it is -1/sqrt(3) times as large": lambda want: want * -(3**-0.5),
    "it is -1 times as large": lambda want: -want,
    "0.25 is added to it": lambda want: want + 0.25,
    "it is 2 times as large, and -1 is added": lambda want: 2 * want - 1,
    "it is zero": lambda want: 0 * want,
    "its channels are in reverse order": lambda want: np.flip(want, 3),
    "the halves of its channels are swapped": lambda want: np.roll(want, 3, 3),
    "2 of its channels are in another place, the first 1, where 4 belongs": (
        lambda want: want[..., [0, 4, 2, 3, 1, 5]]
    ),
    "its rows are in reverse order": lambda want: np.flip(want, 1),
    "its columns are in reverse order": lambda want: np.flip(want, 2),
    "rows and columns of its map are exchanged": lambda want: np.swapaxes(want, 1, 2),
    "tanh follows it": lambda want: 1 - 2 / (np.exp(2 * want) + 1),
    "silu (swish) follows it": lambda want: want / (1 + np.exp(-want)),
}


@pytest.mark.parametrize("words", ANYTHING)
def test_what_may_follow_any_node(words):
    """A number, an activation or an order that was put after a node is told."""
    assert words in explained("scale", {"factor": 0.5}, {}, [X], ANYTHING[words])


def test_activation_before():
    """An activation that was put before a node is told from what the node computes."""
    said = explained("conv", CONV, SQUARE, [X], lambda want: conv(X * (X > 0), K, B, ONE))
    assert said == ("relu comes before it",)


EVERY_KIND: list[tuple[str, dict[str, Any], dict[str, Any], list[Any]]] = [
    ("conv", CONV, SQUARE, [X]),
    ("dense", {}, DENSE, [VECTOR]),
    ("max_pool", POOL, {}, [X]),
    ("avg_pool", AVERAGE, {}, [X]),
    ("global_avg_pool", {}, {}, [X]),
    ("subsample", SUBSAMPLE, TRAINED, [X]),
    ("batch_norm", EPSILON, NORM, [X]),
    ("batch_norm", TAUGHT, NORM, [X]),
    ("group_norm", {"groups": 2, "epsilon": 1e-5}, GROUPED, [X]),
    ("lrn", LRN, {}, [X]),
    ("relu", {}, {}, [X]),
    ("tanh", {}, {}, [X]),
    ("sigmoid", {}, {}, [X]),
    ("softmax", {}, {}, [VECTOR]),
    ("add", {}, {}, [X, Y]),
    ("concat", {}, {}, [X, Y, Z]),
    ("scale", {"factor": 0.5}, {}, [X]),
    ("dropout", {"rate": 0.4}, {}, [X]),
    ("flatten", {}, {}, [X]),
    ("upsample", {"factor": (2, 2)}, {}, [X]),
    ("pad", PAD, {}, [X]),
    ("rbf", {}, {"centres": SIDE["kernel"][:5]}, [VECTOR]),
]


def of_kind(case, got):
    kind, attributes, held, inputs = case
    return explained(kind, attributes, held, inputs, got)


@pytest.mark.parametrize("case", EVERY_KIND, ids=lambda case: case[0])
def test_nothing_is_claimed_of_garbage(case):
    """Numbers that come from nowhere have no cause, whatever the kind."""
    assert of_kind(case, lambda want: RANDOM.normal(size=want.shape)) == ()


@pytest.mark.parametrize("case", EVERY_KIND, ids=lambda case: case[0])
def test_nothing_is_claimed_of_a_noise_beside_a_cause(case):
    """A cause has to make all of the error vanish: one number that it leaves is enough."""

    def spoilt(want):
        got = 0.5 * want
        got.reshape(-1)[-1] += 1e-6
        return got

    assert of_kind(case, spoilt) == ()


@pytest.mark.parametrize("case", EVERY_KIND, ids=lambda case: case[0])
def test_right_node_is_not_blamed(case):
    """A right result, to the rounding of double precision, has no cause."""
    assert of_kind(case, lambda want: want * (1 + 2.0**-52)) == ()


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("kind", ["dense", "relu", "softmax", "batch_norm", "add", "concat"])
def test_nothing_is_claimed_of_few_numbers_that_anything_fits(kind, size):
    """A network of one class or two: what solves for a number needs more than it solves for."""
    inputs = [RANDOM.normal(size=(1, size)) for _ in range(2 if kind in ("add", "concat") else 1)]
    held = {}
    if kind == "dense":
        held = slots(kernel=(size, size), bias=(size,))
    if kind == "batch_norm":
        held = slots(gamma=(size,), beta=(size,), mean=(size,), variance=(size,))
    attributes = {"epsilon": 1e-5, "bias": True}
    for _ in range(20):
        garbage = RANDOM.normal(size=(1, sum(x.shape[1] for x in inputs[: 1 + (kind == "concat")])))
        assert explained(kind, attributes, held, inputs, got=garbage) == ()


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nothing_is_claimed_of_what_is_no_number(number):
    assert explained("relu", {}, {}, [X], np.full_like(X, number)) == ()


def test_other_size_has_no_cause():
    assert explained("relu", {}, {}, [X], X[:, 1:]) == ()


def test_hidden_node():
    """A node that the port does not show, on the way to one that it does, is told as well."""
    nodes = [
        Node("input", {}, (), (8, 8, 6)),
        Node("conv", CONV, (0,), (8, 8, 6)),
        Node("lrn", LRN, (1,), (8, 8, 6)),
        Node("relu", {}, (2,), (8, 8, 6)),
    ]
    oracle = Oracle(Graph(nodes, (0,), (3,)), lambda i, name: SQUARE[name], X)
    segment = Segment(oracle, [2, 3], {1: X})
    found = causes(segment, np.maximum(lrn(k=1), 0), 1.0, BOUND)
    assert found == ("k is 1, not 2, in the lrn before it",)
    assert causes(segment, np.maximum(X, 0), 1.0, BOUND) == ("the lrn before it is left out",)


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


def gradient(share, slot="kernel", error=1.0):
    return SlotParity(3, slot, 1.0, error, 1e-10, share, (0.5,))


SHARES = {
    "cut": (gradient(0.0),),
    "counted twice": (gradient(2.0 + 1e-13),),
    "reversed": (gradient(-1.0),),
    "scaled by 0.1": (gradient(0.1, "bias"), gradient(0.1 + 1e-14)),
    "": (gradient(0.1, "bias"), gradient(0.2), gradient(0.1, "image", error=1e-12)),
}


@pytest.mark.parametrize("word", SHARES)
def test_gradient(word):
    """A gradient that is the right one times a number is told, if it is no chance."""
    assert share(Gradients(0, SHARES[word], ())) == word


@pytest.mark.parametrize("value", [0.25, 1 / 3, -(2**0.5), 49.0, 1e-12, 0.0, 1.7159])
def test_numbers_are_written_ever_more_exactly(value):
    """The last way to write a number is the number."""
    ways = [number for _, number in written(value)]
    assert ways[-1] == value
    assert all(abs(b - value) <= abs(a - value) + 1e-3 for a, b in pairwise(ways[-4:]))
