"""Flax ports whose structure hides what is wrong."""

from typing import Any

import jax
import numpy as np
from flax import nnx

from tests.selftest.flax import row
from tests.selftest.rows import Wrong


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


CIFAR = "ResNet-20-CIFAR"

HIDDEN: dict[str, Wrong] = {
    "shared convolution": row(
        CIFAR,
        shared_convolution,
        "stage1/2/2",
        cause="its kernel is that of stage1.layers.1.layers.0.residual.layers.0",
    ),
    "SiLU": row(CIFAR, silu, "stage1/2/1 relu", cause="silu (swish) stands in its place"),
    "GELU": row(CIFAR, gelu, "stage2/2/1 relu", cause="gelu (by tanh) stands in its place"),
    "called back": row(CIFAR, called_back, "stage1/2/1 relu", cause="it is cut off above 1"),
}
