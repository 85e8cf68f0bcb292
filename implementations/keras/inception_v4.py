"""Inception-v4, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning" (2016), figure 9.

Input 299x299x3.  Where figures 3, 5 and 6 and the code that their authors released differ in the
order of 1x7 and 7x1 and of 1x3 and 3x1, the order is that of the code.  It has batch norm with
epsilon 1e-3 and momentum 0.9997.  The paper's 0.8 is what its dropout keeps.
"""

from collections.abc import Callable

import keras
from keras import KerasTensor, layers

from .inception_v2 import average_pool, concat, conv_bn, convs
from .inception_v3 import max_pool


def stem(x: KerasTensor, name: str) -> KerasTensor:  # Figure 3
    x = convs(x, (32, 3, 2, "valid"), (32, 3, 1, "valid"), (64, 3))
    x = concat(max_pool(x), conv_bn(x, 96, 3, 2, "valid"))
    x = concat(
        convs(x, (64, 1), (96, 3, 1, "valid")),
        convs(x, (64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, "valid")),
    )
    return concat(conv_bn(x, 192, 3, 2, "valid"), max_pool(x), name=name)


def inception_a(x: KerasTensor, name: str | None) -> KerasTensor:  # Figure 4
    return concat(
        convs(x, (96, 1)),
        convs(x, (64, 1), (96, 3)),
        convs(x, (64, 1), (96, 3), (96, 3)),
        convs(average_pool(x), (96, 1)),
        name=name,
    )


def reduction_a(
    x: KerasTensor, k: int, l: int, m: int, n: int, name: str  # noqa: E741
) -> KerasTensor:  # Figure 7
    return concat(
        convs(x, (n, 3, 2, "valid")),
        convs(x, (k, 1), (l, 3), (m, 3, 2, "valid")),
        max_pool(x),
        name=name,
    )


def inception_b(x: KerasTensor, name: str | None) -> KerasTensor:  # Figure 5
    return concat(
        convs(x, (384, 1)),
        convs(x, (192, 1), (224, (1, 7)), (256, (7, 1))),
        convs(x, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        convs(average_pool(x), (128, 1)),
        name=name,
    )


def reduction_b(x: KerasTensor, name: str) -> KerasTensor:  # Figure 8
    return concat(
        convs(x, (192, 1), (192, 3, 2, "valid")),
        convs(x, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, "valid")),
        max_pool(x),
        name=name,
    )


def inception_c(x: KerasTensor, name: str | None) -> KerasTensor:  # Figure 6
    short = convs(x, (384, 1))
    long = convs(x, (384, 1), (448, (3, 1)), (512, (1, 3)))
    return concat(
        convs(x, (256, 1)),
        concat(convs(short, (256, (1, 3))), convs(short, (256, (3, 1)))),
        concat(convs(long, (256, (1, 3))), convs(long, (256, (3, 1)))),
        convs(average_pool(x), (256, 1)),
        name=name,
    )


def stage(
    x: KerasTensor, module: Callable[..., KerasTensor], modules: int, name: str
) -> KerasTensor:
    for left in reversed(range(modules)):
        x = module(x, name=None if left else name)
    return x


def inception_v4() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = stem(image, name="stem")
    x = stage(x, inception_a, 4, name="inception_a")
    x = reduction_a(x, 192, 224, 256, 384, name="reduction_a")
    x = stage(x, inception_b, 7, name="inception_b")
    x = reduction_b(x, name="reduction_b")
    x = stage(x, inception_c, 3, name="inception_c")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(image, layers.Dense(1000, name="fc")(x))


MODELS = {"Inception-v4": inception_v4}
