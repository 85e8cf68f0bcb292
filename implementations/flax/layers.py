"""What several of the networks are built from.

The Inceptions' batch norm has the epsilon of their authors' releases, 1e-3, and a step keeps 0.9997
of the running statistics; none of their windows of stride 2 is padded.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Kernel = int | tuple[int, int]
Step = Callable[[jax.Array], jax.Array]


def module(step: Step) -> nnx.Module:
    """A module as it is, a function as one."""
    return step if isinstance(step, nnx.Module) else nnx.Sequential(step)


class Rows(nnx.Module):
    """Rows one after the other, each under its name."""

    def __init__(self, **rows: Step) -> None:
        self.order = tuple(rows)
        for name, row in rows.items():
            setattr(self, name, module(row))

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self.order:
            x = getattr(self, name)(x)
        return x


class Branches(nnx.Module):
    """Parallel branches, concatenated along the channels."""

    def __init__(self, *paths: Step) -> None:
        self.paths = nnx.List([module(path) for path in paths])

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([path(x) for path in self.paths], axis=-1)


class Residual(nnx.Module):
    """The sum of a residual function and a shortcut, which is the identity if none is given."""

    def __init__(self, residual: nnx.Module, shortcut: nnx.Module | None = None) -> None:
        self.residual = residual
        self.shortcut = shortcut

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.residual(x) + (self.shortcut(x) if self.shortcut else x)


class Head(nnx.Sequential):
    """An auxiliary classifier."""


class WithHeads(Rows):
    """Rows of which a head reads the row above it, in training only."""

    def __init__(self, **rows: Step) -> None:
        super().__init__(**rows)
        self.deterministic = False  # as in Dropout: set by eval() and train()

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, ...]:
        heads: list[jax.Array] = []
        for name in self.order:
            row = getattr(self, name)
            if not isinstance(row, Head):
                x = row(x)
            elif not self.deterministic:
                heads.append(row(x))
        return x if self.deterministic else (x, *heads)


class LocalResponseNorm(nnx.Module):
    """Each map over the energy of five neighbours: alpha times their plain sum."""

    def __init__(self, k: float, alpha: float) -> None:
        self.n, self.k, self.alpha, self.beta = 5, k, alpha, 0.75

    def __call__(self, x: jax.Array) -> jax.Array:
        window = (1, 1, 1, self.n)
        energy = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1, 1, 1, 1), "SAME")
        return x / (self.k + self.alpha * energy) ** self.beta


def flatten(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0], -1)


def global_average(x: jax.Array) -> jax.Array:
    return x.mean(axis=(1, 2))


def conv_bn(
    inputs: int, maps: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:  # He et al.
    # "SAME" pads an even input on one side less than on the other where the stride is 2.
    size, padding = (kernel, kernel), kernel // 2
    return nnx.Sequential(
        nnx.Conv(inputs, maps, size, stride, padding=padding, use_bias=False, rngs=rngs),
        nnx.BatchNorm(maps, momentum=0.9, epsilon=1e-5, rngs=rngs),
    )


def basic(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(  # Figure 5, left
        conv_bn(inputs, width, 3, stride, rngs=rngs), nnx.relu,
        conv_bn(width, width, 3, rngs=rngs),
    )


def bottleneck(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(  # Figure 5, right
        conv_bn(inputs, width, 1, stride, rngs=rngs), nnx.relu,
        conv_bn(width, width, 3, rngs=rngs), nnx.relu,
        conv_bn(width, 4 * width, 1, rngs=rngs),
    )


Figure = Callable[..., nnx.Sequential]

EXPANSION: dict[Figure, int] = {basic: 1, bottleneck: 4}


def residual(
    figure: Figure, inputs: int, width: int, stride: int, *, rngs: nnx.Rngs
) -> Residual:  # Option B
    outputs = EXPANSION[figure] * width
    same = (inputs, stride) == (outputs, 1)
    shortcut = None if same else conv_bn(inputs, outputs, 1, stride, rngs=rngs)
    return Residual(figure(inputs, width, stride, rngs=rngs), shortcut)


def norm_relu(maps: int, *, rngs: nnx.Rngs) -> tuple[nnx.BatchNorm, Step]:
    return nnx.BatchNorm(maps, momentum=0.9997, epsilon=1e-3, rngs=rngs), nnx.relu


def conv_bn_relu(
    inputs: int, maps: int, kernel: Kernel, *, rngs: nnx.Rngs
) -> nnx.Sequential:  # Szegedy et al., from here on
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    conv = nnx.Conv(inputs, maps, size, use_bias=False, rngs=rngs)
    return nnx.Sequential(conv, *norm_relu(maps, rngs=rngs))


def valid(inputs: int, maps: int, kernel: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    size = (kernel, kernel)
    conv = nnx.Conv(inputs, maps, size, padding="VALID", use_bias=False, rngs=rngs)
    return nnx.Sequential(conv, *norm_relu(maps, rngs=rngs))


def down(inputs: int, maps: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    conv = nnx.Conv(inputs, maps, (3, 3), 2, padding="VALID", use_bias=False, rngs=rngs)
    return nnx.Sequential(conv, *norm_relu(maps, rngs=rngs))


def path(inputs: int, *convs: tuple[int, Kernel], rngs: nnx.Rngs) -> nnx.Sequential:
    """Convolutions one after the other, each as (maps, kernel)."""
    widths = [inputs, *(maps for maps, _ in convs)]
    pairs = zip(widths, convs, strict=False)
    return nnx.Sequential(*(conv_bn_relu(before, *each, rngs=rngs) for before, each in pairs))


def max_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def average_pool(x: jax.Array) -> jax.Array:
    # What is padded is no pixel: TF-Slim leaves it out of the divisor, Flax would count it.
    return nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def pool_proj(inputs: int, maps: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(average_pool, conv_bn_relu(inputs, maps, 1, rngs=rngs))


def split(inputs: int, maps: int, *, rngs: nnx.Rngs) -> Branches:
    conv = partial(conv_bn_relu, inputs, maps, rngs=rngs)
    return Branches(conv((1, 3)), conv((3, 1)))


def reduction_a(
    inputs: int, k: int, l: int, m: int, n: int, *, rngs: nnx.Rngs  # noqa: E741
) -> Branches:
    double = nnx.Sequential(path(inputs, (k, 1), (l, 3), rngs=rngs), down(l, m, rngs=rngs))
    return Branches(down(inputs, n, rngs=rngs), double, max_pool)


def linear(inputs: int, joined: int, *branches: nnx.Module, rngs: nnx.Rngs) -> nnx.Sequential:
    """Branches, and the linear convolution with a bias that leads back to the input's width."""
    return nnx.Sequential(Branches(*branches), nnx.Conv(joined, inputs, (1, 1), rngs=rngs))


def stage(
    block: Callable[..., nnx.Sequential], inputs: int, blocks: int, scale: float, *, rngs: nnx.Rngs
) -> list[nnx.Sequential]:
    """Residual blocks, scaled before and rectified after the sum."""
    linears = [block(inputs, rngs=rngs) for _ in range(blocks)]
    residuals = [Residual(nnx.Sequential(each, lambda x: scale * x)) for each in linears]
    return [nnx.Sequential(each, nnx.relu) for each in residuals]
