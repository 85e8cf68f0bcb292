"""Pairs of JAX models with weights of their own, in NNX, in Linen and without any library."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen, nnx
from jax import lax

from tests.selftest.rows import Pair, Start

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


def network(change: Callable[[Any], None] = lambda model: None, trained: bool = True) -> Network:
    """A network that is the same in every call, after one mistake."""
    model = Network(nnx.Rngs(1))
    if trained:
        keys = jax.random.split(jax.random.key(2), 4)
        slots = (model.norm.scale, model.norm.bias, model.norm.mean, model.norm.var)
        for key, slot in zip(keys, slots, strict=True):
            slot.set_value(jax.random.uniform(key, (16,), minval=0.5, maxval=1.5))
    change(model)
    return model


def put(path: str, how: Callable[[jax.Array], jax.Array]) -> Callable[[Any], None]:
    """A mistake that stores one array otherwise."""

    def change(model: Any) -> None:
        layer, name = path.split(".")
        variable = getattr(getattr(model, layer), name)
        variable.set_value(how(variable.get_value()))

    return change


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


def epsilon(model: Any) -> None:
    """Keras's epsilon."""
    model.norm.epsilon = 1e-3


def wrong_epsilon() -> Network:
    return network(epsilon)


def smaller() -> nnx.Module:
    """The network without its last layer."""
    model: Any = network()
    model.output = nnx.Dropout(0.0)
    return model


def _wrong(change: Callable[[Any], None], node: str, attribute: str, found: Any) -> Pair:
    return Pair(network, partial(network, change), SIZE, node, attribute, found, node)


PAIRS = {
    "the same": Pair(network, network, SIZE),
    "another layout": Pair(network, pair, SIZE),
    "linen": Pair(Linen, Linen, SIZE),
    "in and out swapped": _wrong(
        put("output.kernel", jnp.transpose), "output", "kernel", "transposed"
    ),
    "epsilon": _wrong(epsilon, "norm", "epsilon", 1e-3),
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
    "the same": Pair(Taught, Taught, SIZE),
    "another rate": Pair(Taught, partial(Taught, rate=0.4), SIZE, "drop", "rate", 0.4),
    "another momentum": Pair(
        Taught, partial(Taught, momentum=0.99), SIZE, "norm", "momentum", 0.99
    ),
}

STARTS = {
    "right": Start(partial(network, trained=False), SIZE),
    "linen": Start(Linen, SIZE),
    "zero kernel": Start(
        partial(network, put("hidden.kernel", jnp.zeros_like), trained=False),
        SIZE, "hidden", "all zero",
    ),
    "ten times": Start(
        partial(network, put("hidden.kernel", lambda w: 10 * w), trained=False),
        SIZE, "hidden", "10 times",
    ),
}  # fmt: skip
