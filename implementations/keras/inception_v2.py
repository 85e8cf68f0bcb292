"""Inception-v2 (BN-Inception), after Ioffe, Szegedy, "Batch Normalization" (2015), figure 5.

Input 224x224x3.  The outputs printed in the figure need 96 maps, not 128, after the pools of 4c and
4d; the released code has them.  As there, what has stride 2 is padded below and on the right, and
epsilon is 1e-3 and momentum 0.9997.  As in the paper, no dropout, and batch norm after the
separable first layer too.
"""

import keras
from keras import KerasTensor, layers

from .layers import average_pool, branches, conv_bn_relu, norm_relu, path


def separable(x: KerasTensor, maps: int, kernel: int, name: str) -> KerasTensor:
    x = layers.SeparableConv2D(
        maps, kernel, strides=2, padding="same", depth_multiplier=8, use_bias=False
    )(x)
    return norm_relu(x, name)


def down(x: KerasTensor, maps: int) -> KerasTensor:
    return norm_relu(layers.Conv2D(maps, 3, strides=2, padding="same", use_bias=False)(x))


def pool(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)


def same_pool(x: KerasTensor) -> KerasTensor:
    return layers.MaxPooling2D(3, strides=1, padding="same")(x)


def inception(
    x: KerasTensor, n1x1: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int,
    pooled: KerasTensor, pool_proj: int, name: str,
) -> KerasTensor:
    return branches(
        path(x, (n1x1, 1)),
        path(x, (n3x3_reduce, 1), (n3x3, 3)),
        path(x, (double_reduce, 1), (double, 3), (double, 3)),
        conv_bn_relu(pooled, pool_proj, 1),
        name=name,
    )


def reduction(
    x: KerasTensor, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int, name: str
) -> KerasTensor:
    return branches(
        down(path(x, (n3x3_reduce, 1)), n3x3),
        down(path(x, (double_reduce, 1), (double, 3)), double),
        pool(x),
        name=name,
    )


def inception_v2() -> keras.Model:
    image = keras.Input((224, 224, 3))
    x = separable(image, 64, 7, name="conv1")
    x = pool(x, name="pool1")
    x = conv_bn_relu(path(x, (64, 1)), 192, 3, name="conv2")
    x = pool(x, name="pool2")
    x = inception(x, 64, 64, 64, 64, 96, average_pool(x), 32, name="inception_3a")
    x = inception(x, 64, 64, 96, 64, 96, average_pool(x), 64, name="inception_3b")
    x = reduction(x, 128, 160, 64, 96, name="inception_3c")
    x = inception(x, 224, 64, 96, 96, 128, average_pool(x), 128, name="inception_4a")
    x = inception(x, 192, 96, 128, 96, 128, average_pool(x), 128, name="inception_4b")
    x = inception(x, 160, 128, 160, 128, 160, average_pool(x), 96, name="inception_4c")
    x = inception(x, 96, 128, 192, 160, 192, average_pool(x), 96, name="inception_4d")
    x = reduction(x, 128, 192, 192, 256, name="inception_4e")
    x = inception(x, 352, 192, 320, 160, 224, average_pool(x), 128, name="inception_5a")
    x = inception(x, 352, 192, 320, 192, 224, same_pool(x), 128, name="inception_5b")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(image, layers.Dense(1000, name="linear")(x))


MODELS = {"Inception-v2": inception_v2}
