"""Inception-ResNet-v2, after Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning".

The plain name is the network of the authors' released code (TF-Slim), another one than that of
the paper's figures: stem of Inception-v3, twice the blocks, the last one neither scaled nor
rectified, and a convolution after it.  The figures' network is built with the widths that its sums
need, 1152 for the printed 1154 and 2144 for 2048.
"""

from functools import partial

import jax
from flax import nnx

from .googlenet import Concat
from .inception_resnet_v1 import Residual, expanded, scaled
from .inception_v2 import avg_pool, conv, path
from .inception_v3 import V, global_average, max_pool
from .inception_v4 import reduction_a, repeat
from .inception_v4 import stem as stem_v4


def stem(*, rngs: nnx.Rngs) -> nnx.Sequential:
    return path(
        3, (32, 3, 2, V), (32, 3, 1, V), (64, 3), max_pool, (80, 1), (192, 3, 1, V), max_pool,
        rngs=rngs,
    )


def mixed_5b(*, rngs: nnx.Rngs) -> Concat:
    p = partial(path, 192, rngs=rngs)
    return Concat(
        p((96, 1)),
        p((48, 1), (64, 5)),
        p((64, 1), (96, 3), (96, 3)),
        p(avg_pool, (64, 1)),
    )


def inception_a(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 16
    p = partial(path, inputs, rngs=rngs)
    paths = p((32, 1)), p((32, 1), (32, 3)), p((32, 1), (48, 3), (64, 3))
    return expanded(inputs, 32 + 32 + 64, *paths, rngs=rngs)


def inception_b(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 17
    p = partial(path, inputs, rngs=rngs)
    paths = p((192, 1)), p((128, 1), (160, (1, 7)), (192, (7, 1)))
    return expanded(inputs, 192 + 192, *paths, rngs=rngs)


def reduction_b(inputs: int, *, rngs: nnx.Rngs) -> Concat:  # Figure 18
    p = partial(path, inputs, rngs=rngs)
    return Concat(
        p((256, 1), (384, 3, 2, V)),
        p((256, 1), (288, 3, 2, V)),
        p((256, 1), (288, 3), (320, 3, 2, V)),
        p(max_pool),
    )


def inception_c(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 19
    p = partial(path, inputs, rngs=rngs)
    paths = p((192, 1)), p((192, 1), (224, (1, 3)), (256, (3, 1)))
    return expanded(inputs, 192 + 256, *paths, rngs=rngs)


class Released(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.stem = stem(rngs=rngs)
        self.mixed_5b = mixed_5b(rngs=rngs)
        self.inception_resnet_a = repeat(10, partial(scaled, inception_a, 320, 0.17), rngs=rngs)
        self.reduction_a = reduction_a(320, 256, 256, 384, 384, rngs=rngs)
        self.inception_resnet_b = repeat(20, partial(scaled, inception_b, 1088, 0.10), rngs=rngs)
        self.reduction_b = reduction_b(1088, rngs=rngs)
        self.inception_resnet_c = nnx.Sequential(
            repeat(9, partial(scaled, inception_c, 2080, 0.20), rngs=rngs),
            Residual(inception_c(2080, rngs=rngs)),
        )
        self.conv_7b = conv(2080, 1536, 1, rngs=rngs)
        self.avgpool = nnx.Sequential(global_average)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.fc = nnx.Linear(1536, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.reduction_a(self.inception_resnet_a(self.mixed_5b(self.stem(x))))
        x = self.reduction_b(self.inception_resnet_b(x))
        x = self.conv_7b(self.inception_resnet_c(x))
        return self.fc(self.dropout(self.avgpool(x)))


class Printed(nnx.Module):  # Figure 15
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        # In the order that Figure 3 draws, not Inception-v4's released one.
        self.stem = stem_v4((7, 1), (1, 7), rngs=rngs)
        self.inception_resnet_a = repeat(5, partial(scaled, inception_a, 384, 0.17), rngs=rngs)
        self.reduction_a = reduction_a(384, 256, 256, 384, 384, rngs=rngs)
        self.inception_resnet_b = repeat(10, partial(scaled, inception_b, 1152, 0.10), rngs=rngs)
        self.reduction_b = reduction_b(1152, rngs=rngs)
        self.inception_resnet_c = repeat(5, partial(scaled, inception_c, 2144, 0.20), rngs=rngs)
        self.avgpool = nnx.Sequential(global_average)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.fc = nnx.Linear(2144, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.reduction_a(self.inception_resnet_a(self.stem(x)))
        x = self.inception_resnet_c(self.reduction_b(self.inception_resnet_b(x)))
        return self.fc(self.dropout(self.avgpool(x)))


MODELS = {"Inception-ResNet-v2": Released, "Inception-ResNet-v2-paper": Printed}
