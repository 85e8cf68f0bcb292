"""Layers of Keras, by their name and spelt out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from tests.selftest.rows import CHANNELS, SIZE, Wrong


def behind(layer: Callable[[Any], Any]) -> keras.Model:
    """The layer behind a convolution."""
    image = keras.Input(SIZE)
    return keras.Model(image, layer(layers.Conv2D(CHANNELS, 3)(image)))


def cut(low: float, high: float) -> Callable[[], keras.Model]:
    return partial(behind, lambda x: ops.clip(x, low, high))


def normed(groups: int, epsilon: float) -> Callable[[], keras.Model]:
    return lambda: behind(layers.GroupNormalization(groups, epsilon=epsilon))


UP_TO_SIX = {"low": 0.0, "high": 6.0}
#: A model by name, with the kind and the attributes of its last layer.
LAYERS: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "group norm": (normed(4, 1e-3), "group_norm", {"groups": 4, "epsilon": 1e-3}),
    "layer norm": (normed(1, 1e-2), "group_norm", {"groups": 1, "epsilon": 1e-2}),
    "hard tanh": (cut(-1.0, 1.0), "clip", {"low": -1.0, "high": 1.0}),
    "relu6": (partial(behind, ops.relu6), "clip", UP_TO_SIX),
    "relu6 by its largest": (partial(behind, layers.ReLU(6.0)), "clip", UP_TO_SIX),
    "log softmax": (partial(behind, ops.log_softmax), "log_softmax", {}),
}

WRONG = {
    "two groups": Wrong(
        "group norm", normed(2, 1e-3), "group_norm", "groups", 2, "it has 2 groups, not 4"
    ),
    "another epsilon": Wrong(
        "group norm", normed(4, 1e-5), "group_norm", "epsilon", 1e-5, "epsilon is 1e-05, not 0.001"
    ),
}
