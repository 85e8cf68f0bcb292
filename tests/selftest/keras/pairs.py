"""Pairs of Keras models with weights of their own: functional and subclassed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.selftest import mistakes
from tests.selftest.rows import beside

SIZE = (12, 12, 3)


def seeded(epsilon: float = 1e-5, norm: bool = True, bias: bool = True) -> Any:
    """A convolution with its norm and two dense layers, at the same values in every call."""
    keras.utils.set_random_seed(1)
    x = image = keras.Input(SIZE)
    x = layers.Conv2D(16, 3, padding="same", name="stem", use_bias=bias)(x)
    if norm:
        x = layers.BatchNormalization(epsilon=epsilon, name="norm")(x)
    x = layers.Flatten()(layers.ReLU()(x))
    x = layers.Dense(24, "relu", name="hidden")(x)
    return keras.Model(image, layers.Dense(24, name="output")(x))


def network(**options: Any) -> Any:
    """The network, its norm as if it had seen data."""
    model = seeded(**options)
    generator = np.random.default_rng(2)
    biases = (model.get_layer(name).bias for name in ("hidden", "stem"))
    for variable in (*model.get_layer("norm").variables, *biases):
        if variable is not None:
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return model


class Opened:
    """What the network stores, which is in neutral layout."""

    NAMES = {"mean": "moving_mean", "variance": "moving_variance"}

    def __init__(self, model: Any) -> None:
        self.model = model

    def _variable(self, name: str) -> Any:
        layer, slot = name.split(".")
        return getattr(self.model.get_layer(layer), self.NAMES.get(slot, slot))

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(keras.ops.convert_to_numpy(self._variable(name)))

    def __setitem__(self, name: str, array: np.ndarray) -> None:
        self._variable(name).assign(np.ascontiguousarray(array, np.float32))


def mistaken(mistake: Callable[[Opened], None]) -> Any:
    """The network after a mistake in what it stores."""
    model = network()
    mistake(Opened(model))
    return model


def bias_forgotten() -> Any:
    return network(bias=False)


def folded(slip: str = "") -> Any:
    """The network with its norm folded into the stem."""
    model = seeded(norm=False)
    mistakes.folded(Opened(network()), Opened(model), 1e-5, slip)
    return model


folded_rightly = folded
mean_not_scaled = partial(folded, "mean")
folded_without_epsilon = partial(folded, "epsilon")


class Subclassed(keras.Model):
    """The same layers; they get their weights when the model is first called."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2D(16, 3, padding="same")
        self.norm = layers.BatchNormalization(epsilon=1e-5)
        self.flat = layers.Flatten()
        self.hidden = layers.Dense(24, "relu")
        self.out = layers.Dense(24)

    def call(self, x: Any, training: bool = False) -> Any:
        x = keras.ops.relu(self.norm(self.stem(x), training=training))
        return self.out(self.hidden(self.flat(x)))


def converted() -> Any:
    """The subclassed model with the other one's values."""
    model = Subclassed()
    model(np.zeros((1, *SIZE), "float32"))
    model.set_weights(network().get_weights())
    return model


def wrong_epsilon() -> Any:
    return network(epsilon=1e-3)


def smaller() -> Any:
    """The network without its last layer."""
    model = network()
    return keras.Model(model.inputs, model.get_layer("hidden").output)


PAIRS = {
    "the same": beside(network, network),
    "subclassed": beside(network, converted),
}


def taught(rate: float = 0.5, momentum: float = 0.9) -> Any:
    """A network that drops half of what its norm leaves."""
    x = image = keras.Input(SIZE)
    x = layers.Conv2D(16, 3, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum, name="norm")(x))
    x = layers.Flatten()(layers.Dropout(rate, name="drop")(x))
    return keras.Model(image, layers.Dense(24, name="output")(x))


TAUGHT = {
    "the same": beside(taught, taught),
    "another rate": beside(taught, partial(taught, rate=0.4), "drop", attribute="rate", found=0.4),
    "another momentum": beside(
        taught, partial(taught, momentum=0.99), "norm", attribute="momentum", found=0.99
    ),
}

#: Models at their initial values, all of them usual.
STARTS = {"a network": seeded, "subclassed": Subclassed}
