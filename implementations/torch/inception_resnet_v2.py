"""Inception-ResNet-v2, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet
and the Impact of Residual Connections on Learning" (2016).

Input 299x299x3.  The authors released another network than the figures draw: a stem like
Inception-v3's, 10, 20 and 10 blocks, the last one neither scaled nor rectified, and a 1x1
convolution before the pool.  It is the one that everybody ships, so it bears the plain name.
The figures' own network (3, 7, 16 to 19) has widths printed that no sum can have, 1154 and 2048;
what its reductions leave is 1152 and 2144.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from .googlenet import Branches
from .inception_resnet_v1 import Residual, blocks
from .inception_v3 import conv_bn, down, max_pool, pool_proj, row
from .inception_v4 import TALL, WIDE, reduction_a
from .inception_v4 import stem as figure_3


def stem() -> nn.Sequential:
    return nn.Sequential(
        down(3, 32), conv_bn(32, 32, 3, valid=True), conv_bn(32, 64, 3), max_pool(),
        conv_bn(64, 80, 1), conv_bn(80, 192, 3, valid=True), max_pool(),
    )


def mixed_5b() -> Branches:
    return Branches([
        row(192, (96, 1)),
        row(192, (48, 1), (64, 5)),
        row(192, (64, 1), (96, 3), (96, 3)),
        pool_proj(192, 64),
    ])


def block_a(maps: int, scale: float = 0.17) -> Residual:  # Figure 16
    branches = [
        row(maps, (32, 1)), row(maps, (32, 1), (32, 3)), row(maps, (32, 1), (48, 3), (64, 3)),
    ]
    return Residual(Branches(branches), 128, maps, scale)


def block_b(maps: int, scale: float = 0.10) -> Residual:  # Figure 17
    branches = [row(maps, (192, 1)), row(maps, (128, 1), (160, (1, 7)), (192, (7, 1)))]
    return Residual(Branches(branches), 384, maps, scale)


def reduction_b(maps: int) -> Branches:  # Figure 18
    return Branches([
        nn.Sequential(row(maps, (256, 1)), down(256, 384)),
        nn.Sequential(row(maps, (256, 1)), down(256, 288)),
        nn.Sequential(row(maps, (256, 1), (288, 3)), down(288, 320)),
        max_pool(),
    ])


def block_c(maps: int, scale: float = 0.20) -> Residual:  # Figure 19
    branches = [row(maps, (192, 1)), row(maps, (192, 1), (224, (1, 3)), (256, (3, 1)))]
    return Residual(Branches(branches), 448, maps, scale)


def released() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        stem=stem(),
        mixed_5b=mixed_5b(),
        inception_resnet_a=nn.Sequential(*blocks(10, partial(block_a, 320))),
        reduction_a=reduction_a(320, k=256, l=256, m=384, n=384),
        inception_resnet_b=nn.Sequential(*blocks(20, partial(block_b, 1088))),
        reduction_b=reduction_b(1088),
        inception_resnet_c=nn.Sequential(
            *blocks(9, partial(block_c, 2080)), block_c(2080, scale=1.0)
        ),
        conv_7b=conv_bn(2080, 1536, 1),
        avgpool=nn.AvgPool2d(kernel_size=8),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(1536, 1000),
    ))


def paper() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        stem=figure_3(TALL, WIDE),  # in the order that it draws, not Inception-v4's released one
        inception_resnet_a=nn.Sequential(*blocks(5, partial(block_a, 384))),
        reduction_a=reduction_a(384, k=256, l=256, m=384, n=384),
        inception_resnet_b=nn.Sequential(*blocks(10, partial(block_b, 1152))),
        reduction_b=reduction_b(1152),
        inception_resnet_c=nn.Sequential(*blocks(5, partial(block_c, 2144))),
        avgpool=nn.AvgPool2d(kernel_size=8),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(2144, 1000),
    ))


MODELS = {"Inception-ResNet-v2": released, "Inception-ResNet-v2-paper": paper}
