"""The blocks with which the papers argue: Simonyan and Zisserman (2014), section 2.3; Szegedy et
al., "Rethinking the Inception Architecture" (2015), sections 3 to 5; He et al., "Deep Residual
Learning" (2015), figures 2 and 5.

C is 64 maps on a grid of 14x14; the grid that is reduced is Figure 9's, with d = 6 and K = 3.
"""

from functools import partial

from flax import nnx

from .layers import Figure, Rows, basic, bottleneck, residual

C = 64


def conv(height: int, width: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    # A window of even size has no middle: it is not padded.
    padding = "SAME" if height % 2 and width % 2 else "VALID"
    return nnx.Sequential(nnx.Conv(C, C, (height, width), padding=padding, rngs=rngs), nnx.relu)


def stack(*kernels: tuple[int, int], rngs: nnx.Rngs) -> Rows:
    return Rows(conv=nnx.Sequential(*(conv(*kernel, rngs=rngs) for kernel in kernels)))


def expand(k: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Conv(k, 2 * k, (1, 1), rngs=rngs), nnx.relu)


def conv_then_pool(*, rngs: nnx.Rngs) -> Rows:  # Figure 9, right
    pool = partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2))
    return Rows(conv=expand(3, rngs=rngs), pool=pool)


def pool_then_conv(*, rngs: nnx.Rngs) -> Rows:  # Figure 9, left
    pool = partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2))
    return Rows(pool=pool, conv=expand(3, rngs=rngs))


def block(figure: Figure, inputs: int, width: int, *, rngs: nnx.Rngs) -> Rows:
    return Rows(block=nnx.Sequential(residual(figure, inputs, width, 1, rngs=rngs), nnx.relu))


MODELS = {
    "Conv-1x1": partial(stack, (1, 1)),
    "Conv-2x2": partial(stack, (2, 2)),
    "Conv-3x3": partial(stack, (3, 3)),
    "Conv-5x5": partial(stack, (5, 5)),
    "Conv-7x7": partial(stack, (7, 7)),
    "Two-3x3": partial(stack, (3, 3), (3, 3)),
    "Three-3x3": partial(stack, (3, 3), (3, 3), (3, 3)),
    "Two-2x2": partial(stack, (2, 2), (2, 2)),
    "3x1-1x3": partial(stack, (3, 1), (1, 3)),
    "1x7-7x1": partial(stack, (1, 7), (7, 1)),
    "Conv-then-pool": conv_then_pool,
    "Pool-then-conv": pool_then_conv,
    "Basic-block": partial(block, basic, 64, 64),
    "Basic-block-256": partial(block, basic, 256, 256),
    "Bottleneck-block": partial(block, bottleneck, 256, 64),
}
