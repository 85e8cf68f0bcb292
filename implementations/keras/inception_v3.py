"""Inception-v3, after Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"
(2015).

Input 299x299x3.  Table 1 of the paper contradicts itself and prints no widths, so this is the
network that its authors released, in their names: batch norm with epsilon 1e-3 and momentum 0.9997,
dropout 0.2, one auxiliary head.  Nothing that has stride 2 is padded.
"""

import keras
from keras import KerasTensor, layers

from .layers import (
    WithHeads, branches, conv_bn_relu, down, max_pool, path, pool_proj, split, valid,
)


def grid_35(x: KerasTensor, proj: int, name: str) -> KerasTensor:  # Figure 5, with a 5x5
    return branches(
        path(x, (64, 1)),
        path(x, (48, 1), (64, 5)),
        path(x, (64, 1), (96, 3), (96, 3)),
        pool_proj(x, proj),
        name=name,
    )


def mixed_6a(x: KerasTensor, name: str) -> KerasTensor:
    return branches(down(x, 384), down(path(x, (64, 1), (96, 3)), 96), max_pool(x), name=name)


def grid_17(x: KerasTensor, n: int, name: str) -> KerasTensor:  # Figure 6
    return branches(
        path(x, (192, 1)),
        path(x, (n, 1), (n, (1, 7)), (192, (7, 1))),
        path(x, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
        pool_proj(x, 192),
        name=name,
    )


def mixed_7a(x: KerasTensor, name: str) -> KerasTensor:
    return branches(
        down(path(x, (192, 1)), 320),
        down(path(x, (192, 1), (192, (1, 7)), (192, (7, 1))), 192),
        max_pool(x),
        name=name,
    )


def grid_8(x: KerasTensor, name: str) -> KerasTensor:  # Figure 7
    return branches(
        path(x, (320, 1)),
        split(path(x, (384, 1)), 384),
        split(path(x, (448, 1), (384, 3)), 384),
        pool_proj(x, 192),
        name=name,
    )


def auxiliary(x: KerasTensor, name: str) -> KerasTensor:  # Figure 8
    x = layers.AveragePooling2D(5, strides=3)(x)
    x = valid(conv_bn_relu(x, 128, 1), 768, 5)
    return layers.Dense(1000, name=name)(layers.Flatten()(x))


def inception_v3() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = down(image, 32, name="Conv2d_1a_3x3")
    x = valid(x, 32, 3, name="Conv2d_2a_3x3")
    x = conv_bn_relu(x, 64, 3, name="Conv2d_2b_3x3")
    x = max_pool(x, name="MaxPool_3a")
    x = conv_bn_relu(x, 80, 1, name="Conv2d_3b_1x1")
    x = valid(x, 192, 3, name="Conv2d_4a_3x3")
    x = max_pool(x, name="MaxPool_5a")
    x = grid_35(x, 32, name="Mixed_5b")
    x = grid_35(x, 64, name="Mixed_5c")
    x = grid_35(x, 64, name="Mixed_5d")
    x = mixed_6a(x, name="Mixed_6a")
    x = grid_17(x, 128, name="Mixed_6b")
    x = grid_17(x, 160, name="Mixed_6c")
    x = grid_17(x, 160, name="Mixed_6d")
    x = mixed_6e = grid_17(x, 192, name="Mixed_6e")
    x = mixed_7a(x, name="Mixed_7a")
    x = grid_8(x, name="Mixed_7b")
    x = grid_8(x, name="Mixed_7c")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return WithHeads(image, [layers.Dense(1000, name="fc")(x), auxiliary(mixed_6e, name="aux")])


MODELS = {"Inception-v3": inception_v3}
