"""Flax ports whose structure hides what is wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from conformance.implementations.flax import resnet_cifar
from tests.selftest.hidden import Hidden


def planted(bug: Callable[[Any], None]) -> nnx.Module:
    model = resnet_cifar.MODELS["ResNet-20-CIFAR"](rngs=nnx.Rngs(0))
    bug(model)
    return model


def shared_convolution(model: Any) -> None:
    """One module, used where the paper has two layers."""
    first, _, second = model.stage1.layers[1].layers[0].residual.layers
    second.layers[0] = first.layers[0]


def silu(model: Any) -> None:
    model.stage1.layers[1].layers[0].residual.layers[1] = nnx.silu


def gelu(model: Any) -> None:
    model.stage2.layers[1].layers[0].residual.layers[1] = nnx.gelu


def called_back(model: Any) -> None:
    model.stage1.layers[1].layers[0].residual.layers[1] = outside


def outside(x: jax.Array) -> jax.Array:
    """A ReLU by NumPy, and cut off."""
    return jax.pure_callback(
        lambda values: np.clip(values, 0, 1), jax.ShapeDtypeStruct(x.shape, x.dtype), x
    )


def hides(bug: Callable[[Any], None], node: str, cause: str) -> Hidden:
    return Hidden("ResNet-20-CIFAR", partial(planted, bug), (node,), cause)


HIDDEN: dict[str, Hidden] = {
    "shared convolution": hides(
        shared_convolution,
        "stage1/2/2",
        "its kernel is that of stage1.layers.1.layers.0.residual.layers.0",
    ),
    "SiLU": hides(silu, "stage1/2/1 relu", "silu (swish) stands in its place"),
    "GELU": hides(gelu, "stage2/2/1 relu", "gelu (by tanh) stands in its place"),
    "called back": hides(called_back, "stage1/2/1 relu", "it is cut off above 1"),
}
