"""Inception-ResNet-v1, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet
and the Impact of Residual Connections on Learning" (2016), figures 10 to 15.

Input 299x299x3.  The convolution that ends a residual branch is linear and has a bias and no
batch norm, as in all releases; the scales are theirs too, within the 0.1 to 0.3 of the paper.
The facenet release, for 160x160x3, has a sixth block C, not scaled and not rectified, ends in an
embedding of 512 values, and keeps 0.995 of the running statistics where the others keep 0.9997.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from .googlenet import Branches
from .inception_v3 import conv_bn, down, max_pool, row
from .inception_v4 import reduction_a


class Residual(nn.Module):
    """Figure 20: what the branches leave is brought to the input's width, scaled and added."""

    def __init__(self, branches: Branches, joined: int, maps: int, scale: float) -> None:
        super().__init__()
        self.branches = branches
        self.expansion = nn.Conv2d(joined, maps, 1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.expansion(self.branches(x))


def rectified(residual: Residual) -> nn.Sequential:
    return nn.Sequential(residual, nn.ReLU())


def stem() -> nn.Sequential:  # Figure 14
    return nn.Sequential(
        down(3, 32), conv_bn(32, 32, 3, valid=True), conv_bn(32, 64, 3), max_pool(),
        conv_bn(64, 80, 1), conv_bn(80, 192, 3, valid=True), down(192, 256),
    )


def block_a(scale: float = 0.17) -> Residual:  # Figure 10
    branches = [row(256, (32, 1)), row(256, (32, 1), (32, 3)), row(256, (32, 1), (32, 3), (32, 3))]
    return Residual(Branches(branches), 96, 256, scale)


def block_b(scale: float = 0.10) -> Residual:  # Figure 11
    branches = [row(896, (128, 1)), row(896, (128, 1), (128, (1, 7)), (128, (7, 1)))]
    return Residual(Branches(branches), 256, 896, scale)


def reduction_b() -> Branches:  # Figure 12
    return Branches([
        nn.Sequential(row(896, (256, 1)), down(256, 384)),
        nn.Sequential(row(896, (256, 1)), down(256, 256)),
        nn.Sequential(row(896, (256, 1), (256, 3)), down(256, 256)),
        max_pool(),
    ])


def block_c(scale: float = 0.20) -> Residual:  # Figure 13
    branches = [row(1792, (192, 1)), row(1792, (192, 1), (192, (1, 3)), (192, (3, 1)))]
    return Residual(Branches(branches), 384, 1792, scale)


def blocks(count: int, block: Callable[[], Residual]) -> list[nn.Sequential]:
    return [rectified(block()) for _ in range(count)]


def trunk(*last: nn.Module) -> OrderedDict[str, nn.Module]:  # Figure 15
    return OrderedDict(
        stem=stem(),
        inception_resnet_a=nn.Sequential(*blocks(5, block_a)),
        reduction_a=reduction_a(256, k=192, l=192, m=256, n=384),
        inception_resnet_b=nn.Sequential(*blocks(10, block_b)),
        reduction_b=reduction_b(),
        inception_resnet_c=nn.Sequential(*blocks(5, block_c), *last),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )


def paper() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        **trunk(), dropout=nn.Dropout(0.2), fc=nn.Linear(1792, 1000)
    ))


def facenet() -> nn.Sequential:
    bottleneck = nn.Sequential(
        nn.Linear(1792, 512, bias=False), nn.BatchNorm1d(512, eps=1e-3)
    )
    network = nn.Sequential(OrderedDict(
        **trunk(block_c(scale=1.0)), dropout=nn.Dropout(0.6), bottleneck=bottleneck
    ))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 5e-3
    return network


MODELS = {"Inception-ResNet-v1": paper, "Inception-ResNet-v1-facenet": facenet}
