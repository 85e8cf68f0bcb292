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

from .inception_resnet_v1 import linear, stage
from .inception_v2 import average_pool, concat, conv_bn, convs
from .inception_v3 import max_pool
from .inception_v4 import reduction_a


def stem(x: KerasTensor, name: str) -> KerasTensor:
    x = max_pool(convs(x, (32, 3, 2, "valid"), (32, 3, 1, "valid"), (64, 3)))
    return max_pool(convs(x, (80, 1), (192, 3, 1, "valid")), name=name)


def mixed_5b(x: KerasTensor, name: str) -> KerasTensor:
    return concat(
        convs(x, (96, 1)),
        convs(x, (48, 1), (64, 5)),
        convs(x, (64, 1), (96, 3), (96, 3)),
        convs(average_pool(x), (64, 1)),
        name=name,
    )


def stem_of_the_paper(x: KerasTensor, name: str) -> KerasTensor:  # Figure 3
    x = convs(x, (32, 3, 2, "valid"), (32, 3, 1, "valid"), (64, 3))
    x = concat(max_pool(x), conv_bn(x, 96, 3, 2, "valid"))
    x = concat(
        convs(x, (64, 1), (96, 3, 1, "valid")),
        convs(x, (64, 1), (64, (7, 1)), (64, (1, 7)), (96, 3, 1, "valid")),
    )
    return concat(conv_bn(x, 192, 3, 2, "valid"), max_pool(x), name=name)


def inception_resnet_a(x: KerasTensor) -> KerasTensor:  # Figure 16
    return linear(
        x,
        convs(x, (32, 1)),
        convs(x, (32, 1), (32, 3)),
        convs(x, (32, 1), (48, 3), (64, 3)),
    )


def inception_resnet_b(x: KerasTensor) -> KerasTensor:  # Figure 17
    return linear(x, convs(x, (192, 1)), convs(x, (128, 1), (160, (1, 7)), (192, (7, 1))))


def reduction_b(x: KerasTensor, name: str) -> KerasTensor:  # Figure 18
    return concat(
        convs(x, (256, 1), (384, 3, 2, "valid")),
        convs(x, (256, 1), (288, 3, 2, "valid")),
        convs(x, (256, 1), (288, 3), (320, 3, 2, "valid")),
        max_pool(x),
        name=name,
    )


def inception_resnet_c(x: KerasTensor) -> KerasTensor:  # Figure 19
    return linear(x, convs(x, (192, 1)), convs(x, (192, 1), (224, (1, 3)), (256, (3, 1))))


def classify(image: KerasTensor, x: KerasTensor) -> keras.Model:
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
    return classify(image, conv_bn(x, 1536, 1, name="conv_7b"))


def figure_15() -> keras.Model:
    image = keras.Input((299, 299, 3))
    x = stem_of_the_paper(image, name="stem")
    x = stage(x, inception_resnet_a, 5, 0.17, name="inception_resnet_a")
    x = reduction_a(x, 256, 256, 384, 384, name="reduction_a")
    x = stage(x, inception_resnet_b, 10, 0.10, name="inception_resnet_b")
    x = reduction_b(x, name="reduction_b")
    x = stage(x, inception_resnet_c, 5, 0.20, name="inception_resnet_c")
    return classify(image, x)


MODELS = {"Inception-ResNet-v2": inception_resnet_v2, "Inception-ResNet-v2-paper": figure_15}
