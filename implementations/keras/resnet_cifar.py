"""The networks for CIFAR-10 after He, Zhang, Ren, Sun, "Deep Residual Learning for Image
Recognition" (2015), section 4.2, with 6n + 2 layers, and the pre-activation network of
"Identity Mappings in Deep Residual Networks" (2016) as Keras' example builds it, with 9n + 2.

Input 32x32x3.  Shortcuts of the first are option A: where the size changes, every other pixel,
and zeros for the new maps, which come last here; the paper does not say where.  The example has
projection shortcuts, biases, Keras' own epsilon of 1e-3, and softmax as part of the network.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import KerasTensor, layers, ops

from .layers import basic, conv_bn


class Shortcut(layers.Layer):
    """Option A: no parameters."""

    def __init__(self, stride: int, more: int) -> None:
        super().__init__()
        self.stride, self.more = stride, more

    def call(self, x: KerasTensor) -> KerasTensor:
        pixels = x[:, :: self.stride, :: self.stride]
        return ops.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, self.more)))


def residual(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    y = basic(x, width, stride)
    shortcut = x if x.shape == y.shape else Shortcut(stride, width - x.shape[-1])(x)
    return layers.Add()([y, shortcut])


def plain(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    return basic(x, width, stride)


Block = Callable[[KerasTensor, int, int], KerasTensor]


def stage(
    x: KerasTensor, block: Block, width: int, blocks: int, stride: int, name: str
) -> KerasTensor:
    for left in reversed(range(blocks)):
        x = layers.ReLU(name=None if left else name)(block(x, width, stride))
        stride = 1
    return x


def resnet(block: Block, n: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = layers.ReLU(name="conv1")(conv_bn(image, 16, 3))
    x = stage(x, block, 16, n, stride=1, name="stage1")
    x = stage(x, block, 32, n, stride=2, name="stage2")
    x = stage(x, block, 64, n, stride=2, name="stage3")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, name="fc")(x))


def activate(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.ReLU(name=name)(layers.BatchNormalization()(x))


def conv(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    return layers.Conv2D(maps, kernel, stride, padding="same")(x)


def bottleneck(x: KerasTensor, width: int, outputs: int, stride: int) -> KerasTensor:
    """What follows the first activation: the first block of all has none of its own."""
    x = conv(x, width, 1, stride)
    x = conv(activate(x), width, 3)
    return conv(activate(x), outputs, 1)


def stage_v2(
    x: KerasTensor, active: KerasTensor, width: int, outputs: int, n: int, stride: int, name: str
) -> KerasTensor:
    y = bottleneck(active, width, outputs, stride)
    x = layers.Add()([conv(x, outputs, 1, stride), y])
    for left in reversed(range(n - 1)):
        y = bottleneck(activate(x), width, outputs, stride=1)
        x = layers.Add(name=None if left else name)([x, y])
    return x


def resnet_v2(n: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = activate(conv(image, 16, 3), name="conv1")
    x = stage_v2(x, x, 16, 64, n, stride=1, name="stage1")
    x = stage_v2(x, activate(x), 64, 128, n, stride=2, name="stage2")
    x = stage_v2(x, activate(x), 128, 256, n, stride=2, name="stage3")
    x = layers.GlobalAveragePooling2D()(activate(x))
    return keras.Model(image, layers.Dense(10, activation="softmax", name="fc")(x))


MODELS = {
    "ResNet-20-CIFAR": partial(resnet, residual, 3),
    "ResNet-32-CIFAR": partial(resnet, residual, 5),
    "ResNet-44-CIFAR": partial(resnet, residual, 7),
    "ResNet-56-CIFAR": partial(resnet, residual, 9),
    "ResNet-110-CIFAR": partial(resnet, residual, 18),
    "ResNet-1202-CIFAR": partial(resnet, residual, 200),
    "Plain-20-CIFAR": partial(resnet, plain, 3),
    "Plain-56-CIFAR": partial(resnet, plain, 9),
    "ResNet-29-v2-CIFAR": partial(resnet_v2, 3),
}
