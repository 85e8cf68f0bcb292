"""ResNet, after He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015),
table 1.

Input 224x224x3.  Projection shortcuts where the width or the size changes (option B, section
3.3).  The stride of a stage is on the first convolution of its first block, as in the paper.
Epsilon 1e-5 is PyTorch's default and that of the released models.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from .layers import EXPANSION, Figure, basic, bottleneck, conv_bn, residual

Block = Callable[[Figure, int, int, int], nn.Module]


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)


def plain(figure: Figure, inputs: int, width: int, stride: int) -> nn.Module:  # Figure 3, middle
    return figure(inputs, width, stride)


def stage(
    block: Block, figure: Figure, inputs: int, width: int, blocks: int, stride: int
) -> list[nn.Module]:
    outputs = EXPANSION[figure] * width
    first = block(figure, inputs, width, stride)
    others = (block(figure, outputs, width, 1) for _ in range(blocks - 1))
    return [nn.Sequential(each, nn.ReLU()) for each in (first, *others)]


def resnet(block: Block, figure: Figure, blocks: tuple[int, int, int, int]) -> nn.Sequential:
    n = EXPANSION[figure]
    return nn.Sequential(OrderedDict(
        conv1=nn.Sequential(conv_bn(3, 64, 7, stride=2), nn.ReLU()),
        conv2_x=nn.Sequential(pool(), *stage(block, figure, 64, 64, blocks[0], stride=1)),
        conv3_x=nn.Sequential(*stage(block, figure, 64 * n, 128, blocks[1], stride=2)),
        conv4_x=nn.Sequential(*stage(block, figure, 128 * n, 256, blocks[2], stride=2)),
        conv5_x=nn.Sequential(*stage(block, figure, 256 * n, 512, blocks[3], stride=2)),
        fc=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512 * n, 1000)),
    ))


MODELS = {
    "ResNet-18": partial(resnet, residual, basic, (2, 2, 2, 2)),
    "ResNet-34": partial(resnet, residual, basic, (3, 4, 6, 3)),
    "ResNet-50": partial(resnet, residual, bottleneck, (3, 4, 6, 3)),
    "ResNet-101": partial(resnet, residual, bottleneck, (3, 4, 23, 3)),
    "ResNet-152": partial(resnet, residual, bottleneck, (3, 8, 36, 3)),
    "Plain-18": partial(resnet, plain, basic, (2, 2, 2, 2)),
    "Plain-34": partial(resnet, plain, basic, (3, 4, 6, 3)),
}
