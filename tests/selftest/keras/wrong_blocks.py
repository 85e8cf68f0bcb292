"""Residual blocks in Keras, each with one bug on the way from the input to the output."""

from collections.abc import Callable

import keras
from keras import KerasTensor, layers

from conformance.implementations.keras.layers import basic, conv_bn


def block(figure: Callable[[KerasTensor], KerasTensor]) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        image = keras.Input((14, 14, 64))
        return keras.Model(image, figure(image))

    return build


WRONG = {
    "no ReLU after the sum": block(lambda x: layers.Add()([basic(x, 64, 1), x])),
    "shortcut added twice": block(lambda x: layers.ReLU()(layers.Add()([basic(x, 64, 1), x, x]))),
    "no shortcut": block(lambda x: layers.ReLU()(basic(x, 64, 1))),
    "projection on the shortcut": block(
        lambda x: layers.ReLU()(layers.Add()([basic(x, 64, 1), conv_bn(x, 64, 1)]))
    ),
}
