"""Inception-ResNet-v2, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and
the Impact of Residual Connections on Learning" (2016).

Input 299x299x3.  The plain name is the network that its authors released and everybody ships: the
stem of Inception-v3, a module without shortcut, 10, 20 and 10 blocks, the last of them neither
scaled nor rectified, and a convolution after them.  "-paper" is that of figure 15.  There the
expansions printed as 1154 and 2048 cannot be added to inputs of 1152 and 2144 maps: a block
expands to the width of its input.  Scales are those of the code.
"""

import keras
from keras import KerasTensor, layers

from .layers import (
    branches, conv_bn_relu, down, linear, max_pool, path, pool_proj, reduction_a, stage, valid,
)


def stem(x: KerasTensor, name: str) -> KerasTensor:
    x = max_pool(conv_bn_relu(valid(down(x, 32), 32, 3), 64, 3))
    return max_pool(valid(conv_bn_relu(x, 80, 1), 192, 3), name)


def mixed_5b(x: KerasTensor, name: str) -> KerasTensor:
    return branches(
        path(x, (96, 1)),
        path(x, (48, 1), (64, 5)),
        path(x, (64, 1), (96, 3), (96, 3)),
        pool_proj(x, 64),
        name=name,
    )


def stem_paper(x: KerasTensor, name: str) -> KerasTensor:  # Figure 3, 7x1 before 1x7 as drawn
    x = conv_bn_relu(valid(down(x, 32), 32, 3), 64, 3)
    x = branches(max_pool(x), down(x, 96))
    tall = path(x, (64, 1), (64, (7, 1)), (64, (1, 7)))
    x = branches(valid(path(x, (64, 1)), 96, 3), valid(tall, 96, 3))
    return branches(down(x, 192), max_pool(x), name=name)


def inception_resnet_a(x: KerasTensor) -> KerasTensor:  # Figure 16
    return linear(
        x,
        path(x, (32, 1)),
        path(x, (32, 1), (32, 3)),
        path(x, (32, 1), (48, 3), (64, 3)),
    )


def inception_resnet_b(x: KerasTensor) -> KerasTensor:  # Figure 17
    return linear(x, path(x, (192, 1)), path(x, (128, 1), (160, (1, 7)), (192, (7, 1))))


def reduction_b(x: KerasTensor, name: str) -> KerasTensor:  # Figure 18
    return branches(
        down(path(x, (256, 1)), 384),
        down(path(x, (256, 1)), 288),
        down(path(x, (256, 1), (288, 3)), 320),
        max_pool(x),
        name=name,
    )


def inception_resnet_c(x: KerasTensor) -> KerasTensor:  # Figure 19
    return linear(x, path(x, (192, 1)), path(x, (192, 1), (224, (1, 3)), (256, (3, 1))))


def classifier(image: KerasTensor, x: KerasTensor) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(image, layers.Dense(1000, name="fc")(x))


def inception_resnet_v2() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = mixed_5b(stem(image, name="stem"), name="mixed_5b")
    x = stage(x, inception_resnet_a, 10, 0.17, name="inception_resnet_a")
    x = reduction_a(x, 256, 256, 384, 384, name="reduction_a")
    x = stage(x, inception_resnet_b, 20, 0.10, name="inception_resnet_b")
    x = reduction_b(x, name="reduction_b")
    x = stage(x, inception_resnet_c, 9, 0.20, name=None)
    x = layers.Add(name="inception_resnet_c")([x, inception_resnet_c(x)])
    return classifier(image, conv_bn_relu(x, 1536, 1, name="conv_7b"))


def inception_resnet_v2_paper() -> keras.Model:  # Figure 15
    image = keras.Input((299, 299, 3))
    x = stem_paper(image, name="stem")
    x = stage(x, inception_resnet_a, 5, 0.17, name="inception_resnet_a")
    x = reduction_a(x, 256, 256, 384, 384, name="reduction_a")
    x = stage(x, inception_resnet_b, 10, 0.10, name="inception_resnet_b")
    x = reduction_b(x, name="reduction_b")
    x = stage(x, inception_resnet_c, 5, 0.20, name="inception_resnet_c")
    return classifier(image, x)


MODELS = {
    "Inception-ResNet-v2": inception_resnet_v2,
    "Inception-ResNet-v2-paper": inception_resnet_v2_paper,
}
