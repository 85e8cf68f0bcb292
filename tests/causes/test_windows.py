"""A convolution or a pool that was computed otherwise is told from its numbers alone."""

from math import sqrt

import numpy as np
import pytest

from tests.causes import (
    AVERAGE,
    CONV,
    NONE,
    ONE,
    POOL,
    RANDOM,
    SQUARE,
    SUBSAMPLE,
    TRAINED,
    B,
    K,
    X,
    around,
    conv,
    explained,
    patches,
    slots,
)

pytestmark = pytest.mark.bare

IMAGE = RANDOM.uniform(-1, 1, size=(1, 9, 9, 3))
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
