"""Keras ports whose structure hides what is wrong."""

from functools import partial
from typing import Any

import keras
from keras import KerasTensor, layers

from conformance.implementations.keras import resnet_cifar
from tests.selftest.keras.resnets import restaged
from tests.selftest.rows import Wrong


def set_on(layer: str, **settings: Any) -> keras.Model:
    """The network with other settings of one ReLU."""
    model = resnet_cifar.MODELS["ResNet-20-CIFAR"]()
    for name, value in settings.items():
        setattr(model.get_layer(layer), name, value)
    return model


def shared_convolution() -> keras.Model:
    """One layer, used where the paper has two."""
    return restaged(resnet_cifar.MODELS["ResNet-20-CIFAR"], "stage1", 1, wrong=shared)


def shared(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    conv = layers.Conv2D(width, 3, padding="same", use_bias=False, name="shared")
    norm = partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
    y = norm()(conv(layers.ReLU()(norm()(conv(x)))))
    return layers.Add()([y, x])


CIFAR = "ResNet-20-CIFAR"

HIDDEN: dict[str, Wrong] = {
    "shared convolution": Wrong(
        CIFAR, shared_convolution, "stage1/2/2", cause="its kernel is that of shared"
    ),
    "leaky ReLU": Wrong(
        CIFAR, partial(set_on, "conv1", negative_slope=0.3), "conv1 relu",
        cause="leaky relu (slope 0.3) stands in its place",
    ),
}  # fmt: skip
