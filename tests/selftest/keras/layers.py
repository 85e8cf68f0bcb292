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
    "layer norm": (
        lambda: behind(layers.LayerNormalization(epsilon=1e-2)),
        "layer_norm",
        {"epsilon": 1e-2},
    ),
    "prelu": (lambda: behind(layers.PReLU()), "prelu", {}),
    "prelu of a slope a channel": (lambda: behind(layers.PReLU(shared_axes=(1, 2))), "prelu", {}),
    "elu": (lambda: behind(layers.ELU(0.7)), "elu", {"alpha": 0.7}),
    "celu": (partial(behind, partial(ops.celu, alpha=0.7)), "celu", {"alpha": 0.7}),
    "soft shrink": (partial(behind, ops.soft_shrink), "soft_shrink", {"least": 0.5}),
    **{
        name: (partial(behind, getattr(keras.activations, name)), kind, {})
        for name, kind in {
            "hard_sigmoid": "hard_sigmoid",
            "silu": "silu",
            "softplus": "softplus",
            "softsign": "softsign",
            "selu": "selu",
            "log_sigmoid": "log_sigmoid",
            "tanh_shrink": "tanh_shrink",
        }.items()
    },
    "norm of one group": (normed(1, 1e-2), "group_norm", {"groups": 1, "epsilon": 1e-2}),
    "hard tanh": (cut(-1.0, 1.0), "clip", {"low": -1.0, "high": 1.0}),
    "relu6": (partial(behind, ops.relu6), "clip", UP_TO_SIX),
    "relu6 by its largest": (partial(behind, layers.ReLU(6.0)), "clip", UP_TO_SIX),
    "log softmax": (partial(behind, ops.log_softmax), "log_softmax", {}),
    "hard swish": (partial(behind, ops.hard_silu), "hard_swish", {}),
    "mish": (lambda: behind(layers.Activation("mish")), "mish", {}),
}

#: Layers in which TensorFlow has a constant in single precision, also where it computes in double.
ROUNDED: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "leaky relu": (lambda: behind(layers.LeakyReLU(0.2)), "leaky_relu", {"slope": 0.2}),
    "gelu": (partial(behind, partial(ops.gelu, approximate=False)), "gelu", {}),
    "gelu by tanh": (partial(behind, ops.gelu), "gelu_by_tanh", {}),
}

WRONG = {
    "two groups": Wrong(
        "group norm", normed(2, 1e-3), "group_norm", "groups", 2, "it has 2 groups, not 4"
    ),
    "another epsilon": Wrong(
        "group norm", normed(4, 1e-5), "group_norm", "epsilon", 1e-5, "epsilon is 1e-05, not 0.001"
    ),
}
