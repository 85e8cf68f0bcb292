"""Networks in Haiku and Equinox, given as pairs, and in Linen."""

from functools import partial
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from tests.selftest.rows import Stranger

VGG_A = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)


class LinenVGG(linen.Module):
    """VGG-A as a Linen module that is told by an argument whether it trains."""

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        for width in VGG_A:
            if width:
                x = linen.relu(linen.Conv(width, (3, 3))(x))
            else:
                x = linen.max_pool(x, (2, 2), (2, 2))
        x = x.reshape(len(x), -1)
        for _ in range(2):
            x = linen.relu(linen.Dense(4096)(x))
            x = linen.Dropout(0.5, deterministic=not train)(x)
        return linen.Dense(1000)(x)


class LinenResNet(linen.Module):
    """ResNet-50 as Flax's example of ImageNet has it: the last gamma of a block starts at 0."""

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        def conv(x: jax.Array, maps: int, side: int, stride: int = 1, **options: Any) -> jax.Array:
            sides, strides = (side, side), (stride, stride)
            return linen.Conv(maps, sides, strides, use_bias=False, **options)(x)

        def norm(x: jax.Array, **options: Any) -> jax.Array:
            return linen.BatchNorm(not train, momentum=0.9, epsilon=1e-5, **options)(x)

        x = linen.relu(norm(conv(x, 64, 7, 2, padding=3)))
        x = linen.max_pool(x, (3, 3), (2, 2), "SAME")
        for stage, blocks in enumerate((3, 4, 6, 3)):
            for block in range(blocks):
                maps, stride = 64 * 2**stage, 2 if stage and not block else 1
                y = linen.relu(norm(conv(x, maps, 1)))
                y = linen.relu(norm(conv(y, maps, 3, stride)))
                y = norm(conv(y, 4 * maps, 1), scale_init=linen.initializers.zeros)
                x = x if block else norm(conv(x, 4 * maps, 1, stride))
                x = linen.relu(x + y)
        return linen.Dense(1000)(x.mean((1, 2)))


class LinenSmallResNet(linen.Module):
    """ResNet-18 for CIFAR, all of it padded "SAME"; ``side`` is that of its first kernel."""

    side: int = 3

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        def conv(x: jax.Array, maps: int, side: int, stride: int = 1) -> jax.Array:
            x = linen.Conv(maps, (side, side), (stride, stride), use_bias=False)(x)
            return linen.BatchNorm(not train, momentum=0.9, epsilon=1e-5)(x)

        x = linen.relu(conv(x, 64, self.side))
        for stage in range(4):
            for block in range(2):
                maps, stride = 64 * 2**stage, 2 if stage and not block else 1
                y = conv(linen.relu(conv(x, maps, 3, stride)), maps, 3)
                x = linen.relu(y + (conv(x, maps, 1, stride) if stride == 2 else x))
        return linen.Dense(10)(x.mean((1, 2)))


class LinenLeNet(linen.Module):
    """LeNet-5 for MNIST, of sigmoids and means, as Dive into Deep Learning has it."""

    maps: int = 16

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for maps, padding in ((6, "SAME"), (self.maps, "VALID")):
            x = linen.sigmoid(linen.Conv(maps, (5, 5), padding=padding)(x))
            x = linen.avg_pool(x, (2, 2), (2, 2))
        x = linen.sigmoid(linen.Conv(120, (5, 5), padding="VALID")(x))
        x = linen.sigmoid(linen.Dense(84)(x.reshape(len(x), -1)))
        return linen.Dense(10)(x)


def haiku_resnet50() -> Any:
    """The ResNet-50 that Haiku ships."""
    hk = import_module("haiku")

    def network(x: jax.Array, is_training: bool = False) -> Any:
        return hk.nets.ResNet50(1000, resnet_v2=False)(x, is_training=is_training)

    pure = hk.without_apply_rng(hk.transform_with_state(network))
    images = jnp.zeros((1, 224, 224, 3))
    params, state = pure.init(jax.random.key(0), images, is_training=True)
    return (
        lambda variables, x: pure.apply(*variables, x)[0],
        (params, state),
    )


def equinox_alexnet() -> Any:
    """AlexNet in Equinox: one image, channels first, and the normalisation written by hand."""
    eqx = import_module("equinox")
    keys = iter(jax.random.split(jax.random.key(0), 8))

    def conv(*sizes: int, **options: int) -> Any:
        return eqx.nn.Conv2d(*sizes, **options, key=next(keys))

    def dense(inputs: int, outputs: int) -> Any:
        return eqx.nn.Linear(inputs, outputs, key=next(keys))

    def normalised(x: jax.Array) -> jax.Array:
        squares = jnp.pad(x**2, ((2, 2), (0, 0), (0, 0)))
        total = sum(squares[i : i + len(x)] for i in range(5))
        return x / (2 + 1e-4 * total) ** 0.75

    relu, pool = jax.nn.relu, eqx.nn.MaxPool2d(3, 2)
    layers = [
        conv(3, 96, 11, 4), relu, pool, normalised,
        conv(96, 256, 5, padding=2), relu, pool, normalised,
        conv(256, 384, 3, padding=1), relu,
        conv(384, 384, 3, padding=1), relu,
        conv(384, 256, 3, padding=1), relu, pool, jnp.ravel,
        dense(9216, 4096), relu, dense(4096, 4096), relu, dense(4096, 1000),
    ]  # fmt: skip
    arrays, rest = eqx.partition(layers, eqx.is_inexact_array)

    def one(arrays: Any, x: jax.Array) -> jax.Array:
        for layer in eqx.combine(arrays, rest):
            x = layer(x)
        return x

    return jax.vmap(one, (None, 0)), arrays


STRANGERS: dict[str, Stranger] = {
    "Linen VGG-A": Stranger("flax", LinenVGG, "VGG-A"),
    "Haiku ResNet50": Stranger("haiku", haiku_resnet50, "ResNet-50", ("v1.5", "same padding")),
    "Linen ResNet50": Stranger(
        "flax", LinenResNet, "ResNet-50", ("v1.5", "same padding behind conv1")
    ),
    "Linen ResNet-18 for CIFAR": Stranger(
        "flax", LinenSmallResNet, "ResNet-18",
        ("for small images, same padding", "other classes"), size=(32, 32, 3),
    ),
    "Equinox AlexNet": Stranger("equinox", equinox_alexnet, "AlexNet"),
    "Linen LeNet on MNIST": Stranger(
        "flax", LinenLeNet, "LeNet-5-table",
        ("sigmoid", "without softmax", "on 28x28, padded"),
        size=(28, 28, 1),
    ),
}  # fmt: skip

OTHERS: dict[str, Stranger] = {
    "Linen ResNet-18 for CIFAR, 5x5 in conv1": Stranger(
        "flax", partial(LinenSmallResNet, 5), "ResNet-18", size=(32, 32, 3)
    ),
    "Linen LeNet on MNIST, 32 maps": Stranger(
        "flax", partial(LinenLeNet, 32), "LeNet-5-table", size=(28, 28, 1)
    ),
}
