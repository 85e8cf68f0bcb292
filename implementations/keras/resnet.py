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

from .layers import Figure, basic, bottleneck, conv_bn, residual

Block = Callable[[Figure, KerasTensor, int, int], KerasTensor]


def pool(x: KerasTensor) -> KerasTensor:
    # Zeros around what a ReLU left never win a maximum.
    return layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))


def plain(
    figure: Figure, x: KerasTensor, width: int, stride: int
) -> KerasTensor:  # Figure 3, middle
    return figure(x, width, stride)


def stage(
    x: KerasTensor, block: Block, figure: Figure, width: int, blocks: int, stride: int, name: str
) -> KerasTensor:
    for left in reversed(range(blocks)):
        x = layers.ReLU(name=None if left else name)(block(figure, x, width, stride))
        stride = 1
    return x


def resnet(block: Block, figure: Figure, blocks: tuple[int, int, int, int]) -> keras.Model:
    image = keras.Input((224, 224, 3))
    x = layers.ReLU(name="conv1")(conv_bn(image, 64, 7, stride=2))
    x = pool(x)
    x = stage(x, block, figure, 64, blocks[0], stride=1, name="conv2_x")
    x = stage(x, block, figure, 128, blocks[1], stride=2, name="conv3_x")
    x = stage(x, block, figure, 256, blocks[2], stride=2, name="conv4_x")
    x = stage(x, block, figure, 512, blocks[3], stride=2, name="conv5_x")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(1000, name="fc")(x))


MODELS = {
    "ResNet-18": partial(resnet, residual, basic, (2, 2, 2, 2)),
    "ResNet-34": partial(resnet, residual, basic, (3, 4, 6, 3)),
    "ResNet-50": partial(resnet, residual, bottleneck, (3, 4, 6, 3)),
    "ResNet-101": partial(resnet, residual, bottleneck, (3, 4, 23, 3)),
    "ResNet-152": partial(resnet, residual, bottleneck, (3, 8, 36, 3)),
    "Plain-18": partial(resnet, plain, basic, (2, 2, 2, 2)),
    "Plain-34": partial(resnet, plain, basic, (3, 4, 6, 3)),
}
