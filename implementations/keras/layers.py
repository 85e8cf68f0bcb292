"""What several of the networks are built from.

The Inceptions' batch norm has the epsilon of their authors' releases, 1e-3, and a step keeps 0.9997
of the running statistics; none of their windows of stride 2 is padded.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import KerasTensor, layers, ops

Kernel = int | tuple[int, int]


def branches(*paths: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.Concatenate(name=name)(paths)


class WithHeads(keras.Model):
    """A network whose outputs after the first are auxiliary heads: in training only."""

    def call(self, image: Any, training: bool | None = None, mask: Any = None) -> Any:
        main, *heads = super().call(image, training=training, mask=mask)
        return [main, *heads] if training else main


class LocalResponseNorm(layers.Layer):
    """Each map over the energy of five neighbours: alpha times their plain sum, beta = 0.75."""

    def __init__(self, k: float, alpha: float, **kwargs: str) -> None:
        super().__init__(**kwargs)
        self.k, self.alpha = k, alpha

    def call(self, x: KerasTensor) -> KerasTensor:
        maps = x.shape[-1]
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        energy = sum(squares[..., i : i + maps] for i in range(5))
        return x / (self.k + self.alpha * energy) ** 0.75


def conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:  # He et al.
    # A strided "same" convolution pads an even input on one side only; the paper pads both.
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(maps, kernel, stride, use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def basic(x: KerasTensor, width: int, stride: int) -> KerasTensor:  # Figure 5, left
    x = layers.ReLU()(conv_bn(x, width, 3, stride))
    return conv_bn(x, width, 3)


def bottleneck(x: KerasTensor, width: int, stride: int) -> KerasTensor:  # Figure 5, right
    x = layers.ReLU()(conv_bn(x, width, 1, stride))
    x = layers.ReLU()(conv_bn(x, width, 3))
    return conv_bn(x, 4 * width, 1)


Figure = Callable[[KerasTensor, int, int], KerasTensor]


def residual(figure: Figure, x: KerasTensor, width: int, stride: int) -> KerasTensor:  # Option B
    y = figure(x, width, stride)
    shortcut = x if x.shape == y.shape else conv_bn(x, y.shape[-1], 1, stride)
    return layers.Add()([y, shortcut])


def norm_relu(x: KerasTensor, name: str | None = None) -> KerasTensor:  # Szegedy et al., from here
    x = layers.BatchNormalization(momentum=0.9997, epsilon=1e-3)(x)
    return layers.ReLU(name=name)(x)


def conv_bn_relu(
    x: KerasTensor, maps: int, kernel: Kernel, name: str | None = None
) -> KerasTensor:
    return norm_relu(layers.Conv2D(maps, kernel, padding="same", use_bias=False)(x), name)


def valid(x: KerasTensor, maps: int, kernel: int, name: str | None = None) -> KerasTensor:
    return norm_relu(layers.Conv2D(maps, kernel, use_bias=False)(x), name)


def down(x: KerasTensor, maps: int, name: str | None = None) -> KerasTensor:
    return norm_relu(layers.Conv2D(maps, 3, strides=2, use_bias=False)(x), name)


def path(x: KerasTensor, *convs: tuple[int, Kernel]) -> KerasTensor:
    """Convolutions one after the other, each as (maps, kernel)."""
    for maps, kernel in convs:
        x = conv_bn_relu(x, maps, kernel)
    return x


def max_pool(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.MaxPooling2D(3, strides=2, name=name)(x)


def average_pool(x: KerasTensor) -> KerasTensor:
    # Keras leaves the padding out of the average, as the released code does.
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def pool_proj(x: KerasTensor, maps: int) -> KerasTensor:
    return conv_bn_relu(average_pool(x), maps, 1)


def split(x: KerasTensor, maps: int) -> KerasTensor:
    return branches(conv_bn_relu(x, maps, (1, 3)), conv_bn_relu(x, maps, (3, 1)))


def reduction_a(
    x: KerasTensor, k: int, l: int, m: int, n: int, name: str  # noqa: E741
) -> KerasTensor:
    return branches(down(x, n), down(path(x, (k, 1), (l, 3)), m), max_pool(x), name=name)


def linear(x: KerasTensor, *paths: KerasTensor) -> KerasTensor:
    """Branches, and the linear convolution with a bias that leads back to the input's width."""
    return layers.Conv2D(x.shape[-1], 1)(branches(*paths))


def stage(
    x: KerasTensor, block: Callable[[KerasTensor], KerasTensor], blocks: int, scale: float,
    name: str | None,
) -> KerasTensor:
    """Residual blocks, scaled before and rectified after the sum."""
    for left in reversed(range(blocks)):
        x = layers.ReLU(name=None if left else name)(x + scale * block(x))
    return x
