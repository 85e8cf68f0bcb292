"""Inception-v2, after Ioffe and Szegedy, "Batch Normalization", Figure 5.

The figure's columns and its outputs disagree in 4c, 4d and 4e; as the authors' TF-Slim does, the
outputs are kept and the pool projections of 4c and 4d have 96 maps.  The first layer is separable,
with depth multiplier 8.  Everything is padded as in TensorFlow, which "SAME" means in JAX too: one
pixel more below and to the right where an even input is halved.  Batch norm's epsilon and momentum
are not printed; they are TF-Slim's.
"""

from functools import partial

import jax
from flax import nnx

from .layers import (
    Branches, Rows, Step, average_pool, conv_bn_relu, global_average, norm_relu, path,
)


def separable(inputs: int, multiplier: int, maps: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    conv = partial(nnx.Conv, use_bias=False, rngs=rngs)
    between = inputs * multiplier
    return nnx.Sequential(
        conv(inputs, between, (7, 7), 2, feature_group_count=inputs),
        conv(between, maps, (1, 1)),
        *norm_relu(maps, rngs=rngs),
    )


def down(inputs: int, maps: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    conv = nnx.Conv(inputs, maps, (3, 3), 2, use_bias=False, rngs=rngs)
    return nnx.Sequential(conv, *norm_relu(maps, rngs=rngs))


def pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")


def same_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), padding="SAME")


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int,
    pooled: Step, pool_proj: int, *, rngs: nnx.Rngs,
) -> Branches:
    p = partial(path, inputs, rngs=rngs)
    return Branches(
        p((n1x1, 1)),
        p((n3x3_reduce, 1), (n3x3, 3)),
        p((double_reduce, 1), (double, 3), (double, 3)),
        nnx.Sequential(pooled, conv_bn_relu(inputs, pool_proj, 1, rngs=rngs)),
    )


def reduction(
    inputs: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int, *, rngs: nnx.Rngs
) -> Branches:
    p, d = partial(path, inputs, rngs=rngs), partial(down, rngs=rngs)
    return Branches(
        nnx.Sequential(p((n3x3_reduce, 1)), d(n3x3_reduce, n3x3)),
        nnx.Sequential(p((double_reduce, 1), (double, 3)), d(double, double)),
        pool,
    )


def inception_v2(*, rngs: nnx.Rngs) -> Rows:
    module, less = partial(inception, rngs=rngs), partial(reduction, rngs=rngs)
    return Rows(
        conv1=separable(3, 8, 64, rngs=rngs),
        pool1=pool,
        conv2=path(64, (64, 1), (192, 3), rngs=rngs),
        pool2=pool,
        inception_3a=module(192, 64, 64, 64, 64, 96, average_pool, 32),
        inception_3b=module(256, 64, 64, 96, 64, 96, average_pool, 64),
        inception_3c=less(320, 128, 160, 64, 96),
        inception_4a=module(576, 224, 64, 96, 96, 128, average_pool, 128),
        inception_4b=module(576, 192, 96, 128, 96, 128, average_pool, 128),
        inception_4c=module(576, 160, 128, 160, 128, 160, average_pool, 96),
        inception_4d=module(576, 96, 128, 192, 160, 192, average_pool, 96),
        inception_4e=less(576, 128, 192, 192, 256),
        inception_5a=module(1024, 352, 192, 320, 160, 224, average_pool, 128),
        inception_5b=module(1024, 352, 192, 320, 192, 224, same_pool, 128),
        avgpool=global_average,
        linear=nnx.Linear(1024, 1000, rngs=rngs),
    )


MODELS = {"Inception-v2": inception_v2}
