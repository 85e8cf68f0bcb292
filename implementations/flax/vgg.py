"""VGG, after Simonyan and Zisserman, "Very Deep Convolutional Networks", Table 1.

``conv3`` and ``conv1`` are the table's, by kernel; its maxpool rows are pool1 to pool5.  A-LRN's
constants are those of AlexNet, which the paper cites for them.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Layer = tuple[int, int] | Callable[[jax.Array], jax.Array]


def conv3(width: int) -> Layer:
    return 3, width


def conv1(width: int) -> Layer:
    return 1, width


def lrn(x: jax.Array) -> jax.Array:
    window = (1, 1, 1, 5)
    total = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1, 1, 1, 1), "SAME")
    return x / (2 + 1e-4 * total) ** 0.75


def block(inputs: int, layers: tuple[Layer, ...], *, rngs: nnx.Rngs) -> nnx.Sequential:
    stack: list[Callable[..., jax.Array]] = []
    for layer in layers:
        if callable(layer):
            stack.append(layer)
            continue
        kernel, width = layer
        padding = kernel // 2
        stack += [nnx.Conv(inputs, width, (kernel, kernel), padding=padding, rngs=rngs), nnx.relu]
        inputs = width
    return nnx.Sequential(*stack)


class MaxPool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.max_pool(x, (2, 2), strides=(2, 2))


class VGG(nnx.Module):
    def __init__(self, *blocks: tuple[Layer, ...], rngs: nnx.Rngs) -> None:
        self.conv1 = block(3, blocks[0], rngs=rngs)
        self.pool1 = MaxPool()
        self.conv2 = block(64, blocks[1], rngs=rngs)
        self.pool2 = MaxPool()
        self.conv3 = block(128, blocks[2], rngs=rngs)
        self.pool3 = MaxPool()
        self.conv4 = block(256, blocks[3], rngs=rngs)
        self.pool4 = MaxPool()
        self.conv5 = block(512, blocks[4], rngs=rngs)
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
    "VGG-A": partial(VGG, *A),
    "VGG-A-LRN": partial(VGG, *A_LRN),
    "VGG-B": partial(VGG, *B),
    "VGG-C": partial(VGG, *C),
    "VGG-D": partial(VGG, *D),
    "VGG-E": partial(VGG, *E),
}
