"""Pairs of Keras models with weights of their own: functional and subclassed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.selftest.rows import Pair, Start

SIZE = (12, 12, 3)


def seeded(epsilon: float = 1e-3, kernel: Any = "glorot_uniform") -> Any:
    """A convolution with its norm and two dense layers, at the same values in every call."""
    keras.utils.set_random_seed(1)
    x = image = keras.Input(SIZE)
    x = layers.Conv2D(16, 3, padding="same", name="stem")(x)
    x = layers.BatchNormalization(epsilon=epsilon, name="norm")(x)
    x = layers.Flatten()(layers.ReLU()(x))
    x = layers.Dense(24, "relu", name="hidden", kernel_initializer=kernel)(x)
    return keras.Model(image, layers.Dense(24, name="output")(x))


def network(change: Callable[[Any], None] = lambda model: None, **options: Any) -> Any:
    """The network, its norm as if it had seen data, after one mistake."""
    model = seeded(**options)
    generator = np.random.default_rng(2)
    for variable in model.get_layer("norm").variables:
        variable.assign(generator.uniform(0.5, 1.5, 16))
    change(model)
    return model


def transposed(model: Any) -> None:
    """A square kernel taken over from where it is stored the other way round."""
    kernel = model.get_layer("output").kernel
    kernel.assign(np.transpose(kernel.numpy()))


class Subclassed(keras.Model):
    """The same layers; they get their weights when the model is first called."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2D(16, 3, padding="same")
        self.norm = layers.BatchNormalization()
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
    return network(epsilon=1e-5)


def smaller() -> Any:
    """The network without its last layer."""
    model = network()
    return keras.Model(model.inputs, model.get_layer("hidden").output)


PAIRS = {
    "the same": Pair(network, network, SIZE),
    "subclassed": Pair(network, converted, SIZE),
    "in and out swapped": Pair(
        network, partial(network, transposed), SIZE, "output", "kernel", "transposed", "output"
    ),
    "epsilon": Pair(network, partial(network, epsilon=1e-5), SIZE, "norm", "epsilon", 1e-5, "norm"),
}


def taught(rate: float = 0.5, momentum: float = 0.9) -> Any:
    """A network that drops half of what its norm leaves."""
    x = image = keras.Input(SIZE)
    x = layers.Conv2D(16, 3, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum, name="norm")(x))
    x = layers.Flatten()(layers.Dropout(rate, name="drop")(x))
    return keras.Model(image, layers.Dense(24, name="output")(x))


TAUGHT = {
    "the same": Pair(taught, taught, SIZE),
    "another rate": Pair(taught, partial(taught, rate=0.4), SIZE, "drop", "rate", 0.4),
    "another momentum": Pair(
        taught, partial(taught, momentum=0.99), SIZE, "norm", "momentum", 0.99
    ),
}

STARTS = {
    "right": Start(seeded, SIZE),
    "subclassed": Start(Subclassed, SIZE),
    "zero kernel": Start(partial(seeded, kernel="zeros"), SIZE, "hidden", "all zero"),
    "twenty times": Start(
        partial(
            seeded,
            kernel=keras.initializers.VarianceScaling(400.0, "fan_avg", "uniform", seed=0),
        ),
        SIZE, "hidden", "20 times",
    ),
}  # fmt: skip
