"""Inception-v3, after Szegedy et al., "Rethinking the Inception Architecture for Computer Vision".

Table 1 and its figures cannot be built as printed; this is the network that the authors released,
in the names of their TF-Slim.  A module is a list of paths, each in the order of its layers.  The
auxiliary head is an output in training only.
"""

from functools import partial

import jax
from flax import nnx

from .googlenet import Concat
from .inception_v2 import avg_pool, conv, path

V = "VALID"  # as the papers mark it; all else is SAME


def max_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def global_average(x: jax.Array) -> jax.Array:
    return x.mean(axis=(1, 2))


def mixed_35(inputs: int, pool: int, *, rngs: nnx.Rngs) -> Concat:  # Figure 5, with a 5x5
    p = partial(path, inputs, rngs=rngs)
    return Concat(
        p((64, 1)),
        p((48, 1), (64, 5)),
        p((64, 1), (96, 3), (96, 3)),
        p(avg_pool, (pool, 1)),
    )


def reduction_35(inputs: int, *, rngs: nnx.Rngs) -> Concat:
    p = partial(path, inputs, rngs=rngs)
    return Concat(p((384, 3, 2, V)), p((64, 1), (96, 3), (96, 3, 2, V)), p(max_pool))


def mixed_17(n: int, *, rngs: nnx.Rngs) -> Concat:  # Figure 6
    p = partial(path, 768, rngs=rngs)
    return Concat(
        p((192, 1)),
        p((n, 1), (n, (1, 7)), (192, (7, 1))),
        p((n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
        p(avg_pool, (192, 1)),
    )


def reduction_17(*, rngs: nnx.Rngs) -> Concat:
    p = partial(path, 768, rngs=rngs)
    return Concat(
        p((192, 1), (320, 3, 2, V)),
        p((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, V)),
        p(max_pool),
    )


def mixed_8(inputs: int, *, rngs: nnx.Rngs) -> Concat:  # Figure 7
    p = partial(path, inputs, rngs=rngs)
    fork = partial(spread, 384, 384, rngs=rngs)
    return Concat(
        p((320, 1)),
        p((384, 1), fork()),
        p((448, 1), (384, 3), fork()),
        p(avg_pool, (192, 1)),
    )


def spread(inputs: int, outputs: int, *, rngs: nnx.Rngs) -> Concat:
    p = partial(path, inputs, rngs=rngs)
    return Concat(p((outputs, (1, 3))), p((outputs, (3, 1))))


class Auxiliary(nnx.Module):  # Figure 8
    def __init__(self, inputs: int, *, rngs: nnx.Rngs) -> None:
        self.convolutions = path(inputs, (128, 1), (768, 5, 1, V), rngs=rngs)
        self.logits = nnx.Linear(768, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.convolutions(nnx.avg_pool(x, (5, 5), strides=(3, 3)))
        return self.logits(x.reshape(x.shape[0], -1))


class InceptionV3(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.Conv2d_1a_3x3 = conv(3, 32, 3, 2, V, rngs=rngs)
        self.Conv2d_2a_3x3 = conv(32, 32, 3, 1, V, rngs=rngs)
        self.Conv2d_2b_3x3 = conv(32, 64, 3, rngs=rngs)
        self.MaxPool_3a = nnx.Sequential(max_pool)
        self.Conv2d_3b_1x1 = conv(64, 80, 1, rngs=rngs)
        self.Conv2d_4a_3x3 = conv(80, 192, 3, 1, V, rngs=rngs)
        self.MaxPool_5a = nnx.Sequential(max_pool)
        self.Mixed_5b = mixed_35(192, 32, rngs=rngs)
        self.Mixed_5c = mixed_35(256, 64, rngs=rngs)
        self.Mixed_5d = mixed_35(288, 64, rngs=rngs)
        self.Mixed_6a = reduction_35(288, rngs=rngs)
        self.Mixed_6b = mixed_17(128, rngs=rngs)
        self.Mixed_6c = mixed_17(160, rngs=rngs)
        self.Mixed_6d = mixed_17(160, rngs=rngs)
        self.Mixed_6e = mixed_17(192, rngs=rngs)
        self.aux = Auxiliary(768, rngs=rngs)
        self.Mixed_7a = reduction_17(rngs=rngs)
        self.Mixed_7b = mixed_8(1280, rngs=rngs)
        self.Mixed_7c = mixed_8(2048, rngs=rngs)
        self.avgpool = nnx.Sequential(global_average)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.fc = nnx.Linear(2048, 1000, rngs=rngs)
        self.deterministic = False  # as in Dropout: set by eval() and train()

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array]:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.MaxPool_3a(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.MaxPool_5a(x))))
        side = x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = self.fc(self.dropout(self.avgpool(x)))
        return x if self.deterministic else (x, self.aux(side))


MODELS = {"Inception-v3": InceptionV3}
