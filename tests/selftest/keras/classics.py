"""LeNet-5, AlexNet, VGG and the notebooks' networks with a bug in their structure."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from conformance.implementations.keras import alexnet, lenet, vgg
from conformance.implementations.keras.layers import LocalResponseNorm
from tests.selftest.keras import Build, configured, edited, left_out, made, nth, rewritten


def dense_c3(build: Build) -> keras.Model:
    def full(x: KerasTensor, table: Any, kernel: int) -> KerasTensor:
        return layers.Conv2D(len(table), kernel)(x)

    return rewritten(build, lenet, partial_connection=full)


def average_in_s2(build: Build) -> keras.Model:
    return rewritten(build, lenet, Subsampling=AverageSubsampling)


class AverageSubsampling(lenet.Subsampling):
    def call(self, x: KerasTensor) -> KerasTensor:
        return self.coefficient * ops.average_pool(x, pool_size=2, strides=2) + self.bias


def plain_tanh(build: Build) -> keras.Model:
    return rewritten(build, lenet, squash=ops.tanh)


def dense_output(build: Build) -> keras.Model:
    def dense(codes: list[list[float]], name: str) -> layers.Layer:
        return layers.Dense(len(codes), name=name)

    return rewritten(build, lenet, RadialBasis=dense)


def sigmoid_for_tanh(build: Build) -> keras.Model:
    return edited(build, "C1", configured(activation="sigmoid"))


def hard_sigmoid(build: Build) -> keras.Model:
    return edited(build, "C3", configured(activation="hard_sigmoid"))


def gelu(build: Build) -> keras.Model:
    return edited(build, "C1", configured(activation="gelu"))


def max_in_s2(build: Build) -> keras.Model:
    pools = nth(0, layers.AveragePooling2D, layers.MaxPooling2D)
    return rewritten(build, layers, AveragePooling2D=pools)


def softmax_twice(build: Build) -> keras.Model:
    model = build()
    return keras.Model(model.inputs, layers.Softmax()(model.outputs[0]))


def alpha_averaged(build: Build) -> keras.Model:
    return rewritten(build, alexnet, norm=partial(LocalResponseNorm, k=2, alpha=1e-4 / 5))


def radius_for_size(build: Build) -> keras.Model:
    return rewritten(build, alexnet, norm=WideLRN)


class WideLRN(layers.Layer):
    def call(self, x: KerasTensor) -> KerasTensor:
        maps = x.shape[-1]
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (5, 5)))
        energy = sum(squares[..., i : i + maps] for i in range(11))
        return x / (2 + 1e-4 * energy) ** 0.75


def default_k(build: Build) -> keras.Model:
    norm = made("norm2", alexnet.norm, partial(LocalResponseNorm, k=1, alpha=1e-4))
    return rewritten(build, alexnet, norm=norm)


def default_beta(build: Build) -> keras.Model:
    return rewritten(build, alexnet, norm=made("norm2", alexnet.norm, RootLRN))


class RootLRN(layers.Layer):
    def call(self, x: KerasTensor) -> KerasTensor:
        maps = x.shape[-1]
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        energy = sum(squares[..., i : i + maps] for i in range(5))
        return x / (2 + 1e-4 * energy) ** 0.5


def norm_before_pool(build: Build) -> keras.Model:
    pool, norm = alexnet.pool, alexnet.norm
    swapped = {"pool": made("pool1", pool, norm), "norm": made("norm1", norm, pool)}
    return rewritten(build, alexnet, **swapped)


def small_conv2(build: Build) -> keras.Model:
    return edited(build, "conv2", configured(kernel_size=3))


def grouped_conv2(build: Build) -> keras.Model:
    return edited(build, "conv2", configured(groups=2))


def dense_conv4(build: Build) -> keras.Model:
    return edited(build, "conv4", configured(groups=1))


def dilated_conv5(build: Build) -> keras.Model:
    return edited(build, "conv5", configured(dilation_rate=2))


def padded_conv1(build: Build) -> keras.Model:
    def padded(layer: layers.Layer) -> layers.Layer:
        return keras.Sequential([layers.ZeroPadding2D(2), configured()(layer)])

    return edited(build, "conv1", padded)


def narrow_conv1(build: Build) -> keras.Model:
    return edited(build, "conv1", configured(filters=64))


def small_pool2(build: Build) -> keras.Model:
    return edited(build, "pool2", configured(pool_size=2))


def average_pool5(build: Build) -> keras.Model:
    def average(layer: layers.Layer) -> layers.Layer:
        return layers.AveragePooling2D.from_config(layer.get_config())

    return edited(build, "pool5", average)


def no_relu_in_conv3(build: Build) -> keras.Model:
    return edited(build, "conv3", configured(activation=None))


def no_bias_in_fc7(build: Build) -> keras.Model:
    return edited(build, "fc7", configured(use_bias=False))


def no_fc7(build: Build) -> keras.Model:
    return edited(build, "fc7", left_out)


def width_before_height(build: Build) -> keras.Model:
    def width_first(layer: layers.Layer) -> layers.Layer:
        return keras.Sequential([layers.Permute((2, 1, 3)), layers.Flatten()])

    return edited(build, layers.Flatten, width_first)


def relu_at_the_end(build: Build) -> keras.Model:
    return edited(build, "fc8", configured(activation="relu"))


def softmax_at_the_end(build: Build) -> keras.Model:
    return edited(build, "fc8", configured(activation="softmax"))


def dropout_in_inference(build: Build) -> keras.Model:
    return edited(build, "dropout7", lambda layer: AlwaysDropout.from_config(layer.get_config()))


class AlwaysDropout(layers.Dropout):
    def call(self, x: KerasTensor, training: bool = False) -> KerasTensor:
        return super().call(x, training=True)


def overlapping_pool3(build: Build) -> keras.Model:
    return edited(build, "pool3", configured(pool_size=3, padding="same"))


def one_conv_too_few(build: Build) -> keras.Model:
    return vgg.vgg(vgg.ONE, vgg.ONE, vgg.TWO, vgg.ONE, vgg.TWO)


def three_for_one(build: Build) -> keras.Model:
    return vgg.vgg(vgg.TWO, vgg.TWO, vgg.THREE, vgg.TWO_AND_1X1, vgg.TWO_AND_1X1)


def no_bias_before_norm(build: Build) -> keras.Model:
    def conv(maps: int, **kwargs: Any) -> layers.Layer:
        parts = [
            layers.Conv2D(maps, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            layers.ReLU(),
        ]
        return keras.Sequential(parts, **kwargs)

    return vgg.vgg((conv,) * 2, (conv,) * 2, (conv,) * 4, (conv,) * 4, (conv,) * 4)


def same_in_conv1(build: Build) -> keras.Model:
    return edited(build, "conv1", configured(padding="same"))


def logits(build: Build) -> keras.Model:
    return edited(build, "fc5", configured(activation=None))


def wide_fc3(build: Build) -> keras.Model:
    return edited(build, "fc3", configured(units=128))
