"""Right in inference, wrong in training or backwards: what is done to Flax models by accident."""

from typing import Any

import jax
from flax import nnx
from jax import lax

from conformance.implementations.flax.layers import Head
from tests.selftest.flax import Also, row
from tests.selftest.rows import Wrong


def stopped_residual(model: Any) -> None:
    """A residual branch behind stop_gradient: only shortcuts carry the gradient."""
    block = model.stage2.layers[1].layers[0]
    block.residual = Also(block.residual, lax.stop_gradient)


def doubled_by_rule(model: Any) -> None:
    """An identity with a rule of its own that scales, as a gradient reversal layer has one."""
    model.S2 = Also(model.S2, doubled)


@jax.custom_vjp
def doubled(x: jax.Array) -> jax.Array:
    return x


doubled.defvjp(lambda x: (x, None), lambda _, above: (2 * above,))


def frozen_kernel(model: Any) -> None:
    """A layer that was to be frozen: its weights do not move, what is below it does."""
    model.F6.layers[0].__class__ = FrozenKernel


class FrozenKernel(nnx.Linear):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ lax.stop_gradient(self.kernel[...]) + self.bias[...]


def straight_through(model: Any) -> None:
    """A rectifier with a rule of its own that lets every gradient pass."""
    model.stage3.layers[2].layers[0].residual.layers[1] = straight


@jax.custom_vjp
def straight(x: jax.Array) -> jax.Array:
    return nnx.relu(x)


straight.defvjp(lambda x: (nnx.relu(x), None), lambda _, above: (above,))


def momentum_turned_round(model: Any) -> None:
    """PyTorch's momentum, the share that is new, given to Flax as the share that is kept."""
    for _, module in nnx.iter_modules(model):
        if isinstance(module, nnx.BatchNorm):
            module.momentum = 0.1


def frozen_norm(model: Any) -> None:
    """A batch norm that keeps to its running statistics in training as well."""
    model.stage2.layers[1].layers[0].residual.layers[0].layers[1].__class__ = Frozen


class Frozen(nnx.BatchNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x, use_running_average=True)


def statistics_stopped(model: Any) -> None:
    """A norm written by hand, whose batch statistics are constants to the gradient."""
    model.stage2.layers[1].layers[0].residual.layers[0].layers[1].__class__ = Constant


class Constant(nnx.BatchNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average:
            return super().__call__(x)
        mean, variance = (lax.stop_gradient(each((0, 1, 2))) for each in (x.mean, x.var))
        for kept, new in ((self.mean, mean), (self.var, variance)):
            kept[...] = self.momentum * kept[...] + (1 - self.momentum) * new
        normal = (x - mean) / (variance + self.epsilon) ** 0.5
        return normal * self.scale[...] + self.bias[...]


def head_stopped(model: Any) -> None:
    """An auxiliary head that trains itself and nothing before it."""
    model.aux_4a = Head(lax.stop_gradient, model.aux_4a)


CIFAR = "ResNet-20-CIFAR"

BACKWARD: dict[str, Wrong] = {
    "stopped residual": row(CIFAR, stopped_residual, "stage2", found=0.0),
    "doubled by a rule": row("LeNet-5", doubled_by_rule, "S2", found=2.0),
    "frozen kernel": row("LeNet-5", frozen_kernel, "F6", "kernel", 0.0),
    "straight-through ReLU": row(CIFAR, straight_through, "stage3"),
}

STEP: dict[str, Wrong] = {
    "statistics stopped": row(CIFAR, statistics_stopped, "stage2"),
    "head stopped": row("GoogLeNet", head_stopped, "inception_4a"),
}

TRAINING: dict[str, Wrong] = {
    "momentum turned round": row(CIFAR, momentum_turned_round, "conv1", "statistics"),
    "frozen norm": row(CIFAR, frozen_norm, "stage2", "value"),
}
