"""The networks for CIFAR-10 after He, Zhang, Ren, Sun, "Deep Residual Learning for Image
Recognition" (2015), section 4.2, with 6n + 2 layers, and the pre-activation network of
"Identity Mappings in Deep Residual Networks" (2016) as Keras' example builds it, with 9n + 2.

Input 32x32x3.  Shortcuts of the first are option A: where the size changes, every other pixel,
and zeros for the new maps, which come last here; the paper does not say where.  The example has
projection shortcuts, biases, Keras' own epsilon of 1e-3, and softmax as part of the network.
"""

from functools import partial

import keras
from keras import KerasTensor, layers, ops

from .resnet import Block, basic, conv_bn, stage


def residual(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    y = basic(x, width, stride)
    if x.shape != y.shape:
        added = width - x.shape[-1]
        x = ops.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (0, added)))
    return layers.Add()([y, x])


def resnet(block: Block, n: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = layers.ReLU(name="conv1")(conv_bn(image, 16, 3))
    x = stage(x, block, 16, n, stride=1, name="stage1")
    x = stage(x, block, 32, n, stride=2, name="stage2")
    x = stage(x, block, 64, n, stride=2, name="stage3")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, name="fc")(x))


def activate(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(layers.BatchNormalization()(x))


conv = partial(layers.Conv2D, padding="same")


def bottleneck(x: KerasTensor, width: int, outputs: int, stride: int) -> KerasTensor:
    """What follows the first activation: the first block of all has none of its own."""
    x = conv(width, 1, strides=stride)(x)
    x = conv(width, 3)(activate(x))
    return conv(outputs, 1)(activate(x))


def stage_v2(
    x: KerasTensor, active: KerasTensor, width: int, outputs: int, n: int, stride: int, name: str
) -> KerasTensor:
    y = bottleneck(active, width, outputs, stride)
    x = layers.Add()([conv(outputs, 1, strides=stride)(x), y])
    for left in reversed(range(n - 1)):
        y = bottleneck(activate(x), width, outputs, stride=1)
        x = layers.Add(name=None if left else name)([x, y])
    return x


def resnet_v2(n: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = layers.ReLU(name="conv1")(layers.BatchNormalization()(conv(16, 3)(image)))
    x = stage_v2(x, x, 16, 64, n, stride=1, name="stage1")
    x = stage_v2(x, activate(x), 64, 128, n, stride=2, name="stage2")
    x = stage_v2(x, activate(x), 128, 256, n, stride=2, name="stage3")
    x = layers.AveragePooling2D(8)(activate(x))
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="fc")(x))


MODELS = {
    "ResNet-20-CIFAR": partial(resnet, residual, n=3),
    "ResNet-32-CIFAR": partial(resnet, residual, n=5),
    "ResNet-44-CIFAR": partial(resnet, residual, n=7),
    "ResNet-56-CIFAR": partial(resnet, residual, n=9),
    "ResNet-110-CIFAR": partial(resnet, residual, n=18),
    "ResNet-1202-CIFAR": partial(resnet, residual, n=200),
    "Plain-20-CIFAR": partial(resnet, basic, n=3),
    "Plain-56-CIFAR": partial(resnet, basic, n=9),
    "ResNet-29-v2-CIFAR": partial(resnet_v2, n=3),
}
