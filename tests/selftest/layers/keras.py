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


def cut(low: float, high: float) -> Callable[[], keras.Model]:
    return partial(behind, lambda x: ops.clip(x, low, high))


UP_TO_SIX = {"low": 0.0, "high": 6.0}
LAYERS = {
    "hard tanh": Layer(cut(-1.0, 1.0), "clip", {"low": -1.0, "high": 1.0}),
    "relu6": Layer(partial(behind, ops.relu6), "clip", UP_TO_SIX),
    "relu6 by its largest": Layer(partial(behind, layers.ReLU(6.0)), "clip", UP_TO_SIX),
    "log softmax": Layer(partial(behind, ops.log_softmax), "log_softmax"),
}
