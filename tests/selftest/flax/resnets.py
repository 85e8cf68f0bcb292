"""ResNets with a bug in their structure."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.implementations.flax import resnet_cifar
from conformance.implementations.flax.layers import Residual, conv_bn
from tests.selftest.flax import Same, same

RNGS = nnx.Rngs(0)


def padded_below(model: Any) -> None:
    model.conv1.layers[0].layers[0].padding = "SAME"


def pool_padded_below(model: Any) -> None:
    model.conv2_x.layers[0] = same_pool


def same_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")


def bare_projection(model: Any) -> None:
    model.conv4_x.layers[0].layers[0].shortcut.layers[1] = Same()


def stride_on_3x3(model: Any) -> None:
    first, _, second, *_ = model.conv3_x.layers[0].layers[0].residual.layers
    first.layers[0].strides, second.layers[0].strides = 1, 2


def keras_epsilon(model: Any) -> None:
    for _, module in nnx.iter_modules(model):
        if isinstance(module, nnx.BatchNorm):
            module.epsilon = 1e-3


def biased_conv1(model: Any) -> None:
    model.conv1.layers[0].layers[0] = nnx.Conv(3, 16, (3, 3), padding=1, rngs=RNGS)


def norm_missing(model: Any) -> None:
    model.stage1.layers[0].layers[0].residual.layers[2].layers[1] = Same()


def relu_before_addition(model: Any) -> None:
    model.stage1.layers[1] = ReluBeforeAddition(model.stage1.layers[1].layers[0].residual)


class ReluBeforeAddition(Residual):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.residual(x)) + x


def no_relu_after_addition(model: Any) -> None:
    model.stage1.layers[1].layers[1] = same


def relu6_in_conv1(model: Any) -> None:
    model.conv1.layers[1] = nnx.relu6


def norm_over_rows(model: Any) -> None:
    model.conv1.layers[0].layers[1] = nnx.BatchNorm(
        32, axis=1, momentum=0.9, epsilon=1e-5, rngs=RNGS
    )


def branch_twice(model: Any) -> None:
    block = model.stage1.layers[1]
    block.layers[0] = BranchTwice(block.layers[0].residual)


class BranchTwice(Residual):
    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.residual(x)
        return x + x


def learned_scale(model: Any) -> None:
    residual = model.stage1.layers[1].layers[0].residual
    residual.layers = nnx.List([*residual.layers, Scaled()])


class Scaled(nnx.Module):
    def __init__(self) -> None:
        self.scale = nnx.Param(jnp.ones(1))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.scale


def no_gamma(model: Any) -> None:
    model.stage1.layers[1].layers[0].residual.layers[2].layers[1] = nnx.BatchNorm(
        16, use_scale=False, momentum=0.9, epsilon=1e-5, rngs=RNGS
    )


def shortcut_missing(model: Any) -> None:
    model.stage2.layers[1].layers[0] = resnet_cifar.plain(32, 32, 1, rngs=RNGS)


def block_too_few(model: Any) -> None:
    model.stage2 = nnx.Sequential(*model.stage2.layers[:-1])


def block_too_many(model: Any) -> None:
    extra = nnx.Sequential(resnet_cifar.residual(64, 64, 1, rngs=RNGS), nnx.relu)
    model.stage3 = nnx.Sequential(*model.stage3.layers, extra)


def projection_for_identity(model: Any) -> None:
    model.stage2.layers[0].layers[0].shortcut = conv_bn(16, 32, 1, 2, rngs=RNGS)


def zeros_in_front(model: Any) -> None:
    model.stage2.layers[0].layers[0].shortcut = Padded(0, 16, 0)


def zeros_on_both_sides(model: Any) -> None:
    model.stage2.layers[0].layers[0].shortcut = Padded(0, 8, 8)


def every_other_pixel(model: Any) -> None:
    model.stage2.layers[0].layers[0].shortcut = Padded(1, 0, 16)


class Padded(nnx.Module):
    def __init__(self, start: int, before: int, after: int) -> None:
        self.start = start
        self.channels = (before, after)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x[:, self.start :: 2, self.start :: 2]
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), self.channels))


def averaged_shortcut(model: Any) -> None:
    model.stage2.layers[0].layers[0].shortcut = AveragedShortcut()


class AveragedShortcut(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.avg_pool(x, (2, 2), strides=(2, 2))
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, 16)))


def maximum_at_the_end(model: Any) -> None:
    model.fc.layers[0] = lambda x: x.max(axis=(1, 2))


def relu_before_norm(model: Any) -> None:
    residual = model.stage1.layers[1].residual
    norm, relu = residual.layers[0].layers
    residual.layers[0] = nnx.Sequential(relu, norm)
