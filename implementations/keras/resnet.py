"""ResNet, after He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015),
table 1.

Input 224x224x3.  Projection shortcuts where the width or the size changes (option B, section
3.3).  The stride of a stage is on the first convolution of its first block, as in the paper.
Epsilon 1e-5 is that of the released models.  The plain networks are the same without shortcuts.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import KerasTensor, layers


def conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    # A strided "same" convolution pads an even input on one side only; the paper pads both.
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(maps, kernel, stride, use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def max_pool(x: KerasTensor) -> KerasTensor:
    # Zeros around what a ReLU left never win a maximum.
    return layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))


def basic(x: KerasTensor, width: int, stride: int) -> KerasTensor:  # Figure 5, left
    x = layers.ReLU()(conv_bn(x, width, 3, stride))
    return conv_bn(x, width, 3)


def bottleneck(x: KerasTensor, width: int, stride: int) -> KerasTensor:  # Figure 5, right
    x = layers.ReLU()(conv_bn(x, width, 1, stride))
    x = layers.ReLU()(conv_bn(x, width, 3))
    return conv_bn(x, 4 * width, 1)


Block = Callable[[KerasTensor, int, int], KerasTensor]


def residual(block: Block, x: KerasTensor, width: int, stride: int) -> KerasTensor:  # Figure 2
    y = block(x, width, stride)
    shortcut = x if x.shape == y.shape else conv_bn(x, y.shape[-1], 1, stride)
    return layers.Add()([y, shortcut])


def stage(
    x: KerasTensor, block: Block, width: int, blocks: int, stride: int, name: str
) -> KerasTensor:
    for left in reversed(range(blocks)):
        x = layers.ReLU(name=None if left else name)(block(x, width, stride))
        stride = 1
    return x


def resnet(block: Block, blocks: tuple[int, int, int, int]) -> keras.Model:
    image = keras.Input((224, 224, 3))
    x = layers.ReLU(name="conv1")(conv_bn(image, 64, 7, stride=2))
    x = max_pool(x)
    x = stage(x, block, 64, blocks[0], stride=1, name="conv2_x")
    x = stage(x, block, 128, blocks[1], stride=2, name="conv3_x")
    x = stage(x, block, 256, blocks[2], stride=2, name="conv4_x")
    x = stage(x, block, 512, blocks[3], stride=2, name="conv5_x")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(1000, name="fc")(x))


basic_residual = partial(residual, basic)
bottleneck_residual = partial(residual, bottleneck)

MODELS = {
    "ResNet-18": partial(resnet, basic_residual, (2, 2, 2, 2)),
    "ResNet-34": partial(resnet, basic_residual, (3, 4, 6, 3)),
    "ResNet-50": partial(resnet, bottleneck_residual, (3, 4, 6, 3)),
    "ResNet-101": partial(resnet, bottleneck_residual, (3, 4, 23, 3)),
    "ResNet-152": partial(resnet, bottleneck_residual, (3, 8, 36, 3)),
    "Plain-18": partial(resnet, basic, (2, 2, 2, 2)),
    "Plain-34": partial(resnet, basic, (3, 4, 6, 3)),
}
