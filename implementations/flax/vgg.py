"""VGG, after Simonyan and Zisserman, "Very Deep Convolutional Networks", Table 1.

``conv3`` and ``conv1`` are the table's, by kernel; its maxpool rows are pool1 to pool5.  A-LRN's
constants are those of AlexNet, which the paper cites for them.  E-BN is E with a batch norm after
every convolution, which keeps its bias.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Stacked = Callable[..., jax.Array]
Figure = Callable[..., list[Stacked]]
Layer = tuple[int, int] | Stacked


def conv3(width: int) -> Layer:
    return 3, width


def conv1(width: int) -> Layer:
    return 1, width


def lrn(x: jax.Array) -> jax.Array:
    window = (1, 1, 1, 5)
    total = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1, 1, 1, 1), "SAME")
    return x / (2 + 1e-4 * total) ** 0.75


def conv(inputs: int, width: int, kernel: int, *, rngs: nnx.Rngs) -> list[Stacked]:
    padding = kernel // 2
    return [nnx.Conv(inputs, width, (kernel, kernel), padding=padding, rngs=rngs), nnx.relu]


def conv_bn(inputs: int, width: int, kernel: int, *, rngs: nnx.Rngs) -> list[Stacked]:
    convolution, relu = conv(inputs, width, kernel, rngs=rngs)
    return [convolution, nnx.BatchNorm(width, momentum=0.9, epsilon=1e-5, rngs=rngs), relu]


def block(
    figure: Figure, inputs: int, layers: tuple[Layer, ...], *, rngs: nnx.Rngs
) -> nnx.Sequential:
    stack: list[Stacked] = []
    for layer in layers:
        if callable(layer):
            stack.append(layer)
            continue
        kernel, width = layer
        stack += figure(inputs, width, kernel, rngs=rngs)
        inputs = width
    return nnx.Sequential(*stack)


class MaxPool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.max_pool(x, (2, 2), strides=(2, 2))


class VGG(nnx.Module):
    def __init__(self, figure: Figure, *blocks: tuple[Layer, ...], rngs: nnx.Rngs) -> None:
        self.conv1 = block(figure, 3, blocks[0], rngs=rngs)
        self.pool1 = MaxPool()
        self.conv2 = block(figure, 64, blocks[1], rngs=rngs)
        self.pool2 = MaxPool()
        self.conv3 = block(figure, 128, blocks[2], rngs=rngs)
        self.pool3 = MaxPool()
        self.conv4 = block(figure, 256, blocks[3], rngs=rngs)
        self.pool4 = MaxPool()
        self.conv5 = block(figure, 512, blocks[4], rngs=rngs)
        self.pool5 = MaxPool()
        self.fc6 = nnx.Sequential(
            nnx.Linear(7 * 7 * 512, 4096, rngs=rngs), nnx.relu, nnx.Dropout(0.5, rngs=rngs)
        )
        self.fc7 = nnx.Sequential(
            nnx.Linear(4096, 4096, rngs=rngs), nnx.relu, nnx.Dropout(0.5, rngs=rngs)
        )
        self.fc8 = nnx.Linear(4096, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pool1(self.conv1(x))
        x = self.pool2(self.conv2(x))
        x = self.pool3(self.conv3(x))
        x = self.pool4(self.conv4(x))
        x = self.pool5(self.conv5(x))
        x = x.reshape(x.shape[0], -1)
        return self.fc8(self.fc7(self.fc6(x)))


A = (conv3(64),), (conv3(128),), (conv3(256),) * 2, (conv3(512),) * 2, (conv3(512),) * 2
A_LRN = (conv3(64), lrn), *A[1:]
B = (conv3(64),) * 2, (conv3(128),) * 2, *A[2:]
C = *B[:2], *((conv3(width), conv3(width), conv1(width)) for width in (256, 512, 512))
D = *B[:2], (conv3(256),) * 3, (conv3(512),) * 3, (conv3(512),) * 3
E = *B[:2], (conv3(256),) * 4, (conv3(512),) * 4, (conv3(512),) * 4

MODELS = {
    "VGG-A": partial(VGG, conv, *A),
    "VGG-A-LRN": partial(VGG, conv, *A_LRN),
    "VGG-B": partial(VGG, conv, *B),
    "VGG-C": partial(VGG, conv, *C),
    "VGG-D": partial(VGG, conv, *D),
    "VGG-E": partial(VGG, conv, *E),
    "VGG-E-BN": partial(VGG, conv_bn, *E),
}
