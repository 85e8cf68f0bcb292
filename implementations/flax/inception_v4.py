"""Inception-v4, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", Figure 9.

Where figures and released code differ, in the order of some 1x7 and 7x1 and in missing strides,
the code (TF-Slim) is followed.  The paper's keep probability of 0.8 is a dropout rate of 0.2.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from .googlenet import Concat
from .inception_v2 import avg_pool, path
from .inception_v3 import V, global_average, max_pool, spread


def stem(
    first: tuple[int, int] = (1, 7), second: tuple[int, int] = (7, 1), *, rngs: nnx.Rngs
) -> nnx.Sequential:  # Figure 3
    p = partial(path, rngs=rngs)
    return nnx.Sequential(
        p(3, (32, 3, 2, V), (32, 3, 1, V), (64, 3)),
        Concat(p(64, max_pool), p(64, (96, 3, 2, V))),
        Concat(
            p(160, (64, 1), (96, 3, 1, V)),
            p(160, (64, 1), (64, first), (64, second), (96, 3, 1, V)),
        ),
        Concat(p(192, (192, 3, 2, V)), p(192, max_pool)),
    )


def inception_a(*, rngs: nnx.Rngs) -> Concat:  # Figure 4
    p = partial(path, 384, rngs=rngs)
    return Concat(
        p((96, 1)),
        p((64, 1), (96, 3)),
        p((64, 1), (96, 3), (96, 3)),
        p(avg_pool, (96, 1)),
    )


def reduction_a(
    inputs: int, k: int, l: int, m: int, n: int, *, rngs: nnx.Rngs  # noqa: E741 - Table 1's names
) -> Concat:  # Figure 7
    p = partial(path, inputs, rngs=rngs)
    return Concat(p((n, 3, 2, V)), p((k, 1), (l, 3), (m, 3, 2, V)), p(max_pool))


def inception_b(*, rngs: nnx.Rngs) -> Concat:  # Figure 5
    p = partial(path, 1024, rngs=rngs)
    return Concat(
        p((384, 1)),
        p((192, 1), (224, (1, 7)), (256, (7, 1))),
        p((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        p(avg_pool, (128, 1)),
    )


def reduction_b(*, rngs: nnx.Rngs) -> Concat:  # Figure 8
    p = partial(path, 1024, rngs=rngs)
    return Concat(
        p((192, 1), (192, 3, 2, V)),
        p((256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, V)),
        p(max_pool),
    )


def inception_c(*, rngs: nnx.Rngs) -> Concat:  # Figure 6
    p = partial(path, 1536, rngs=rngs)
    return Concat(
        p((256, 1)),
        p((384, 1), spread(384, 256, rngs=rngs)),
        p((384, 1), (448, (3, 1)), (512, (1, 3)), spread(512, 256, rngs=rngs)),
        p(avg_pool, (256, 1)),
    )


def repeat(n: int, module: Callable[..., nnx.Module], *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(*(module(rngs=rngs) for _ in range(n)))


class InceptionV4(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.stem = stem(rngs=rngs)
        self.inception_a = repeat(4, inception_a, rngs=rngs)
        self.reduction_a = reduction_a(384, 192, 224, 256, 384, rngs=rngs)
        self.inception_b = repeat(7, inception_b, rngs=rngs)
        self.reduction_b = reduction_b(rngs=rngs)
        self.inception_c = repeat(3, inception_c, rngs=rngs)
        self.avgpool = nnx.Sequential(global_average)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.fc = nnx.Linear(1536, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.reduction_a(self.inception_a(self.stem(x)))
        x = self.inception_c(self.reduction_b(self.inception_b(x)))
        return self.fc(self.dropout(self.avgpool(x)))


MODELS = {"Inception-v4": InceptionV4}
