"""Wrong models as Keras ports really have them: same shapes, and something else inside.

Each is one of our own implementations with one thing written as a porter would write it.  The
forward does not see some of them: a permuted kernel undoes a permuted flattening, zeros undo
connections, and a last layer of another kind has no counterpart to be compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any
from unittest import mock

import keras
from keras import KerasTensor, layers, ops

from conformance.selftest import Mutant

lenet, alexnet, vgg, resnet = (
    import_module(f"implementations.keras.{family}")
    for family in ("lenet", "alexnet", "vgg", "resnet")
)


def rewritten(module: Any, model: str, **functions: Any) -> Callable[[], keras.Model]:
    """A model of this module as it comes out when some of the module's functions are others."""

    def factory() -> keras.Model:
        with mock.patch.multiple(module, **functions):
            return module.MODELS[model]()

    return factory


def edited(
    module: Any, model: str, name: str, edit: Callable[[layers.Layer], layers.Layer]
) -> Callable[[], keras.Model]:
    """A model of this module with the layer of this name replaced."""

    def clone(layer: layers.Layer) -> layers.Layer:
        return edit(layer) if layer.name == name else type(layer).from_config(layer.get_config())

    return lambda: keras.models.clone_model(module.MODELS[model](), clone_function=clone)


def configured(**config: Any) -> Callable[[layers.Layer], layers.Layer]:
    """The same layer with other arguments."""
    return lambda layer: type(layer).from_config(layer.get_config() | config)


def same_conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    x = layers.Conv2D(maps, kernel, stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def default_conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(maps, kernel, stride, use_bias=False)(x)
    return layers.BatchNormalization()(x)


def biased_conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(maps, kernel, stride)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def late_bottleneck(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    x = layers.ReLU()(resnet.conv_bn(x, width, 1))
    x = layers.ReLU()(resnet.conv_bn(x, width, 3, stride))
    return resnet.conv_bn(x, 4 * width, 1)


def linear_stage(
    x: KerasTensor, block: Callable[..., KerasTensor], width: int, blocks: int, stride: int,
    name: str,
) -> KerasTensor:  # fmt: skip
    for count in range(blocks):
        x = block(x, width, 1 if count else stride)
    return x


class AveragedLRN(layers.Layer):
    """Divides alpha by the size of the neighbourhood."""

    def call(self, x: KerasTensor) -> KerasTensor:
        maps = x.shape[-1]
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        energy = sum(squares[..., i : i + maps] for i in range(5)) / 5
        return x / (2 + 1e-4 * energy) ** 0.75


class WideLRN(layers.Layer):
    """Takes the paper's n = 5 for a radius."""

    def call(self, x: KerasTensor) -> KerasTensor:
        maps = x.shape[-1]
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (5, 5)))
        energy = sum(squares[..., i : i + maps] for i in range(11))
        return x / (2 + 1e-4 * energy) ** 0.75


def full_connection(x: KerasTensor, table: tuple[tuple[int, ...], ...], kernel: int) -> KerasTensor:
    return layers.Conv2D(len(table), kernel)(x)


def width_first(layer: layers.Layer) -> layers.Layer:
    return keras.Sequential([layers.Permute((2, 1, 3)), layers.Flatten()])


def average() -> layers.Layer:
    return layers.AveragePooling2D(2)


def average_pool(layer: layers.MaxPooling2D) -> layers.AveragePooling2D:
    return layers.AveragePooling2D.from_config(layer.get_config())


def same_pool(x: KerasTensor) -> KerasTensor:
    return layers.MaxPooling2D(3, strides=2, padding="same")(x)


def dense_output(codes: list[list[float]], name: str) -> layers.Layer:
    return layers.Dense(len(codes), name=name)


def mutant(
    wrong: Callable[[], keras.Model],
    architecture: str,
    layer: str,
    attribute: str,
    numbers: bool = True,
) -> Mutant:
    return Mutant(architecture, wrong, layer, attribute, numbers)


RESNET, ALEXNET, LENET = (
    partial(rewritten, resnet, "ResNet-18"),
    partial(rewritten, alexnet, "AlexNet"),
    partial(rewritten, lenet, "LeNet-5"),
)
LAYER = partial(edited, alexnet, "AlexNet")

MUTANTS: dict[str, Mutant] = {
    "same in conv1": mutant(RESNET(conv_bn=same_conv_bn), "ResNet-18", "conv1", "padding"),
    "same in the pool": mutant(RESNET(max_pool=same_pool), "ResNet-18", "conv2_x", "padding"),
    "Keras' epsilon": mutant(RESNET(conv_bn=default_conv_bn), "ResNet-18", "conv1", "epsilon"),
    "biases kept": mutant(RESNET(conv_bn=biased_conv_bn), "ResNet-18", "conv1", "bias"),
    "no ReLU after the addition": mutant(
        RESNET(stage=linear_stage), "ResNet-18", "conv2_x", "missing"
    ),
    "stride on the 3x3": mutant(
        partial(resnet.resnet, partial(resnet.residual, late_bottleneck), (3, 4, 6, 3)),
        "ResNet-50", "conv3_x", "stride",
    ),
    "alpha averaged": mutant(ALEXNET(norm=AveragedLRN), "AlexNet", "norm1", "alpha"),
    "n for a radius": mutant(ALEXNET(norm=WideLRN), "AlexNet", "norm1", "n"),
    "average for maximum": mutant(LAYER("pool1", average_pool), "AlexNet", "pool1", "kind"),
    "3x3 for 5x5": mutant(
        LAYER("conv2", configured(kernel_size=3)), "AlexNet", "conv2", "kernel"
    ),
    "no activation": mutant(
        LAYER("conv3", configured(activation=None)), "AlexNet", "conv3", "missing"
    ),
    "width before height": mutant(
        LAYER("flatten", width_first), "AlexNet", "fc6", "order", numbers=False
    ),
    "no bias": mutant(LAYER("fc8", configured(use_bias=False)), "AlexNet", "fc8", "bias"),
    "softmax at the end": mutant(
        LAYER("fc8", configured(activation="softmax")), "AlexNet", "fc8", "extra", numbers=False
    ),
    "3x3 for 1x1": mutant(
        partial(vgg.vgg, vgg.TWO, vgg.TWO, vgg.THREE, vgg.THREE, vgg.THREE),
        "VGG-C", "conv3", "kernel",
    ),
    "plain tanh": mutant(LENET(squash=ops.tanh), "LeNet-5", "C1", "missing"),
    "average in S2": mutant(LENET(Subsampling=average), "LeNet-5", "S2", "extra"),
    "dense C3": mutant(
        LENET(partial_connection=full_connection), "LeNet-5", "C3", "table", numbers=False
    ),
    "dense output": mutant(
        LENET(RadialBasis=dense_output), "LeNet-5", "output", "extra", numbers=False
    ),
}  # fmt: skip
