"""Inception-v3, after Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"
(2015).

Input 299x299x3.  Table 1 of the paper contradicts itself and prints no widths, so this is the
network that its authors released, in their names: batch norm with epsilon 1e-3 and momentum 0.9997,
dropout 0.2, one auxiliary head.  Nothing that has stride 2 is padded.
"""

import keras
from keras import KerasTensor, layers

from .googlenet import WithHeads
from .inception_v2 import average_pool, concat, conv_bn, convs


def max_pool(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.MaxPooling2D(3, strides=2, name=name)(x)


def grid_35(x: KerasTensor, pool_proj: int, name: str) -> KerasTensor:
    return concat(
        convs(x, (64, 1)),
        convs(x, (48, 1), (64, 5)),
        convs(x, (64, 1), (96, 3), (96, 3)),
        convs(average_pool(x), (pool_proj, 1)),
        name=name,
    )


def reduction_17(x: KerasTensor, name: str) -> KerasTensor:
    return concat(
        convs(x, (384, 3, 2, "valid")),
        convs(x, (64, 1), (96, 3), (96, 3, 2, "valid")),
        max_pool(x),
        name=name,
    )


def grid_17(x: KerasTensor, n: int, name: str) -> KerasTensor:  # Figure 6
    return concat(
        convs(x, (192, 1)),
        convs(x, (n, 1), (n, (1, 7)), (192, (7, 1))),
        convs(x, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
        convs(average_pool(x), (192, 1)),
        name=name,
    )


def reduction_8(x: KerasTensor, name: str) -> KerasTensor:
    return concat(
        convs(x, (192, 1), (320, 3, 2, "valid")),
        convs(x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, "valid")),
        max_pool(x),
        name=name,
    )


def grid_8(x: KerasTensor, name: str) -> KerasTensor:  # Figure 7
    single = convs(x, (384, 1))
    double = convs(x, (448, 1), (384, 3))
    return concat(
        convs(x, (320, 1)),
        concat(convs(single, (384, (1, 3))), convs(single, (384, (3, 1)))),
        concat(convs(double, (384, (1, 3))), convs(double, (384, (3, 1)))),
        convs(average_pool(x), (192, 1)),
        name=name,
    )


def auxiliary(x: KerasTensor, name: str) -> KerasTensor:  # Figure 8
    x = layers.AveragePooling2D(5, strides=3)(x)
    x = convs(x, (128, 1), (768, 5, 1, "valid"))
    return layers.Dense(1000, name=name)(layers.Flatten()(x))


def inception_v3() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = conv_bn(image, 32, 3, 2, "valid", name="Conv2d_1a_3x3")
    x = conv_bn(x, 32, 3, 1, "valid", name="Conv2d_2a_3x3")
    x = conv_bn(x, 64, 3, name="Conv2d_2b_3x3")
    x = max_pool(x, name="MaxPool_3a")
    x = conv_bn(x, 80, 1, name="Conv2d_3b_1x1")
    x = conv_bn(x, 192, 3, 1, "valid", name="Conv2d_4a_3x3")
    x = max_pool(x, name="MaxPool_5a")
    x = grid_35(x, 32, name="Mixed_5b")
    x = grid_35(x, 64, name="Mixed_5c")
    x = grid_35(x, 64, name="Mixed_5d")
    x = reduction_17(x, name="Mixed_6a")
    x = grid_17(x, 128, name="Mixed_6b")
    x = grid_17(x, 160, name="Mixed_6c")
    x = grid_17(x, 160, name="Mixed_6d")
    x = mixed_6e = grid_17(x, 192, name="Mixed_6e")
    x = reduction_8(x, name="Mixed_7a")
    x = grid_8(x, name="Mixed_7b")
    x = grid_8(x, name="Mixed_7c")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return WithHeads(image, [layers.Dense(1000, name="fc")(x), auxiliary(mixed_6e, name="aux")])


MODELS = {"Inception-v3": inception_v3}
