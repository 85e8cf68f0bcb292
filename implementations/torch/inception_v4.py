"""Inception-v4, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning" (2016), figures 3 to 9, as the authors released it.

Input 299x299x3.  Where figure and release order 1x7 and 7x1 differently, the release is followed.
The paper keeps 0.8 of the features before the classifier: a dropout rate of 0.2.
"""

from collections import OrderedDict

from torch import nn

from .googlenet import Branches
from .inception_v3 import conv_bn, down, max_pool, pool_proj, row

TALL, WIDE = (7, 1), (1, 7)


def stem(
    first: tuple[int, int] = WIDE, second: tuple[int, int] = TALL
) -> nn.Sequential:  # Figure 3
    return nn.Sequential(
        down(3, 32), conv_bn(32, 32, 3, valid=True), conv_bn(32, 64, 3),
        Branches([max_pool(), down(64, 96)]),
        Branches([
            nn.Sequential(row(160, (64, 1)), conv_bn(64, 96, 3, valid=True)),
            nn.Sequential(
                row(160, (64, 1), (64, first), (64, second)), conv_bn(64, 96, 3, valid=True)
            ),
        ]),
        Branches([down(192, 192), max_pool()]),
    )


def inception_a() -> Branches:  # Figure 4
    return Branches([
        row(384, (96, 1)),
        row(384, (64, 1), (96, 3)),
        row(384, (64, 1), (96, 3), (96, 3)),
        pool_proj(384, 96),
    ])


def reduction_a(inputs: int, k: int, l: int, m: int, n: int) -> Branches:  # Figure 7  # noqa: E741
    return Branches([
        down(inputs, n),
        nn.Sequential(row(inputs, (k, 1), (l, 3)), down(l, m)),
        max_pool(),
    ])


def inception_b() -> Branches:  # Figure 5
    return Branches([
        row(1024, (384, 1)),
        row(1024, (192, 1), (224, WIDE), (256, TALL)),
        row(1024, (192, 1), (192, TALL), (224, WIDE), (224, TALL), (256, WIDE)),
        pool_proj(1024, 128),
    ])


def reduction_b() -> Branches:  # Figure 8
    return Branches([
        nn.Sequential(row(1024, (192, 1)), down(192, 192)),
        nn.Sequential(row(1024, (256, 1), (256, WIDE), (320, TALL)), down(320, 320)),
        max_pool(),
    ])


def inception_c() -> Branches:  # Figure 6
    def split(inputs: int) -> Branches:
        return Branches([conv_bn(inputs, 256, (1, 3)), conv_bn(inputs, 256, (3, 1))])

    return Branches([
        row(1536, (256, 1)),
        nn.Sequential(row(1536, (384, 1)), split(384)),
        nn.Sequential(row(1536, (384, 1), (448, (3, 1)), (512, (1, 3))), split(512)),
        pool_proj(1536, 256),
    ])


def inception_v4() -> nn.Sequential:  # Figure 9
    return nn.Sequential(OrderedDict(
        stem=stem(),
        inception_a=nn.Sequential(*(inception_a() for _ in range(4))),
        reduction_a=reduction_a(384, k=192, l=224, m=256, n=384),
        inception_b=nn.Sequential(*(inception_b() for _ in range(7))),
        reduction_b=reduction_b(),
        inception_c=nn.Sequential(*(inception_c() for _ in range(3))),
        avgpool=nn.AvgPool2d(kernel_size=8),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(1536, 1000),
    ))


MODELS = {"Inception-v4": inception_v4}
