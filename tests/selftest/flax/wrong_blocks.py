"""Residual blocks in Flax, each with one bug on the way from the input to the output."""

import jax
from flax import nnx

from conformance.implementations.flax.layers import Residual, basic, conv_bn


class Doubled(Residual):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) + x


def unrectified(*, rngs: nnx.Rngs) -> nnx.Module:
    return Residual(basic(64, 64, 1, rngs=rngs))


def doubled(*, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.Sequential(Doubled(basic(64, 64, 1, rngs=rngs)), nnx.relu)


def plain(*, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.Sequential(basic(64, 64, 1, rngs=rngs), nnx.relu)


def projected(*, rngs: nnx.Rngs) -> nnx.Module:
    shortcut = conv_bn(64, 64, 1, rngs=rngs)
    return nnx.Sequential(Residual(basic(64, 64, 1, rngs=rngs), shortcut), nnx.relu)


WRONG = {
    "no ReLU after the sum": unrectified,
    "shortcut added twice": doubled,
    "no shortcut": plain,
    "projection on the shortcut": projected,
}
