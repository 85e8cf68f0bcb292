"""Residual blocks in Flax, each with one bug on the way from the input to the output."""

from functools import partial

import jax
from flax import nnx

from conformance.implementations.flax.resnet import Residual, basic, conv_bn, plain


class WithoutReLU(Residual):
    def __call__(self, x: jax.Array) -> jax.Array:
        return self.residual(x) + x


class Doubled(Residual):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.residual(x) + x + x)


def block(kind: type[Residual], *, rngs: nnx.Rngs) -> Residual:
    return kind(basic(64, 64, 1, rngs=rngs))


def projected(*, rngs: nnx.Rngs) -> Residual:
    return Residual(basic(64, 64, 1, rngs=rngs), conv_bn(64, 64, 1, rngs=rngs))


WRONG = {
    "no ReLU after the sum": partial(block, WithoutReLU),
    "shortcut added twice": partial(block, Doubled),
    "no shortcut": partial(plain, basic, 64, 64, 1, 1),
    "projection on the shortcut": projected,
}
