"""Inception-v4, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning" (2016), figure 9.

Input 299x299x3.  Where figures 3, 5 and 6 and the code that their authors released differ in the
order of 1x7 and 7x1 and of 1x3 and 3x1, the order is that of the code.  The paper's 0.8 is what
its dropout keeps.
"""

from collections.abc import Callable

import keras
from keras import KerasTensor, layers

from .layers import (
    branches, conv_bn_relu, down, max_pool, path, pool_proj, reduction_a, split, valid,
)


def stem(x: KerasTensor, name: str) -> KerasTensor:  # Figure 3
    x = conv_bn_relu(valid(down(x, 32), 32, 3), 64, 3)
    x = branches(max_pool(x), down(x, 96))
    tall = path(x, (64, 1), (64, (1, 7)), (64, (7, 1)))
    x = branches(valid(path(x, (64, 1)), 96, 3), valid(tall, 96, 3))
    return branches(down(x, 192), max_pool(x), name=name)


def inception_a(x: KerasTensor, name: str | None) -> KerasTensor:  # Figure 4
    return branches(
        path(x, (96, 1)),
        path(x, (64, 1), (96, 3)),
        path(x, (64, 1), (96, 3), (96, 3)),
        pool_proj(x, 96),
        name=name,
    )


def inception_b(x: KerasTensor, name: str | None) -> KerasTensor:  # Figure 5
    return branches(
        path(x, (384, 1)),
        path(x, (192, 1), (224, (1, 7)), (256, (7, 1))),
        path(x, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        pool_proj(x, 128),
        name=name,
    )


def reduction_b(x: KerasTensor, name: str) -> KerasTensor:  # Figure 8
    return branches(
        down(path(x, (192, 1)), 192),
        down(path(x, (256, 1), (256, (1, 7)), (320, (7, 1))), 320),
        max_pool(x),
        name=name,
    )


def inception_c(x: KerasTensor, name: str | None) -> KerasTensor:  # Figure 6
    return branches(
        path(x, (256, 1)),
        split(path(x, (384, 1)), 256),
        split(path(x, (384, 1), (448, (3, 1)), (512, (1, 3))), 256),
        pool_proj(x, 256),
        name=name,
    )


def repeat(
    x: KerasTensor, module: Callable[..., KerasTensor], modules: int, name: str
) -> KerasTensor:
    for left in reversed(range(modules)):
        x = module(x, name=None if left else name)
    return x


def inception_v4() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = stem(image, name="stem")
    x = repeat(x, inception_a, 4, name="inception_a")
    x = reduction_a(x, 192, 224, 256, 384, name="reduction_a")
    x = repeat(x, inception_b, 7, name="inception_b")
    x = reduction_b(x, name="reduction_b")
    x = repeat(x, inception_c, 3, name="inception_c")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(image, layers.Dense(1000, name="fc")(x))


MODELS = {"Inception-v4": inception_v4}
