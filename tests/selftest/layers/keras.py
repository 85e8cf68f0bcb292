"""Layers of Keras, by their name and spelt out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from tests.selftest.layers import CHANNELS, SIZE, Layer


def behind(layer: Callable[[Any], Any]) -> keras.Model:
    """The layer behind a convolution."""
    image = keras.Input(SIZE)
    return keras.Model(image, layer(layers.Conv2D(CHANNELS, 3)(image)))


NAMELESS = partial(behind, lambda x: ops.clip(x, -1.0, 1.0))
LAYERS = {
    "relu6": Layer(partial(behind, ops.relu6), "relu6"),
    "relu6 by its largest": Layer(partial(behind, lambda x: layers.ReLU(6.0)(x)), "relu6"),
    "log softmax": Layer(partial(behind, ops.log_softmax), "log_softmax"),
}
