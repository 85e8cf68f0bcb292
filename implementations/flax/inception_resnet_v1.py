"""Inception-ResNet-v1, after Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning", Figure 15.

The paper leaves open the scale of a residual (0.1 to 0.3) and whether its last convolution has
batch norm: as in the authors' code, 0.17, 0.10 and 0.20, and a bias instead.  The ReLU at a
block's entrance finds nothing negative and is left out.  The second network is facenet's: a sixth
C block, neither scaled nor rectified, an embedding, here before its L2 normalisation, and 0.995 as
the momentum of every batch norm.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from .googlenet import Concat
from .inception_v2 import path
from .inception_v3 import V, global_average, max_pool
from .inception_v4 import reduction_a, repeat


class Residual(nnx.Module):
    def __init__(self, *residual: Callable[..., jax.Array]) -> None:
        self.residual = nnx.Sequential(*residual)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.residual(x)


def scaled(
    branches: Callable[..., nnx.Sequential], inputs: int, scale: float, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    residual = branches(inputs, rngs=rngs)
    return nnx.Sequential(Residual(residual, lambda x: scale * x), nnx.relu)


def stem(*, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 14
    return path(
        3, (32, 3, 2, V), (32, 3, 1, V), (64, 3), max_pool, (80, 1), (192, 3, 1, V),
        (256, 3, 2, V), rngs=rngs,
    )


def expanded(inputs: int, width: int, *paths: nnx.Sequential, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(Concat(*paths), nnx.Conv(width, inputs, (1, 1), rngs=rngs))


def inception_a(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 10
    p = partial(path, inputs, rngs=rngs)
    paths = p((32, 1)), p((32, 1), (32, 3)), p((32, 1), (32, 3), (32, 3))
    return expanded(inputs, 32 + 32 + 32, *paths, rngs=rngs)


def inception_b(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 11
    p = partial(path, inputs, rngs=rngs)
    paths = p((128, 1)), p((128, 1), (128, (1, 7)), (128, (7, 1)))
    return expanded(inputs, 128 + 128, *paths, rngs=rngs)


def reduction_b(inputs: int, *, rngs: nnx.Rngs) -> Concat:  # Figure 12
    p = partial(path, inputs, rngs=rngs)
    return Concat(
        p((256, 1), (384, 3, 2, V)),
        p((256, 1), (256, 3, 2, V)),
        p((256, 1), (256, 3), (256, 3, 2, V)),
        p(max_pool),
    )


def inception_c(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 13
    p = partial(path, inputs, rngs=rngs)
    paths = p((192, 1)), p((192, 1), (192, (1, 3)), (192, (3, 1)))
    return expanded(inputs, 192 + 192, *paths, rngs=rngs)


class InceptionResNetV1(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.stem = stem(rngs=rngs)
        self.inception_resnet_a = repeat(5, partial(scaled, inception_a, 256, 0.17), rngs=rngs)
        self.reduction_a = reduction_a(256, 192, 192, 256, 384, rngs=rngs)
        self.inception_resnet_b = repeat(10, partial(scaled, inception_b, 896, 0.10), rngs=rngs)
        self.reduction_b = reduction_b(896, rngs=rngs)
        self.inception_resnet_c = repeat(5, partial(scaled, inception_c, 1792, 0.20), rngs=rngs)
        self.avgpool = nnx.Sequential(global_average)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.fc = nnx.Linear(1792, 1000, rngs=rngs)

    def features(self, x: jax.Array) -> jax.Array:
        x = self.reduction_a(self.inception_resnet_a(self.stem(x)))
        x = self.reduction_b(self.inception_resnet_b(x))
        return self.dropout(self.avgpool(self.inception_resnet_c(x)))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.fc(self.features(x))


class Facenet(InceptionResNetV1):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        super().__init__(rngs=rngs)
        last = Residual(inception_c(1792, rngs=rngs))
        self.inception_resnet_c = nnx.Sequential(self.inception_resnet_c, last)
        self.dropout = nnx.Dropout(0.6, rngs=rngs)
        del self.fc
        self.bottleneck = nnx.Sequential(
            nnx.Linear(1792, 512, use_bias=False, rngs=rngs),
            nnx.BatchNorm(512, epsilon=1e-3, rngs=rngs),
        )
        for _, module in nnx.iter_modules(self):
            if isinstance(module, nnx.BatchNorm):
                module.momentum = 0.995

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.bottleneck(self.features(x))


MODELS = {"Inception-ResNet-v1": InceptionResNetV1, "Inception-ResNet-v1-facenet": Facenet}
