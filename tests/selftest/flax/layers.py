"""Layers of Flax and JAX, by their name and spelt out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import nnx
from jax import numpy as jnp

from tests.selftest.rows import CHANNELS, Wrong


class Behind(nnx.Module):
    """The layer behind a convolution."""

    def __init__(self, make: Callable[[nnx.Rngs], Callable[[Any], Any]]) -> None:
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(3, CHANNELS, (3, 3), padding="VALID", rngs=rngs)
        self.layer = make(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(self.conv(x))


def of(function: Callable[[Any], Any]) -> Callable[[], nnx.Module]:
    return partial(Behind, lambda rngs: function)


def normed(**settings: Any) -> Callable[[], nnx.Module]:
    return partial(Behind, lambda rngs: nnx.GroupNorm(CHANNELS, **settings, rngs=rngs))


UP_TO_SIX = {"low": 0.0, "high": 6.0}
#: A model by name, with the kind and the attributes of its last layer.
LAYERS: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "group norm": (normed(num_groups=4), "group_norm", {"groups": 4, "epsilon": 1e-6}),
    "group norm by its size": (
        normed(num_groups=None, group_size=4, epsilon=1e-5),
        "group_norm",
        {"groups": 2, "epsilon": 1e-5},
    ),
    "layer norm": (
        partial(Behind, lambda rngs: nnx.LayerNorm(CHANNELS, rngs=rngs)),
        "layer_norm",
        {"epsilon": 1e-6},
    ),
    "prelu": (partial(Behind, lambda rngs: nnx.PReLU()), "prelu", {}),
    "leaky relu": (of(nnx.leaky_relu), "leaky_relu", {"slope": 0.01}),
    "elu": (of(partial(nnx.elu, alpha=0.7)), "elu", {"alpha": 0.7}),
    "celu": (of(partial(nnx.celu, alpha=0.7)), "celu", {"alpha": 0.7}),
    "gelu": (of(partial(nnx.gelu, approximate=False)), "gelu", {}),
    "gelu by tanh": (of(nnx.gelu), "gelu_by_tanh", {}),
    **{
        name: (of(getattr(jax.nn, name)), kind, {})
        for name, kind in {
            "hard_sigmoid": "hard_sigmoid",
            "hard_swish": "hard_swish",
            "silu": "silu",
            "mish": "mish",
            "softplus": "softplus",
            "soft_sign": "softsign",
            "selu": "selu",
            "log_sigmoid": "log_sigmoid",
        }.items()
    },
    "hard tanh by choices": (of(nnx.hard_tanh), "clip", {"low": -1.0, "high": 1.0}),
    "hard tanh": (of(lambda x: jnp.clip(x, -1, 1)), "clip", {"low": -1.0, "high": 1.0}),
    "relu6": (of(nnx.relu6), "clip", UP_TO_SIX),
    "relu6 by clip": (of(lambda x: jnp.clip(x, 0, 6)), "clip", UP_TO_SIX),
    "log softmax": (of(nnx.log_softmax), "log_softmax", {}),
}

WRONG = {
    "one group": Wrong(
        "group norm", normed(num_groups=1), "group_norm", "groups", 1, "it has 1 group, not 4"
    ),
    "another epsilon": Wrong(
        "group norm", normed(num_groups=4, epsilon=1e-3), "group_norm", "epsilon", 1e-3,
        "epsilon is 0.001, not 1e-06",
    ),
}  # fmt: skip
