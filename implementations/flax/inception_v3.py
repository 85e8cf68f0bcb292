"""Inception-v3, after Szegedy et al., "Rethinking the Inception Architecture for Computer Vision".

Table 1 and its figures cannot be built as printed; this is the network that the authors released,
in the names of their TF-Slim.  A module is a list of paths, each in the order of its layers.  The
auxiliary head is an output in training only.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

V = "VALID"  # as the papers mark it; all else is SAME

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


class Concat(nnx.Module):
    def __init__(self, *paths: nnx.Module) -> None:
        self.paths = nnx.List(paths)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([path(x) for path in self.paths], axis=-1)


def max_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def avg_pool(x: jax.Array) -> jax.Array:
    # What is padded is no pixel: TF-Slim leaves it out of the divisor, Flax would count it.
    return nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


class MaxPool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return max_pool(x)


class GlobalAveragePool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
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
        self.MaxPool_3a = MaxPool()
        self.Conv2d_3b_1x1 = conv(64, 80, 1, rngs=rngs)
        self.Conv2d_4a_3x3 = conv(80, 192, 3, 1, V, rngs=rngs)
        self.MaxPool_5a = MaxPool()
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
        self.avgpool = GlobalAveragePool()
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
