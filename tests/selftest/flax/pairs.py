"""Pairs of JAX models with weights of their own, in NNX, in Linen and without any library."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jax import lax

from tests.selftest import mistakes
from tests.selftest.flax import Same
from tests.selftest.rows import beside

SIZE = (12, 12, 3)


class Network(nnx.Module):
    """A convolution with its norm, and two dense layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(3, 16, (3, 3), padding=1, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.hidden = nnx.Linear(12 * 12 * 16, 24, rngs=rngs)
        self.output = nnx.Linear(24, 24, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm(self.stem(x)))
        return self.output(nnx.relu(self.hidden(x.reshape(len(x), -1))))


def network(change: Callable[[Any], None] = lambda model: None) -> Network:
    """A network that is the same in every call, its norm as if it had seen data."""
    model = Network(nnx.Rngs(1))
    norm = model.norm
    slots: Any = norm.scale, norm.bias, norm.mean, norm.var, model.hidden.bias, model.stem.bias
    for key, slot in zip(jax.random.split(jax.random.key(2), 6), slots, strict=True):
        slot.set_value(jax.random.uniform(key, slot.get_value().shape, minval=0.5, maxval=1.5))
    change(model)
    return model


class Opened:
    """What the network stores, which is in neutral layout."""

    NAMES = {"gamma": "scale", "beta": "bias", "variance": "var"}

    def __init__(self, model: Any) -> None:
        self.model = model

    def _variable(self, name: str) -> Any:
        layer, slot = name.split(".")
        return getattr(getattr(self.model, layer), self.NAMES.get(slot, slot))

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self._variable(name).get_value())

    def __setitem__(self, name: str, array: np.ndarray) -> None:
        self._variable(name).set_value(jnp.asarray(array, jnp.float32))


def mistaken(mistake: Callable[[Opened], None]) -> Network:
    """The network after a mistake in what it stores."""
    return network(lambda model: mistake(Opened(model)))


def bias_forgotten() -> Network:
    model: Any = network()
    model.stem.use_bias, model.stem.bias = False, None
    return model


def folded(slip: str = "") -> Network:
    """The network with its norm folded into the stem."""
    model: Any = network()
    model.norm = Same()
    mistakes.folded(Opened(network()), Opened(model), 1e-5, slip)
    return model


folded_rightly = folded
mean_not_scaled = partial(folded, "mean")
folded_without_epsilon = partial(folded, "epsilon")


def pair() -> tuple[Callable[[Any, Any], Any], dict[str, jax.Array]]:
    """The same network and values in the layouts of PyTorch, as functions of a dictionary."""
    model = network()
    norm = model.norm
    hidden = model.hidden.kernel[...].reshape(12, 12, 16, 24).transpose(3, 2, 0, 1)
    arrays = {
        "w1": model.stem.kernel[...].transpose(3, 2, 0, 1),
        "b1": model.stem.bias[...],
        "gamma": norm.scale[...], "beta": norm.bias[...],
        "mean": norm.mean[...], "variance": norm.var[...],
        "w2": hidden.reshape(24, -1), "b2": model.hidden.bias[...],
        "w3": model.output.kernel[...].T, "b3": model.output.bias[...],
    }  # fmt: skip

    def apply(v: Any, x: Any) -> Any:
        layouts = ("NCHW", "OIHW", "NCHW")
        x = lax.conv_general_dilated(
            x.transpose(0, 3, 1, 2), v["w1"], (1, 1), [(1, 1), (1, 1)], dimension_numbers=layouts
        )
        b, mean, variance, gamma, beta = (
            v[name].reshape(1, -1, 1, 1) for name in ("b1", "mean", "variance", "gamma", "beta")
        )
        x = jax.nn.relu((x + b - mean) * lax.rsqrt(variance + 1e-5) * gamma + beta)
        x = jax.nn.relu(x.reshape(len(x), -1) @ v["w2"].T + v["b2"])
        return x @ v["w3"].T + v["b3"]

    return apply, arrays


class Linen(linen.Module):
    """A dense layer on a convolution; its weights are drawn when it is initialised."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = linen.relu(linen.Conv(8, (3, 3))(x))
        return linen.Dense(10)(x.reshape(len(x), -1))


def wrong_epsilon() -> Network:
    model = network()
    model.norm.epsilon = 1e-3
    return model


def smaller() -> nnx.Module:
    """The network without its last layer."""
    model: Any = network()
    model.output = nnx.Dropout(0.0)
    return model


PAIRS = {
    "the same": beside(network, network),
    "another layout": beside(network, pair),
    "linen": beside(Linen, Linen),
}


class Taught(nnx.Module):
    """A network that drops half of what its norm leaves."""

    def __init__(self, rate: float = 0.5, momentum: float = 0.9) -> None:
        rngs = nnx.Rngs(1)
        self.stem = nnx.Conv(3, 16, (3, 3), padding="VALID", rngs=rngs)
        self.norm = nnx.BatchNorm(16, momentum=momentum, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)
        self.output = nnx.Linear(10 * 10 * 16, 24, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.drop(nnx.relu(self.norm(self.stem(x))))
        return self.output(x.reshape(len(x), -1))


TAUGHT = {
    "the same": beside(Taught, Taught),
    "another rate": beside(Taught, partial(Taught, rate=0.4), "drop", attribute="rate", found=0.4),
    "another momentum": beside(
        Taught, partial(Taught, momentum=0.99), "norm", attribute="momentum", found=0.99
    ),
}

#: Models at their initial values, all of them usual.
STARTS = {"a network": Network, "linen": Linen}
