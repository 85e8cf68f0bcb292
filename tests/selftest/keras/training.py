"""Bugs that training alone shows, in either pass, or that stand in what a network starts from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from conformance.implementations.keras import alexnet, googlenet
from conformance.implementations.keras.layers import WithHeads, basic
from tests.selftest.keras import Build, changed, configured, edited, left_out, made, nth, rewritten
from tests.selftest.keras.resnets import restaged

NORM = layers.BatchNormalization


def keep_for_drop(build: Build) -> keras.Model:
    dropout = made("dropout", layers.Dropout, changed(layers.Dropout, rate=0.6))
    return rewritten(build, layers, Dropout=dropout)


def other_rate(build: Build) -> keras.Model:
    return edited(build, "dropout7", configured(rate=0.4))


def dropout_missing(build: Build) -> keras.Model:
    return edited(build, "dropout6", left_out)


def dropout_after_dense(build: Build) -> keras.Model:
    def classifier(image: KerasTensor, x: KerasTensor) -> keras.Model:
        x = alexnet.fc(4096, name="fc6")(layers.Flatten()(x))
        x = layers.Dropout(0.5, name="dropout7")(x)
        x = alexnet.fc(4096, name="fc7")(x)
        x = layers.Dropout(0.5)(x)
        return keras.Model(image, layers.Dense(1000, name="fc8")(x))

    return rewritten(build, alexnet, classifier=classifier)


def dropout_added(build: Build) -> keras.Model:
    def pool() -> layers.Layer:
        return keras.Sequential([right(), layers.Dropout(0.5)])

    right = layers.GlobalAveragePooling2D
    return rewritten(build, layers, GlobalAveragePooling2D=pool)


def rate_in_the_head(build: Build) -> keras.Model:
    dropout = made("aux_4a_dropout", layers.Dropout, changed(layers.Dropout, rate=0.4))
    return rewritten(build, layers, Dropout=dropout)


def dropout_before_pool(build: Build) -> keras.Model:
    def pool(name: str) -> layers.Layer:
        return keras.Sequential([dropout(0.4), right()], name=name)

    right, dropout = layers.GlobalAveragePooling2D, layers.Dropout
    kept = made("dropout", dropout, lambda rate, name: layers.Identity(name=name))
    return rewritten(build, layers, GlobalAveragePooling2D=pool, Dropout=kept)


def momentum_mixed_up(build: Build) -> keras.Model:
    return rewritten(build, layers, BatchNormalization=changed(NORM, momentum=0.1))


def other_momentum(build: Build) -> keras.Model:
    # The first block of stage2 has the eighth norm and the ninth.
    return rewritten(build, layers, BatchNormalization=nth(7, NORM, changed(NORM, momentum=0.99)))


def frozen_norm(build: Build) -> keras.Model:
    return rewritten(build, layers, BatchNormalization=nth(3, NORM, changed(NORM, trainable=False)))


def other_variance(build: Build) -> keras.Model:
    return rewritten(build, layers, BatchNormalization=nth(13, NORM, Unbiased))


class Unbiased(layers.BatchNormalization):
    def call(self, x: KerasTensor, training: bool = False) -> KerasTensor:
        if not training:
            return super().call(x)
        count = x.shape[0] * x.shape[1] * x.shape[2]
        mean, variance = ops.mean(x, (0, 1, 2)), ops.var(x, (0, 1, 2))
        self.moving_mean.assign(0.9 * self.moving_mean + 0.1 * mean)
        self.moving_variance.assign(
            0.9 * self.moving_variance + 0.1 * variance * count / (count - 1)
        )
        normal = (x - mean) * ops.rsqrt(variance + self.epsilon)
        return normal * self.gamma + self.beta


def head_on_4b(build: Build) -> keras.Model:
    def inception(x: KerasTensor, *widths: int, name: str) -> KerasTensor:
        left[name] = module(x, *widths, name=name)
        return left[name]

    left: dict[str, KerasTensor] = {}
    module: Any = googlenet.inception
    head = googlenet.auxiliary
    heads = made("aux_4a", head, lambda x, name: head(left["inception_4b"], name=name))
    return rewritten(build, googlenet, inception=inception, auxiliary=heads)


def head_missing(build: Build) -> keras.Model:
    def one_head(image: KerasTensor, outputs: list[KerasTensor]) -> keras.Model:
        return right(image, outputs[:2])

    right = WithHeads
    return rewritten(build, googlenet, WithHeads=one_head)


def shortcut_cut(build: Build) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        return layers.Add()([basic(x, width, stride), Detached()(x)])

    return restaged(build, "stage2", 1, block)


def branch_cut(build: Build) -> keras.Model:
    def cut(*args: Any) -> layers.Layer:
        return keras.Sequential([right(*args), Detached()])

    right = googlenet.conv
    return rewritten(build, googlenet, conv=nth(2, right, cut))


class Detached(layers.Layer):
    def call(self, x: KerasTensor) -> KerasTensor:
        return ops.stop_gradient(x)


def doubled(build: Build) -> keras.Model:
    def dense(*args: Any, **kwargs: Any) -> layers.Layer:
        return keras.Sequential([right(*args, **kwargs), Doubled()])

    right = layers.Dense
    return rewritten(build, layers, Dense=dense)


class Doubled(layers.Layer):
    def call(self, x: KerasTensor) -> KerasTensor:
        return twice_on_the_way_back(x)


@ops.custom_gradient
def twice_on_the_way_back(x: Any) -> Any:
    def backwards(*given: Any, upstream: Any = None) -> Any:  # by name where PyTorch computes
        return 2 * (given[0] if upstream is None else upstream)

    return x, backwards


def frozen_kernel(build: Build) -> keras.Model:
    return edited(build, "F6", lambda layer: FrozenKernel.from_config(layer.get_config()))


class FrozenKernel(layers.Dense):
    def call(self, x: KerasTensor) -> KerasTensor:
        return self.activation(ops.matmul(x, ops.stop_gradient(self.kernel)) + self.bias)


def wrong_backward(build: Build) -> keras.Model:
    return edited(build, "C3", configured(activation=straight))


@ops.custom_gradient
def straight(x: Any) -> Any:
    def backwards(*given: Any, upstream: Any = None) -> Any:
        return given[0] if upstream is None else upstream

    return ops.tanh(x), backwards


def features_stopped(build: Build) -> keras.Model:
    def stopped(layer: layers.Layer) -> layers.Layer:
        return keras.Sequential([Detached(), layers.Flatten()])

    return edited(build, layers.Flatten, stopped)


def statistics_detached(build: Build) -> keras.Model:
    return rewritten(build, layers, BatchNormalization=nth(8, NORM, Constant))


class Constant(layers.BatchNormalization):
    def _moments(self, inputs: Any, mask: Any) -> Any:
        return tuple(map(ops.stop_gradient, super()._moments(inputs, mask)))


def zero_kernel(build: Build) -> keras.Model:
    conv = layers.Conv2D
    zero = partial(conv, kernel_initializer="zeros")
    return rewritten(build, layers, Conv2D=made("C5", conv, zero))


def constant_kernel(build: Build) -> keras.Model:
    return edited(build, "F6", configured(kernel_initializer="ones"))


def ten_times_wider(build: Build) -> keras.Model:
    wide = keras.initializers.VarianceScaling(100.0, "fan_avg", "uniform")
    return edited(build, "conv2", configured(kernel_initializer=wide))


def starting(build: Build, layer: str, change: Callable[[Any], Any]) -> keras.Model:
    """The model with the first array of a layer, its kernel, changed."""
    model = build()
    kernel, *others = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([change(kernel), *others])
    return model


def all_positive(build: Build) -> keras.Model:
    return starting(build, "C5", np.abs)


def two_alike(build: Build) -> keras.Model:
    def alike(kernel: Any) -> Any:
        kernel[..., 1] = kernel[..., 0]
        return kernel

    return starting(build, "C5", alike)


def not_a_number(build: Build) -> keras.Model:
    def broken(kernel: Any) -> Any:
        kernel[0, 0, 2, 1] = np.nan
        return kernel

    return starting(build, "C5", broken)


def same_seed(build: Build) -> keras.Model:
    seeded = keras.initializers.GlorotUniform(seed=0)
    return rewritten(build, layers, Conv2D=partial(layers.Conv2D, kernel_initializer=seeded))


def mean_of_one(build: Build) -> keras.Model:
    norm = nth(0, NORM, changed(NORM, moving_mean_initializer="ones"))
    return rewritten(build, layers, BatchNormalization=norm)


def zero_inner_gamma(build: Build) -> keras.Model:
    norm = nth(1, NORM, changed(NORM, gamma_initializer="zeros"))
    return rewritten(build, layers, BatchNormalization=norm)


def zero_variance(build: Build) -> keras.Model:
    norm = nth(0, NORM, changed(NORM, moving_variance_initializer="zeros"))
    return rewritten(build, layers, BatchNormalization=norm)
