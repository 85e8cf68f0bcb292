"""VGG, after Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), table 1.

Input 224x224x3.  Section 3.1 drops out half of the first two fully connected layers' outputs.
A-LRN takes AlexNet's normalisation with AlexNet's constants.  E-BN, with batch norm after every
convolution, is the baseline of the ResNet paper; the convolutions keep their biases and epsilon
is 1e-5, as in the released models.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import KerasTensor, layers

from .layers import LocalResponseNorm

Cell = tuple[Callable[..., layers.Layer], ...]  # of the table, from top to bottom


def conv3(maps: int, **kwargs: str) -> layers.Layer:
    return layers.Conv2D(maps, 3, padding="same", activation="relu", **kwargs)


def conv3_bn(maps: int, **kwargs: str) -> layers.Layer:
    convolution = layers.Conv2D(maps, 3, padding="same")
    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    return keras.Sequential([convolution, norm, layers.ReLU()], **kwargs)


def conv1(maps: int, **kwargs: str) -> layers.Layer:
    return layers.Conv2D(maps, 1, activation="relu", **kwargs)


def norm(maps: int, **kwargs: Any) -> layers.Layer:
    return LocalResponseNorm(k=2, alpha=1e-4, **kwargs)


def block(x: KerasTensor, maps: int, cell: Cell, name: str) -> KerasTensor:
    for layer in cell[:-1]:
        x = layer(maps)(x)
    return cell[-1](maps, name=name)(x)


def pool(x: KerasTensor, name: str) -> KerasTensor:
    return layers.MaxPooling2D(2, name=name)(x)


def fc(units: int, name: str) -> layers.Layer:
    dense = layers.Dense(units, activation="relu")
    return keras.Sequential([dense, layers.Dropout(0.5)], name=name)


def vgg(*cells: Cell) -> keras.Model:
    x = image = keras.Input((224, 224, 3))
    x = pool(block(x, 64, cells[0], name="conv1"), name="pool1")
    x = pool(block(x, 128, cells[1], name="conv2"), name="pool2")
    x = pool(block(x, 256, cells[2], name="conv3"), name="pool3")
    x = pool(block(x, 512, cells[3], name="conv4"), name="pool4")
    x = pool(block(x, 512, cells[4], name="conv5"), name="pool5")
    x = fc(4096, name="fc6")(layers.Flatten()(x))
    x = fc(4096, name="fc7")(x)
    return keras.Model(image, layers.Dense(1000, name="fc8")(x))


ONE = (conv3,)
TWO = (conv3, conv3)
THREE = (conv3, conv3, conv3)
FOUR = (conv3, conv3, conv3, conv3)
TWO_BN = (conv3_bn, conv3_bn)
FOUR_BN = (conv3_bn, conv3_bn, conv3_bn, conv3_bn)
TWO_AND_1X1 = (conv3, conv3, conv1)

MODELS = {
    "VGG-A": partial(vgg, ONE, ONE, TWO, TWO, TWO),
    "VGG-A-LRN": partial(vgg, (conv3, norm), ONE, TWO, TWO, TWO),
    "VGG-B": partial(vgg, TWO, TWO, TWO, TWO, TWO),
    "VGG-C": partial(vgg, TWO, TWO, TWO_AND_1X1, TWO_AND_1X1, TWO_AND_1X1),
    "VGG-D": partial(vgg, TWO, TWO, THREE, THREE, THREE),
    "VGG-E": partial(vgg, TWO, TWO, FOUR, FOUR, FOUR),
    "VGG-E-BN": partial(vgg, TWO_BN, TWO_BN, FOUR_BN, FOUR_BN, FOUR_BN),
}
