"""The blocks with which the papers argue: Simonyan and Zisserman (2014), section 2.3; Szegedy et
al., "Rethinking the Inception Architecture" (2015), sections 3 to 5; He et al., "Deep Residual
Learning" (2015), figures 2 and 5.

C is 64 maps on a grid of 14x14; the grid that is reduced is Figure 9's, with d = 6 and K = 3.
"""

from functools import partial

import keras
from keras import KerasTensor, layers

from .layers import Figure, basic, bottleneck, residual

C = 64


def conv(x: KerasTensor, height: int, width: int, name: str | None = None) -> KerasTensor:
    # A window of even size has no middle: it is not padded.
    padding = "same" if height % 2 and width % 2 else "valid"
    return layers.ReLU(name=name)(layers.Conv2D(C, (height, width), padding=padding)(x))


def stack(*kernels: tuple[int, int]) -> keras.Model:
    *first, last = kernels
    x = image = keras.Input((14, 14, C))
    for kernel in first:
        x = conv(x, *kernel)
    return keras.Model(image, conv(x, *last, name="conv"))


def expand(k: int, name: str) -> layers.Layer:
    return layers.Conv2D(2 * k, 1, activation="relu", name=name)


def conv_then_pool() -> keras.Model:  # Figure 9, right
    image = keras.Input((6, 6, 3))
    x = expand(3, name="conv")(image)
    return keras.Model(image, layers.MaxPooling2D(2, name="pool")(x))


def pool_then_conv() -> keras.Model:  # Figure 9, left
    image = keras.Input((6, 6, 3))
    x = layers.MaxPooling2D(2, name="pool")(image)
    return keras.Model(image, expand(3, name="conv")(x))


def block(figure: Figure, inputs: int, width: int) -> keras.Model:
    image = keras.Input((14, 14, inputs))
    return keras.Model(image, layers.ReLU(name="block")(residual(figure, image, width, 1)))


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
