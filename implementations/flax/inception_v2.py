"""Inception-v2, after Ioffe and Szegedy, "Batch Normalization", Figure 5.

The figure's columns and its outputs disagree in 4c, 4d and 4e; as the authors' TF-Slim does, the
outputs are kept and the pool projections of 4c and 4d have 96 maps.  The first layer is separable,
with depth multiplier 8.  Everything is padded as in TensorFlow, which "SAME" means in JAX too: one
pixel more below and to the right where an even input is halved.  Batch norm's epsilon and momentum
are not printed; they are TF-Slim's.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import nnx

from .googlenet import Concat, average, halve, max_pool

Layer = tuple[Any, ...] | Callable[[jax.Array], jax.Array]  # conv's arguments, or a pool


def conv(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1,
    padding: str = "SAME", *, rngs: nnx.Rngs,
) -> nnx.Sequential:
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    return nnx.Sequential(
        nnx.Conv(inputs, outputs, kernel, stride, padding=padding, use_bias=False, rngs=rngs),
        nnx.BatchNorm(outputs, momentum=0.9997, epsilon=1e-3, rngs=rngs), nnx.relu,
    )


def path(inputs: int, *layers: Layer, rngs: nnx.Rngs) -> nnx.Sequential:
    stack: list[Callable[..., jax.Array]] = []
    for layer in layers:
        if callable(layer):
            stack.append(layer)
        else:
            stack.append(conv(inputs, *layer, rngs=rngs))
            inputs = layer[0]
    return nnx.Sequential(*stack)


def avg_pool(x: jax.Array) -> jax.Array:
    # What is padded is no pixel: TF-Slim leaves it out of the divisor, Flax would count it.
    return nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def separable(inputs: int, multiplier: int, outputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    conv = partial(nnx.Conv, use_bias=False, rngs=rngs)
    between = inputs * multiplier
    return nnx.Sequential(
        conv(inputs, between, (7, 7), 2, feature_group_count=inputs),
        conv(between, outputs, (1, 1)),
        nnx.BatchNorm(outputs, momentum=0.9997, epsilon=1e-3, rngs=rngs), nnx.relu,
    )


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int,
    pool: Layer, pool_proj: int, *, rngs: nnx.Rngs,
) -> Concat:
    p = partial(path, inputs, rngs=rngs)
    return Concat(
        p((n1x1, 1)),
        p((n3x3_reduce, 1), (n3x3, 3)),
        p((double_reduce, 1), (double, 3), (double, 3)),
        p(pool, (pool_proj, 1)),
    )


def reduction(
    inputs: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int, *, rngs: nnx.Rngs
) -> Concat:
    p = partial(path, inputs, rngs=rngs)
    return Concat(
        p((n3x3_reduce, 1), (n3x3, 3, 2)),
        p((double_reduce, 1), (double, 3), (double, 3, 2)),
        p(halve),
    )


class InceptionV2(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        module, down = partial(inception, rngs=rngs), partial(reduction, rngs=rngs)
        self.conv1 = separable(3, 8, 64, rngs=rngs)
        self.pool1 = nnx.Sequential(halve)
        self.conv2 = path(64, (64, 1), (192, 3), rngs=rngs)
        self.pool2 = nnx.Sequential(halve)
        self.inception_3a = module(192, 64, 64, 64, 64, 96, avg_pool, 32)
        self.inception_3b = module(256, 64, 64, 96, 64, 96, avg_pool, 64)
        self.inception_3c = down(320, 128, 160, 64, 96)
        self.inception_4a = module(576, 224, 64, 96, 96, 128, avg_pool, 128)
        self.inception_4b = module(576, 192, 96, 128, 96, 128, avg_pool, 128)
        self.inception_4c = module(576, 160, 128, 160, 128, 160, avg_pool, 96)
        self.inception_4d = module(576, 96, 128, 192, 160, 192, avg_pool, 96)
        self.inception_4e = down(576, 128, 192, 192, 256)
        self.inception_5a = module(1024, 352, 192, 320, 160, 224, avg_pool, 128)
        self.inception_5b = module(1024, 352, 192, 320, 192, 224, max_pool, 128)
        self.avgpool = nnx.Sequential(average)
        self.linear = nnx.Linear(1024, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.conv2(self.pool1(self.conv1(x)))
        x = self.inception_3c(self.inception_3b(self.inception_3a(self.pool2(x))))
        x = self.inception_4c(self.inception_4b(self.inception_4a(x)))
        x = self.inception_4e(self.inception_4d(x))
        return self.linear(self.avgpool(self.inception_5b(self.inception_5a(x))))


MODELS = {"Inception-v2": InceptionV2}
