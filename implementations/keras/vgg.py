"""VGG, after Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), table 1.

Input 224x224x3.  Section 3.1 drops out half of the first two fully connected layers' outputs.
A-LRN takes AlexNet's normalisation with AlexNet's constants.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import KerasTensor, layers

from implementations.keras.alexnet import LocalResponseNormalization

Block = tuple[Callable[..., layers.Layer], ...]  # A cell of the table, from top to bottom.


def conv3(maps: int, **kwargs: str) -> layers.Layer:
    return layers.Conv2D(maps, 3, padding="same", activation="relu", **kwargs)


def conv1(maps: int, **kwargs: str) -> layers.Layer:
    return layers.Conv2D(maps, 1, activation="relu", **kwargs)


def lrn(maps: int, **kwargs: str) -> layers.Layer:
    return LocalResponseNormalization(**kwargs)


def fc(x: KerasTensor, units: int, name: str) -> KerasTensor:
    x = layers.Dense(units, activation="relu", name=name)(x)
    return layers.Dropout(0.5)(x)


def vgg(*blocks: Block) -> keras.Model:
    x = image = keras.Input((224, 224, 3))
    for number, (maps, block) in enumerate(zip((64, 128, 256, 512, 512), blocks, strict=True), 1):
        for layer in block[:-1]:
            x = layer(maps)(x)
        x = block[-1](maps, name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten()(x)
    x = fc(x, 4096, name="fc6")
    x = fc(x, 4096, name="fc7")
    return keras.Model(image, layers.Dense(1000, name="fc8")(x))


ONE = (conv3,)
TWO = (conv3, conv3)
THREE = (conv3, conv3, conv3)
FOUR = (conv3, conv3, conv3, conv3)
TWO_AND_1X1 = (conv3, conv3, conv1)

MODELS = {
    "VGG-A": partial(vgg, ONE, ONE, TWO, TWO, TWO),
    "VGG-A-LRN": partial(vgg, (conv3, lrn), ONE, TWO, TWO, TWO),
    "VGG-B": partial(vgg, TWO, TWO, TWO, TWO, TWO),
    "VGG-C": partial(vgg, TWO, TWO, TWO_AND_1X1, TWO_AND_1X1, TWO_AND_1X1),
    "VGG-D": partial(vgg, TWO, TWO, THREE, THREE, THREE),
    "VGG-E": partial(vgg, TWO, TWO, FOUR, FOUR, FOUR),
}
