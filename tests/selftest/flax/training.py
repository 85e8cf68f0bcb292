"""Bugs that training alone shows, in either pass, or that stand in what a network starts from."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.implementations.flax.layers import Head
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
    average, dense = model.fc.layers
    model.fc = nnx.Sequential(average, nnx.Dropout(0.5, rngs=nnx.Rngs(0)), dense)


def rate_in_the_head(model: Any) -> None:
    model.aux_4a.layers[5].rate = 0.4


def dropout_before_pool(model: Any) -> None:
    model.avgpool = nnx.Sequential(model.dropout, model.avgpool)
    model.dropout = Same()


def momentum_mixed_up(model: Any) -> None:
    for norm in norms(model):
        norm.momentum = 0.1


def other_momentum(model: Any) -> None:
    for norm in norms(model.stage2):
        norm.momentum = 0.99


def norms(model: nnx.Module) -> list[nnx.BatchNorm]:
    return [module for _, module in nnx.iter_modules(model) if isinstance(module, nnx.BatchNorm)]


def frozen_norm(model: Any) -> None:
    model.stage1.layers[1].layers[0].residual.layers[0].layers[1].__class__ = Frozen


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
    names = list(model.order)
    here = names.index("aux_4a")
    names[here : here + 2] = names[here + 1], names[here]
    model.order = tuple(names)


def head_missing(model: Any) -> None:
    model.order = tuple(name for name in model.order if name != "aux_4d")


def shortcut_cut(model: Any) -> None:
    model.stage2.layers[1].layers[0].shortcut = jax.lax.stop_gradient


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


def frozen_kernel(model: Any) -> None:
    model.F6.layers[0].__class__ = FrozenKernel


class FrozenKernel(nnx.Linear):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ jax.lax.stop_gradient(self.kernel[...]) + self.bias[...]


def wrong_backward(model: Any) -> None:
    model.C3.layers[1] = straight


@jax.custom_vjp
def straight(x: jax.Array) -> jax.Array:
    return jnp.tanh(x)


straight.defvjp(lambda x: (jnp.tanh(x), None), lambda kept, gradient: (gradient,))


def features_stopped(model: Any) -> None:
    model.flatten = Also(model.flatten, jax.lax.stop_gradient)


def statistics_detached(model: Any) -> None:
    model.stage2.layers[1].layers[0].residual.layers[0].layers[1].__class__ = Constant


class Constant(nnx.BatchNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average:
            return super().__call__(x)
        mean, variance = (jax.lax.stop_gradient(each((0, 1, 2))) for each in (x.mean, x.var))
        for kept, new in ((self.mean, mean), (self.var, variance)):
            kept[...] = self.momentum * kept[...] + (1 - self.momentum) * new
        normal = (x - mean) / (variance + self.epsilon) ** 0.5
        return normal * self.scale[...] + self.bias[...]


def head_detached(model: Any) -> None:
    model.aux_4a = Head(jax.lax.stop_gradient, model.aux_4a)


def zero_kernel(model: Any) -> None:
    changed(model.C5.layers[0].kernel, jnp.zeros_like)


def constant_kernel(model: Any) -> None:
    changed(model.F6.layers[0].kernel, jnp.ones_like)


def ten_times_wider(model: Any) -> None:
    changed(model.conv2.layers[0].kernel, lambda kernel: 10 * kernel)


def all_positive(model: Any) -> None:
    changed(model.C5.layers[0].kernel, jnp.abs)


def two_alike(model: Any) -> None:
    changed(model.C5.layers[0].kernel, lambda kernel: kernel.at[..., 1].set(kernel[..., 0]))


def not_a_number(model: Any) -> None:
    changed(model.C5.layers[0].kernel, lambda kernel: kernel.at[0, 0, 2, 1].set(jnp.nan))


def same_seed(model: Any) -> None:
    for block in model.stage1.layers:
        for conv in (block.layers[0].residual.layers[i].layers[0] for i in (0, 2)):
            conv.kernel[...] = nnx.Conv(16, 16, (3, 3), rngs=nnx.Rngs(0)).kernel[...]


def mean_of_one(model: Any) -> None:
    changed(model.conv1.layers[0].layers[1].mean, jnp.ones_like)


def zero_inner_gamma(model: Any) -> None:
    for block in model.stage1.layers:
        changed(block.layers[0].residual.layers[0].layers[1].scale, jnp.zeros_like)


def zero_variance(model: Any) -> None:
    changed(model.conv1.layers[0].layers[1].var, jnp.zeros_like)


def changed(variable: Any, change: Any) -> None:
    variable[...] = change(variable[...])
