"""Ports that the gate refuses, or accepts with a remark; and the right forms of the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from conformance.implementations.keras import blocks, resnet_cifar
from conformance.implementations.keras.layers import basic, conv_bn
from tests.selftest.keras import Build, changed, configured, edited, made, nth, rewritten
from tests.selftest.keras.resnets import restaged

NORM, CONV = layers.BatchNormalization, layers.Conv2D
Change = Callable[[KerasTensor], KerasTensor]


class Done(layers.Layer):
    """Something done to a map."""

    def __init__(self, change: Change, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.change = change

    def call(self, x: KerasTensor) -> KerasTensor:
        return self.change(x)


def shared_block(build: Build) -> keras.Model:
    shared: dict[str, list[layers.Layer]] = {"conv": [], "norm": []}

    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        if (width, int(x.shape[-1])) != (16, 16):
            return resnet_cifar.residual(x, width, stride)
        if not shared["conv"]:
            shared["conv"] = [CONV(16, 3, padding="same", use_bias=False) for _ in range(2)]
            shared["norm"] = [NORM(momentum=0.9, epsilon=1e-5) for _ in range(2)]
        (conv1, conv2), (norm1, norm2) = shared["conv"], shared["norm"]
        y = norm2(conv2(layers.ReLU()(norm1(conv1(x)))))
        return layers.Add()([y, x])

    return rewritten(build, resnet_cifar, stage=partial(with_second_twice, block))


def with_second_twice(
    block: Any, x: KerasTensor, own: Any, width: int, blocks: int, stride: int, name: str
) -> KerasTensor:
    """A stage whose second block, and the third, are made by ``block`` in the first stage."""
    for i in range(blocks):
        x = (block if i and name == "stage1" else own)(x, width, stride)
        x = layers.ReLU(**({"name": name} if i == blocks - 1 else {}))(x)
        stride = 1
    return x


def shared_norm(build: Build) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        convs = [CONV(width, 3, padding="same", use_bias=False) for _ in range(2)]
        norm = NORM(momentum=0.9, epsilon=1e-5)
        y = norm(convs[1](layers.ReLU()(norm(convs[0](x)))))
        return layers.Add()([y, x])

    return restaged(build, "stage1", 0, block)


def flattened(build: Build, change: Change) -> keras.Model:
    return edited(build, layers.Flatten, lambda layer: Done(change))


def squeezed_by_axis(build: Build) -> keras.Model:
    return flattened(build, lambda x: ops.squeeze(x, (1, 2)))


def ended(build: Build, change: Change) -> keras.Model:
    model = build()
    return keras.Model(model.inputs, Done(change)(model.outputs[0]))


def squeezed(build: Build) -> keras.Model:
    model = build()
    return keras.Model(model.inputs, Squeezed()(model.outputs[0]))


class Squeezed(layers.Layer):
    def call(self, x: KerasTensor) -> KerasTensor:
        return ops.squeeze(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def view_of_one(build: Build) -> keras.Model:
    return ended(build, lambda x: ops.reshape(x, (1, -1)))


def view_of_each(build: Build) -> keras.Model:
    return ended(build, lambda x: ops.reshape(x, (-1, 10)))


def images_mixed(build: Build) -> keras.Model:
    return flattened(build, lambda x: ops.reshape(ops.swapaxes(x, 0, 3), (-1, 120)))


def averaged(build: Build, change: Change) -> keras.Model:
    return rewritten(build, layers, GlobalAveragePooling2D=partial(Done, change))


def mean_over_batch(build: Build) -> keras.Model:
    return averaged(build, lambda x: ops.mean(x, (0, 1, 2), keepdims=True)[:, 0, 0])


def mean_over_map(build: Build) -> keras.Model:
    return averaged(build, lambda x: ops.mean(x, (1, 2), keepdims=True)[:, 0, 0])


def softmax_over_batch(build: Build) -> keras.Model:
    return edited(build, "output", configured(activation=partial(ops.softmax, axis=0)))


def batch_statistics(build: Build) -> keras.Model:
    return rewritten(build, layers, BatchNormalization=nth(0, NORM, OfTheBatch))


class OfTheBatch(layers.BatchNormalization):
    def call(self, x: KerasTensor, training: bool = False) -> KerasTensor:
        return super().call(x, training=True)


def before(build: Build, *changes: Change) -> keras.Model:
    """Something done to the image before the first layer."""

    def first(*args: Any, **kwargs: Any) -> layers.Layer:
        layer = CONV(*args, **kwargs)

        def applied(x: KerasTensor) -> KerasTensor:
            for change in changes:
                x = Done(change)(x)
            return layer(x)

        return applied

    return rewritten(build, layers, Conv2D=made("C1", CONV, first))


def largest_of_batch(build: Build) -> keras.Model:
    return before(build, lambda x: x / ops.max(x))


def sides_exchanged(build: Build) -> keras.Model:
    return before(build, lambda x: ops.swapaxes(x, 1, 2))


def prepared(x: KerasTensor) -> KerasTensor:
    return (x - 0.1307) / 0.3081


def prepared_image(build: Build) -> keras.Model:
    return before(build, prepared)


def mean_and_std_exchanged(build: Build) -> keras.Model:
    return before(build, lambda x: (x - 0.3081) / 0.1307)


def prepared_twice(build: Build) -> keras.Model:
    return before(build, prepared, prepared)


def prepared_after_conv1(build: Build) -> keras.Model:
    return edited(build, "C1", configured(activation=lambda x: ops.tanh(prepared(x))))


def bytes_once(build: Build) -> keras.Model:
    return before(build, lambda x: x / 255)


def bytes_twice(build: Build) -> keras.Model:
    return before(build, lambda x: x / 255, lambda x: x / 255)


def random_depth(build: Build) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        y = basic(x, width, stride)
        return layers.Add()([Done(drawn)(y), x])

    return restaged(build, "stage1", 1, block)


def drawn(x: KerasTensor) -> KerasTensor:
    kept = ops.floor(keras.random.uniform((ops.shape(x)[0], 1, 1, 1)) + 0.8)
    return x * ops.cast(kept, x.dtype) / 0.8


def weights_in_forward(build: Build) -> keras.Model:
    return edited(build, "C3", lambda layer: MadeAnew(name="C3"))


class MadeAnew(layers.Layer):
    def call(self, x: KerasTensor) -> KerasTensor:
        return layers.Conv2D(16, 5, activation="tanh")(x)


def precision_island(build: Build) -> keras.Model:
    return edited(build, "C3", configured(dtype="mixed_bfloat16"))


def small_vgg(
    *head: layers.Layer,
    size: int = 32,
    second: int = 128,
    norm: Callable[[int], list[layers.Layer]] = lambda maps: [],
) -> keras.Model:
    """VGG-A as it is written for images of 32x32, with a head of its own."""
    modules: list[Any] = [keras.Input((size, size, 3))]
    for maps, count in ((64, 1), (second, 1), (256, 2), (512, 2), (512, 2)):
        for _ in range(count):
            modules.append(layers.Conv2D(maps, 3, padding="same"))
            modules += [*norm(maps), layers.ReLU()]
        modules.append(layers.MaxPooling2D(2))
    return keras.Sequential([*modules, *(head or (layers.Flatten(), layers.Dense(10)))])


def vgg_for_cifar() -> keras.Model:
    return small_vgg()


def narrow_for_cifar() -> keras.Model:
    return small_vgg(second=96)


def vgg_with_norms() -> keras.Model:
    return small_vgg(norm=lambda maps: [NORM()])


def width_for_epsilon() -> keras.Model:
    return small_vgg(norm=lambda maps: [NORM(epsilon=maps)])


def added_momentum() -> keras.Model:
    return small_vgg(norm=lambda maps: [NORM(momentum=0.01)])


def hidden(*first: layers.Layer) -> keras.Model:
    end = layers.Dense(512, activation="relu"), layers.Dense(10)
    return small_vgg(layers.Flatten(), *first, *end)


def dropout_in_front() -> keras.Model:
    return hidden(layers.Dropout(0.5))


def second_dropout() -> keras.Model:
    return hidden(layers.Dropout(0.5), layers.Dropout(0.95))


def convolutional(*padding: layers.Layer) -> keras.Model:
    return small_vgg(
        *padding,
        layers.Conv2D(4096, 7, activation="relu"), layers.Dropout(0.5),
        layers.Conv2D(4096, 1, activation="relu"), layers.Dropout(0.5),
        layers.GlobalAveragePooling2D(), layers.Dense(1000), size=224,
    )  # fmt: skip


def convolutional_head() -> keras.Model:
    return convolutional()


def padded_head() -> keras.Model:
    return convolutional(layers.ZeroPadding2D(3))


def swapped_pair() -> keras.Model:
    return blocks.stack((7, 1), (1, 7))


def projections(build: Build) -> keras.Model:
    return with_projections(conv_bn)


def biased_projection(build: Build) -> keras.Model:
    def projection(x: KerasTensor, maps: int, kernel: int, stride: int) -> KerasTensor:
        if maps == 32:
            return conv_bn(x, maps, kernel, stride)
        return NORM(momentum=0.9, epsilon=1e-5)(CONV(maps, kernel, stride)(x))

    return with_projections(projection)


def with_projections(projection: Any) -> keras.Model:
    def block(x: KerasTensor, width: int, stride: int) -> KerasTensor:
        y = basic(x, width, stride)
        return layers.Add()([y, x if stride == 1 else projection(x, width, 1, stride)])

    return resnet_cifar.resnet(block, 3)


def biases(build: Build) -> keras.Model:
    return rewritten(build, layers, Conv2D=changed(CONV, use_bias=True))


def one_bias_missing(build: Build) -> keras.Model:
    # The second block of stage2 has the tenth convolution and the eleventh.
    biased = changed(CONV, use_bias=True)
    return rewritten(build, layers, Conv2D=nth(10, biased, CONV))


def frozen_layer(build: Build) -> keras.Model:
    model = build()
    model.get_layer("C3").trainable = False
    return model


def unused_layer(build: Build) -> keras.Model:
    return edited(build, "C3", lambda layer: Unused(configured()(layer), name="more"))


class Unused(layers.Layer):
    def __init__(self, block: layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block, self.branch = block, layers.Conv2D(16, 1)

    def build(self, shape: Any) -> None:
        self.branch.build(shape)

    def call(self, x: KerasTensor) -> KerasTensor:
        return self.block(x)


def other_flatten(build: Build) -> keras.Model:
    def channels_first(layer: layers.Layer) -> layers.Layer:
        return keras.Sequential([layers.Permute((3, 1, 2)), layers.Flatten()])

    return edited(build, layers.Flatten, channels_first)


def flipped_kernel(build: Build) -> keras.Model:
    return edited(build, "C3", lambda layer: Flipped.from_config(layer.get_config()))


class Flipped(layers.Conv2D):
    def convolution_op(self, x: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        return super().convolution_op(x, ops.flip(kernel, (0, 1)))


def transposed_kernel(build: Build) -> keras.Model:
    return edited(build, "C3", lambda layer: Transposed.from_config(layer.get_config()))


class Transposed(layers.Conv2D):
    def convolution_op(self, x: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        return super().convolution_op(x, ops.transpose(kernel, (1, 0, 2, 3)))
