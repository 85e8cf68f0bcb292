"""Inception-v4, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", Figure 9.

Where figures and released code differ, in the order of some 1x7 and 7x1 and in missing strides,
the code (TF-Slim) is followed.  The paper's keep probability of 0.8 is a dropout rate of 0.2.
"""

from collections.abc import Callable
from functools import partial

from flax import nnx

from .layers import (
    Branches, Rows, conv_bn_relu, down, global_average, max_pool, path, pool_proj, reduction_a,
    split, valid,
)


def stem(*, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 3
    p, d, v = partial(path, 160, rngs=rngs), partial(down, rngs=rngs), partial(valid, rngs=rngs)
    tall = p((64, 1), (64, (1, 7)), (64, (7, 1)))
    return nnx.Sequential(
        d(3, 32), v(32, 32, 3), conv_bn_relu(32, 64, 3, rngs=rngs),
        Branches(max_pool, d(64, 96)),
        Branches(nnx.Sequential(p((64, 1)), v(64, 96, 3)), nnx.Sequential(tall, v(64, 96, 3))),
        Branches(d(192, 192), max_pool),
    )


def inception_a(*, rngs: nnx.Rngs) -> Branches:  # Figure 4
    p = partial(path, 384, rngs=rngs)
    return Branches(
        p((96, 1)),
        p((64, 1), (96, 3)),
        p((64, 1), (96, 3), (96, 3)),
        pool_proj(384, 96, rngs=rngs),
    )


def inception_b(*, rngs: nnx.Rngs) -> Branches:  # Figure 5
    p = partial(path, 1024, rngs=rngs)
    return Branches(
        p((384, 1)),
        p((192, 1), (224, (1, 7)), (256, (7, 1))),
        p((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        pool_proj(1024, 128, rngs=rngs),
    )


def reduction_b(*, rngs: nnx.Rngs) -> Branches:  # Figure 8
    p, d = partial(path, 1024, rngs=rngs), partial(down, rngs=rngs)
    return Branches(
        nnx.Sequential(p((192, 1)), d(192, 192)),
        nnx.Sequential(p((256, 1), (256, (1, 7)), (320, (7, 1))), d(320, 320)),
        max_pool,
    )


def inception_c(*, rngs: nnx.Rngs) -> Branches:  # Figure 6
    p, s = partial(path, 1536, rngs=rngs), partial(split, rngs=rngs)
    return Branches(
        p((256, 1)),
        nnx.Sequential(p((384, 1)), s(384, 256)),
        nnx.Sequential(p((384, 1), (448, (3, 1)), (512, (1, 3))), s(512, 256)),
        pool_proj(1536, 256, rngs=rngs),
    )


def repeat(module: Callable[..., Branches], modules: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(*(module(rngs=rngs) for _ in range(modules)))


def inception_v4(*, rngs: nnx.Rngs) -> Rows:
    return Rows(
        stem=stem(rngs=rngs),
        inception_a=repeat(inception_a, 4, rngs=rngs),
        reduction_a=reduction_a(384, k=192, l=224, m=256, n=384, rngs=rngs),
        inception_b=repeat(inception_b, 7, rngs=rngs),
        reduction_b=reduction_b(rngs=rngs),
        inception_c=repeat(inception_c, 3, rngs=rngs),
        avgpool=global_average,
        dropout=nnx.Dropout(0.2, rngs=rngs),
        fc=nnx.Linear(1536, 1000, rngs=rngs),
    )


MODELS = {"Inception-v4": inception_v4}
