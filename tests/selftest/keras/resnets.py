"""ResNets with a bug in their structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from conformance.implementations.keras import layers as shared
from conformance.implementations.keras import resnet, resnet_cifar
from conformance.implementations.keras.layers import basic, conv_bn
from tests.selftest.keras import Build, changed, nth, rewritten


def restaged(
    build: Build, where: str, number: int, wrong: Any = None, after: Any = layers.ReLU
) -> keras.Model:
    """The CIFAR network with another block, or something else after it, at one place."""

    def stage(
        x: KerasTensor, block: Any, width: int, blocks: int, stride: int, name: str
    ) -> KerasTensor:
        for i in range(blocks):
            here = (name, i) == (where, number)
            x = (wrong if here and wrong else block)(x, width, stride)
            last = {"name": name} if i == blocks - 1 else {}
            x = (after if here else layers.ReLU)(**last)(x)
            stride = 1
        return x

    return rewritten(build, resnet_cifar, stage=stage)


def shortened(build: Build, where: str, more: int) -> keras.Model:
    """The CIFAR network with a stage that has more blocks, or less."""

    def stage(
        x: KerasTensor, block: Any, width: int, blocks: int, stride: int, name: str
    ) -> KerasTensor:
        return right(x, block, width, blocks + more * (name == where), stride, name)

    right = resnet_cifar.stage
    return rewritten(build, resnet_cifar, stage=stage)


def with_shortcut(build: Build, shortcut: Callable[[KerasTensor], KerasTensor]) -> keras.Model:
    """The CIFAR network with another shortcut where stage2 begins."""

    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        return layers.Add()([basic(x, width, stride), shortcut(x)])

    return restaged(build, "stage2", 0, block)


def padded_below(build: Build) -> keras.Model:
    def same(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
        x = layers.Conv2D(maps, kernel, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    return rewritten(build, resnet, conv_bn=same)


def pool_padded_below(build: Build) -> keras.Model:
    return rewritten(build, resnet, pool=layers.MaxPooling2D(3, strides=2, padding="same"))


def bare_projection(build: Build) -> keras.Model:
    def conv(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
        if (maps, kernel) == (256, 1):
            return layers.Conv2D(maps, 1, stride, use_bias=False)(x)
        return conv_bn(x, maps, kernel, stride)

    return rewritten(build, shared, conv_bn=conv)


def stride_on_3x3(build: Build) -> keras.Model:
    return resnet.resnet(shared.residual, late_bottleneck, (3, 4, 6, 3))


def late_bottleneck(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    if width != 128:  # conv3_x alone is wrong
        return shared.bottleneck(x, width, stride)
    x = layers.ReLU()(conv_bn(x, width, 1))
    x = layers.ReLU()(conv_bn(x, width, 3, stride))
    return conv_bn(x, 4 * width, 1)


def keras_epsilon(build: Build) -> keras.Model:
    norm = changed(layers.BatchNormalization, epsilon=1e-3)
    return rewritten(build, layers, BatchNormalization=norm)


def biased_conv1(build: Build) -> keras.Model:
    conv = nth(0, layers.Conv2D, changed(layers.Conv2D, use_bias=True))
    return rewritten(build, layers, Conv2D=conv)


def norm_missing(build: Build) -> keras.Model:
    norm = nth(2, layers.BatchNormalization, lambda **config: layers.Identity())
    return rewritten(build, layers, BatchNormalization=norm)


def relu_before_addition(build: Build) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        return layers.Add()([layers.ReLU()(basic(x, width, stride)), x])

    return restaged(build, "stage1", 1, block, after=layers.Identity)


def no_relu_after_addition(build: Build) -> keras.Model:
    return restaged(build, "stage1", 1, after=layers.Identity)


def relu6_in_conv1(build: Build) -> keras.Model:
    relu = nth(0, layers.ReLU, changed(layers.ReLU, max_value=6.0))
    return rewritten(build, layers, ReLU=relu)


def norm_over_rows(build: Build) -> keras.Model:
    norm = layers.BatchNormalization
    over_rows = lambda **config: norm(axis=1, **config)  # noqa: E731
    return rewritten(build, layers, BatchNormalization=nth(0, norm, over_rows))


def branch_twice(build: Build) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        x = basic(x, width, stride)
        return layers.Add()([x, x])

    return restaged(build, "stage1", 1, block)


def learned_scale(build: Build) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        return layers.Add()([Scaled()(basic(x, width, stride)), x])

    return restaged(build, "stage1", 1, block)


class Scaled(layers.Layer):
    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(1,), initializer="ones")

    def call(self, x: KerasTensor) -> KerasTensor:
        return x * self.scale


def no_gamma(build: Build) -> keras.Model:
    norm = layers.BatchNormalization
    return rewritten(build, layers, BatchNormalization=nth(4, norm, changed(norm, scale=False)))


def shortcut_missing(build: Build) -> keras.Model:
    return restaged(build, "stage2", 1, basic)


def block_too_few(build: Build) -> keras.Model:
    return shortened(build, "stage2", -1)


def block_too_many(build: Build) -> keras.Model:
    return shortened(build, "stage3", 1)


def projection_for_identity(build: Build) -> keras.Model:
    return with_shortcut(build, lambda x: conv_bn(x, 32, 1, 2))


def zeros_in_front(build: Build) -> keras.Model:
    return with_shortcut(build, lambda x: padded(x[:, ::2, ::2], 16, 0))


def zeros_on_both_sides(build: Build) -> keras.Model:
    return with_shortcut(build, lambda x: padded(x[:, ::2, ::2], 8, 8))


def every_other_pixel(build: Build) -> keras.Model:
    return with_shortcut(build, lambda x: padded(x[:, 1::2, 1::2], 0, 16))


def averaged_shortcut(build: Build) -> keras.Model:
    return with_shortcut(build, lambda x: padded(layers.AveragePooling2D(2)(x), 0, 16))


def padded(x: KerasTensor, before: int, after: int) -> KerasTensor:
    return ops.pad(x, ((0, 0), (0, 0), (0, 0), (before, after)))


def maximum_at_the_end(build: Build) -> keras.Model:
    return rewritten(build, layers, GlobalAveragePooling2D=layers.GlobalMaxPooling2D)


def relu_before_norm(build: Build) -> keras.Model:
    def other(x: KerasTensor) -> KerasTensor:
        return layers.BatchNormalization()(layers.ReLU()(x))

    return rewritten(build, resnet_cifar, activate=nth(2, resnet_cifar.activate, other))
