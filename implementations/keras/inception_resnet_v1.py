"""Inception-ResNet-v1, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and
the Impact of Residual Connections on Learning" (2016), figure 15, and facenet, its first release.

Input 299x299x3; facenet 160x160x3.  The paper is silent on the linear convolutions, which have
biases and no batch norm in all released code, and on the scale of the residuals but for "between
0.1 and 0.3"; the scales are those of the code.  Facenet has a sixth C block that is neither scaled
nor rectified, ends in an embedding, before its normalisation, and has 0.995 for the 0.9997 of the
authors' code as momentum.
"""

import keras
from keras import KerasTensor, layers

from .layers import branches, conv_bn_relu, down, linear, max_pool, path, reduction_a, stage, valid


def stem(x: KerasTensor, name: str) -> KerasTensor:  # Figure 14
    x = max_pool(conv_bn_relu(valid(down(x, 32), 32, 3), 64, 3))
    return down(valid(conv_bn_relu(x, 80, 1), 192, 3), 256, name)


def inception_resnet_a(x: KerasTensor) -> KerasTensor:  # Figure 10
    return linear(
        x,
        path(x, (32, 1)),
        path(x, (32, 1), (32, 3)),
        path(x, (32, 1), (32, 3), (32, 3)),
    )


def inception_resnet_b(x: KerasTensor) -> KerasTensor:  # Figure 11
    return linear(x, path(x, (128, 1)), path(x, (128, 1), (128, (1, 7)), (128, (7, 1))))


def reduction_b(x: KerasTensor, name: str) -> KerasTensor:  # Figure 12
    return branches(
        down(path(x, (256, 1)), 384),
        down(path(x, (256, 1)), 256),
        down(path(x, (256, 1), (256, 3)), 256),
        max_pool(x),
        name=name,
    )


def inception_resnet_c(x: KerasTensor) -> KerasTensor:  # Figure 13
    return linear(x, path(x, (192, 1)), path(x, (192, 1), (192, (1, 3)), (192, (3, 1))))


def trunk(image: KerasTensor) -> KerasTensor:  # Figure 15, up to the last blocks
    x = stem(image, name="stem")
    x = stage(x, inception_resnet_a, 5, 0.17, name="inception_resnet_a")
    x = reduction_a(x, 192, 192, 256, 384, name="reduction_a")
    x = stage(x, inception_resnet_b, 10, 0.10, name="inception_resnet_b")
    return reduction_b(x, name="reduction_b")


def inception_resnet_v1() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = stage(trunk(image), inception_resnet_c, 5, 0.20, name="inception_resnet_c")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(image, layers.Dense(1000, name="fc")(x))


def facenet() -> keras.Model:
    image = keras.Input((160, 160, 3))
    x = stage(trunk(image), inception_resnet_c, 5, 0.20, name=None)
    x = layers.Add(name="inception_resnet_c")([x, inception_resnet_c(x)])
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.6, name="dropout")(x)
    x = layers.Dense(512, use_bias=False)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name="bottleneck")(x)
    model = keras.Model(image, x)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.995
    return model


MODELS = {"Inception-ResNet-v1": inception_resnet_v1, "Inception-ResNet-v1-facenet": facenet}
