"""Bugs that training alone shows, in either pass, or that stand in what a network starts from."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.implementations.flax import googlenet
from tests.selftest.flax import Also, Same


def keep_for_drop(model: Any) -> None:
    model.dropout.rate = 0.6


def other_rate(model: Any) -> None:
    model.dropout7.rate = 0.4


def dropout_missing(model: Any) -> None:
    model.dropout6 = Same()


def dropout_after_dense(model: Any) -> None:
    model.fc7 = nnx.Sequential(model.fc7, model.dropout6)
    model.dropout6 = Same()


def dropout_added(model: Any) -> None:
    model.fc = nnx.Sequential(nnx.Dropout(0.5, rngs=nnx.Rngs(0)), model.fc)


def rate_in_the_head(model: Any) -> None:
    model.aux_4a.drop.rate = 0.4


def momentum_mixed_up(model: Any) -> None:
    for norm in norms(model):
        norm.momentum = 0.1


def other_momentum(model: Any) -> None:
    for norm in norms(model.stage2):
        norm.momentum = 0.99


def norms(model: nnx.Module) -> list[nnx.BatchNorm]:
    return [module for _, module in nnx.iter_modules(model) if isinstance(module, nnx.BatchNorm)]


def frozen_norm(model: Any) -> None:
    model.stage1.layers[1].residual.layers[0].layers[1].__class__ = Frozen


class Frozen(nnx.BatchNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x, use_running_average=True)


def other_variance(model: Any) -> None:
    for norm in norms(model.stage3):
        norm.__class__ = Unbiased


class Unbiased(nnx.BatchNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average:
            return super().__call__(x)
        count = x.size // x.shape[-1]
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        self.mean[...] = 0.9 * self.mean + 0.1 * mean
        self.var[...] = 0.9 * self.var + 0.1 * variance * count / (count - 1)
        return (x - mean) * jax.lax.rsqrt(variance + self.epsilon) * self.scale + self.bias


def head_on_4b(model: Any) -> None:
    model.__class__ = HeadOn4b


class HeadOn4b(googlenet.GoogLeNet):
    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, ...]:
        x = self.pool2(self.conv2(self.pool1(self.conv1(x))))
        x = self.pool3(self.inception_3b(self.inception_3a(x)))
        side_4b = x = self.inception_4b(self.inception_4a(x))
        side_4d = x = self.inception_4d(self.inception_4c(x))
        x = self.inception_5b(self.inception_5a(self.pool4(self.inception_4e(x))))
        x = self.linear(self.dropout(self.avgpool(x)))
        return x if self.deterministic else (x, self.aux_4a(side_4b), self.aux_4d(side_4d))


def head_missing(model: Any) -> None:
    model.__class__ = OneHead


class OneHead(googlenet.GoogLeNet):
    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, ...]:
        result = super().__call__(x)
        return result[:2] if isinstance(result, tuple) else result


def shortcut_cut(model: Any) -> None:
    model.stage2.layers[1].shortcut = jax.lax.stop_gradient


def branch_cut(model: Any) -> None:
    paths = model.inception.paths
    paths[2] = Also(paths[2], jax.lax.stop_gradient)


def doubled(model: Any) -> None:
    model.F6 = Also(model.F6, twice_on_the_way_back)


@jax.custom_vjp
def twice_on_the_way_back(x: jax.Array) -> jax.Array:
    return x


def _forward(x: jax.Array) -> tuple[jax.Array, None]:
    return x, None


def _backward(kept: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (2 * gradient,)


twice_on_the_way_back.defvjp(_forward, _backward)


def zero_kernel(model: Any) -> None:
    changed(model.C5.layers[0].kernel, jnp.zeros_like)


def constant_kernel(model: Any) -> None:
    changed(model.F6.layers[0].kernel, jnp.ones_like)


def ten_times_wider(model: Any) -> None:
    changed(model.conv2.layers[0].kernel, lambda kernel: 10 * kernel)


def zero_inner_gamma(model: Any) -> None:
    for block in model.stage1.layers:
        changed(block.residual.layers[0].layers[1].scale, jnp.zeros_like)


def zero_variance(model: Any) -> None:
    changed(model.conv1.layers[0].layers[1].var, jnp.zeros_like)


def changed(variable: Any, change: Any) -> None:
    variable[...] = change(variable[...])
