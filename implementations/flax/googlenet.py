"""GoogLeNet, after Szegedy et al., "Going Deeper with Convolutions", Table 1 and Figures 2 and 3.

Where the paper is silent, BVLC's Caffe model is followed, which its first author helped to
replicate: constants of the normalisation, symmetric padding of conv1, pools that round up.  The
two auxiliary heads are outputs in training only.  Figure 2's modules are networks on their own
with the widths of inception_3a.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    # "SAME" would pad conv1 with 2 and 3 pixels.
    size, padding = (kernel, kernel), kernel // 2
    return nnx.Sequential(
        nnx.Conv(inputs, outputs, size, stride, padding=padding, rngs=rngs), nnx.relu
    )


def lrn(x: jax.Array) -> jax.Array:
    window = (1, 1, 1, 5)
    total = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1, 1, 1, 1), "SAME")
    return x / (1 + 1e-4 / 5 * total) ** 0.75  # Caffe's alpha is of the mean


def max_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), padding="SAME")


def halve(x: jax.Array) -> jax.Array:  # "SAME" rounds up too
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")


def average(x: jax.Array) -> jax.Array:
    return nnx.avg_pool(x, (7, 7)).reshape(x.shape[0], -1)


class Concat(nnx.Module):
    def __init__(self, *paths: nnx.Module) -> None:
        self.paths = nnx.List(paths)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([path(x) for path in self.paths], axis=-1)


def naive(inputs: int, n1x1: int, n3x3: int, n5x5: int, *, rngs: nnx.Rngs) -> Concat:
    c = partial(conv, rngs=rngs)
    return Concat(  # Figure 2(a)
        c(inputs, n1x1, 1), c(inputs, n3x3, 3), c(inputs, n5x5, 5), nnx.Sequential(max_pool)
    )


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, n5x5_reduce: int, n5x5: int,
    pool_proj: int, *, rngs: nnx.Rngs,
) -> Concat:
    c = partial(conv, rngs=rngs)
    return Concat(  # Figure 2(b)
        c(inputs, n1x1, 1),
        nnx.Sequential(c(inputs, n3x3_reduce, 1), c(n3x3_reduce, n3x3, 3)),
        nnx.Sequential(c(inputs, n5x5_reduce, 1), c(n5x5_reduce, n5x5, 5)),
        nnx.Sequential(max_pool, c(inputs, pool_proj, 1)),
    )


class Alone(nnx.Module):
    def __init__(self, figure: Callable[..., Concat], *widths: int, rngs: nnx.Rngs) -> None:
        self.inception = figure(*widths, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.inception(x)


class Auxiliary(nnx.Module):  # section 5
    def __init__(self, inputs: int, *, rngs: nnx.Rngs) -> None:
        self.conv = conv(inputs, 128, 1, rngs=rngs)
        self.fc1 = nnx.Sequential(nnx.Linear(4 * 4 * 128, 1024, rngs=rngs), nnx.relu)
        self.drop = nnx.Dropout(0.7, rngs=rngs)
        self.fc2 = nnx.Linear(1024, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.conv(nnx.avg_pool(x, (5, 5), strides=(3, 3)))
        return self.fc2(self.drop(self.fc1(x.reshape(x.shape[0], -1))))


class GoogLeNet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        module = partial(inception, rngs=rngs)
        self.conv1 = conv(3, 64, 7, 2, rngs=rngs)
        self.pool1 = nnx.Sequential(halve, lrn)
        self.conv2 = nnx.Sequential(conv(64, 64, 1, rngs=rngs), conv(64, 192, 3, rngs=rngs), lrn)
        self.pool2 = nnx.Sequential(halve)
        self.inception_3a = module(192, 64, 96, 128, 16, 32, 32)
        self.inception_3b = module(256, 128, 128, 192, 32, 96, 64)
        self.pool3 = nnx.Sequential(halve)
        self.inception_4a = module(480, 192, 96, 208, 16, 48, 64)
        self.inception_4b = module(512, 160, 112, 224, 24, 64, 64)
        self.inception_4c = module(512, 128, 128, 256, 24, 64, 64)
        self.inception_4d = module(512, 112, 144, 288, 32, 64, 64)
        self.inception_4e = module(528, 256, 160, 320, 32, 128, 128)
        self.pool4 = nnx.Sequential(halve)
        self.inception_5a = module(832, 256, 160, 320, 32, 128, 128)
        self.inception_5b = module(832, 384, 192, 384, 48, 128, 128)
        self.avgpool = nnx.Sequential(average)
        self.dropout = nnx.Dropout(0.4, rngs=rngs)
        self.linear = nnx.Linear(1024, 1000, rngs=rngs)
        self.aux_4a = Auxiliary(512, rngs=rngs)
        self.aux_4d = Auxiliary(528, rngs=rngs)
        self.deterministic = False  # as in Dropout: set by eval() and train()

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, ...]:
        x = self.pool2(self.conv2(self.pool1(self.conv1(x))))
        x = self.pool3(self.inception_3b(self.inception_3a(x)))
        side_4a = x = self.inception_4a(x)
        side_4d = x = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        x = self.pool4(self.inception_4e(x))
        x = self.avgpool(self.inception_5b(self.inception_5a(x)))
        x = self.linear(self.dropout(x))
        return x if self.deterministic else (x, self.aux_4a(side_4a), self.aux_4d(side_4d))


MODELS = {
    "GoogLeNet": GoogLeNet,
    "Inception-naive": partial(Alone, naive, 192, 64, 128, 32),
    "Inception-module": partial(Alone, inception, 192, 64, 96, 128, 16, 32, 32),
}
