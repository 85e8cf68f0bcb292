"""The blocks with which the papers argue: Simonyan and Zisserman (2014), section 2.3; Szegedy et
al., "Rethinking the Inception Architecture" (2015), sections 3 to 5; He et al., "Deep Residual
Learning" (2015), figures 2 and 5.

C is 64 maps on a grid of 14x14; the grid that is reduced is Figure 9's, with d = 6 and K = 3.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from .resnet import Figure, Residual, basic, bottleneck

C = 64

Path = Callable[[jax.Array], jax.Array]


class Rows(nnx.Module):
    """Rows one after the other, each under its name."""

    def __init__(self, **rows: Path) -> None:
        self.order = tuple(rows)
        for name, row in rows.items():
            setattr(self, name, row)

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self.order:
            x = getattr(self, name)(x)
        return x


def stack(*kernels: tuple[int, int], padding: str = "SAME", rngs: nnx.Rngs) -> Rows:
    steps: list[Path] = []
    for kernel in kernels:
        steps += [nnx.Conv(C, C, kernel, padding=padding, rngs=rngs), nnx.relu]
    return Rows(conv=nnx.Sequential(*steps))


def expand(k: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Conv(k, 2 * k, (1, 1), rngs=rngs), nnx.relu)


class Pool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.max_pool(x, (2, 2), strides=(2, 2))


def conv_then_pool(*, rngs: nnx.Rngs) -> Rows:  # Figure 9, right
    return Rows(conv=expand(3, rngs=rngs), pool=Pool())


def pool_then_conv(*, rngs: nnx.Rngs) -> Rows:  # Figure 9, left
    return Rows(pool=Pool(), conv=expand(3, rngs=rngs))


def block(figure: Figure, inputs: int, width: int, *, rngs: nnx.Rngs) -> Rows:
    return Rows(block=Residual(figure(inputs, width, 1, rngs=rngs)))


MODELS = {
    "Conv-1x1": partial(stack, (1, 1)),
    # A window of even size has no middle: it is not padded.
    "Conv-2x2": partial(stack, (2, 2), padding="VALID"),
    "Conv-3x3": partial(stack, (3, 3)),
    "Conv-5x5": partial(stack, (5, 5)),
    "Conv-7x7": partial(stack, (7, 7)),
    "Two-2x2": partial(stack, (2, 2), (2, 2), padding="VALID"),
    "Two-3x3": partial(stack, (3, 3), (3, 3)),
    "Three-3x3": partial(stack, (3, 3), (3, 3), (3, 3)),
    "3x1-1x3": partial(stack, (3, 1), (1, 3)),
    "1x7-7x1": partial(stack, (1, 7), (7, 1)),
    "Conv-then-pool": conv_then_pool,
    "Pool-then-conv": pool_then_conv,
    "Basic-block": partial(block, basic, 64, 64),
    "Basic-block-256": partial(block, basic, 256, 256),
    "Bottleneck-block": partial(block, bottleneck, 256, 64),
}
