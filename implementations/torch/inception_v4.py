"""Inception-v4, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning" (2016), figures 3 to 9, as the authors released it.

Input 299x299x3.  Where figure and release order 1x7 and 7x1 differently, the release is followed.
The paper keeps 0.8 of the features before the classifier: a dropout rate of 0.2.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from .layers import (
    Branches, conv_bn_relu, down, max_pool, path, pool_proj, reduction_a, split, valid,
)


def stem() -> nn.Sequential:  # Figure 3
    tall = path(160, (64, 1), (64, (1, 7)), (64, (7, 1)))
    return nn.Sequential(
        down(3, 32), valid(32, 32, 3), conv_bn_relu(32, 64, 3),
        Branches([max_pool(), down(64, 96)]),
        Branches([
            nn.Sequential(path(160, (64, 1)), valid(64, 96, 3)),
            nn.Sequential(tall, valid(64, 96, 3)),
        ]),
        Branches([down(192, 192), max_pool()]),
    )


def inception_a() -> Branches:  # Figure 4
    return Branches([
        path(384, (96, 1)),
        path(384, (64, 1), (96, 3)),
        path(384, (64, 1), (96, 3), (96, 3)),
        pool_proj(384, 96),
    ])


def inception_b() -> Branches:  # Figure 5
    return Branches([
        path(1024, (384, 1)),
        path(1024, (192, 1), (224, (1, 7)), (256, (7, 1))),
        path(1024, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        pool_proj(1024, 128),
    ])


def reduction_b() -> Branches:  # Figure 8
    return Branches([
        nn.Sequential(path(1024, (192, 1)), down(192, 192)),
        nn.Sequential(path(1024, (256, 1), (256, (1, 7)), (320, (7, 1))), down(320, 320)),
        max_pool(),
    ])


def inception_c() -> Branches:  # Figure 6
    return Branches([
        path(1536, (256, 1)),
        nn.Sequential(path(1536, (384, 1)), split(384, 256)),
        nn.Sequential(path(1536, (384, 1), (448, (3, 1)), (512, (1, 3))), split(512, 256)),
        pool_proj(1536, 256),
    ])


def repeat(module: Callable[[], Branches], modules: int) -> nn.Sequential:
    return nn.Sequential(*(module() for _ in range(modules)))


def inception_v4() -> nn.Sequential:  # Figure 9
    return nn.Sequential(OrderedDict(
        stem=stem(),
        inception_a=repeat(inception_a, 4),
        reduction_a=reduction_a(384, k=192, l=224, m=256, n=384),
        inception_b=repeat(inception_b, 7),
        reduction_b=reduction_b(),
        inception_c=repeat(inception_c, 3),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(1536, 1000),
    ))


MODELS = {"Inception-v4": inception_v4}
