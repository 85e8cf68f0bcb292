"""ResNet, after He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015),
table 1.

Input 224x224x3.  Projection shortcuts where the width or the size changes (option B, section
3.3).  The stride of a stage is on the first convolution of its first block, as in the paper.
Epsilon 1e-5 is PyTorch's default and that of the released models.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(maps),
    )


def basic(inputs: int, width: int, stride: int) -> nn.Sequential:  # Figure 5, left
    return nn.Sequential(
        conv_bn(inputs, width, 3, stride), nn.ReLU(),
        conv_bn(width, width, 3),
    )


def bottleneck(inputs: int, width: int, stride: int) -> nn.Sequential:  # Figure 5, right
    return nn.Sequential(
        conv_bn(inputs, width, 1, stride), nn.ReLU(),
        conv_bn(width, width, 3), nn.ReLU(),
        conv_bn(width, 4 * width, 1),
    )


Residual = Callable[[int, int, int], nn.Sequential]

EXPANSION: dict[Residual, int] = {basic: 1, bottleneck: 4}


class Block(nn.Module):
    """Figure 2: the residual function, the shortcut around it, ReLU after their sum."""

    def __init__(self, residual: Residual, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * EXPANSION[residual]
        self.residual = residual(inputs, width, stride)
        self.shortcut = (
            nn.Identity() if (inputs, stride) == (outputs, 1)
            else conv_bn(inputs, outputs, 1, stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


def plain(residual: Residual, inputs: int, width: int, stride: int) -> nn.Module:  # Figure 3
    return nn.Sequential(residual(inputs, width, stride), nn.ReLU())


Build = Callable[[Residual, int, int, int], nn.Module]


def stage(
    block: Build, residual: Residual, inputs: int, width: int, blocks: int, stride: int
) -> list[nn.Module]:
    outputs = width * EXPANSION[residual]
    return [
        block(residual, inputs, width, stride),
        *(block(residual, outputs, width, 1) for _ in range(blocks - 1)),
    ]


def resnet(block: Build, residual: Residual, blocks: tuple[int, int, int, int]) -> nn.Sequential:
    n = EXPANSION[residual]
    return nn.Sequential(OrderedDict(
        conv1=nn.Sequential(conv_bn(3, 64, 7, stride=2), nn.ReLU()),
        conv2_x=nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            *stage(block, residual, 64, 64, blocks[0], stride=1),
        ),
        conv3_x=nn.Sequential(*stage(block, residual, 64 * n, 128, blocks[1], stride=2)),
        conv4_x=nn.Sequential(*stage(block, residual, 128 * n, 256, blocks[2], stride=2)),
        conv5_x=nn.Sequential(*stage(block, residual, 256 * n, 512, blocks[3], stride=2)),
        fc=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512 * n, 1000)),
    ))


MODELS = {
    "ResNet-18": partial(resnet, Block, basic, (2, 2, 2, 2)),
    "ResNet-34": partial(resnet, Block, basic, (3, 4, 6, 3)),
    "ResNet-50": partial(resnet, Block, bottleneck, (3, 4, 6, 3)),
    "ResNet-101": partial(resnet, Block, bottleneck, (3, 4, 23, 3)),
    "ResNet-152": partial(resnet, Block, bottleneck, (3, 8, 36, 3)),
    "Plain-18": partial(resnet, plain, basic, (2, 2, 2, 2)),
    "Plain-34": partial(resnet, plain, basic, (3, 4, 6, 3)),
}
