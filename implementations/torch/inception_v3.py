"""Inception-v3, after Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception
Architecture for Computer Vision" (2015), as the authors released it.

Input 299x299x3.  Table 1 of the paper cannot be built as printed; names and widths are those of
the release.  Average pools leave their padding out of the average.  One auxiliary classifier, on
Mixed_6e, in training only.
"""

from collections import OrderedDict

from torch import nn

from .layers import (
    Branches, Head, WithHeads, conv_bn_relu, down, max_pool, path, pool_proj, split, valid,
)


def grid_35(inputs: int, proj: int) -> Branches:  # Figure 5, with a 5x5
    return Branches([
        path(inputs, (64, 1)),
        path(inputs, (48, 1), (64, 5)),
        path(inputs, (64, 1), (96, 3), (96, 3)),
        pool_proj(inputs, proj),
    ])


def mixed_6a() -> Branches:
    double = nn.Sequential(path(288, (64, 1), (96, 3)), down(96, 96))
    return Branches([down(288, 384), double, max_pool()])


def grid_17(n: int) -> Branches:  # Figure 6
    return Branches([
        path(768, (192, 1)),
        path(768, (n, 1), (n, (1, 7)), (192, (7, 1))),
        path(768, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
        pool_proj(768, 192),
    ])


def mixed_7a() -> Branches:
    return Branches([
        nn.Sequential(path(768, (192, 1)), down(192, 320)),
        nn.Sequential(path(768, (192, 1), (192, (1, 7)), (192, (7, 1))), down(192, 192)),
        max_pool(),
    ])


def grid_8(inputs: int) -> Branches:  # Figure 7
    return Branches([
        path(inputs, (320, 1)),
        nn.Sequential(path(inputs, (384, 1)), split(384, 384)),
        nn.Sequential(path(inputs, (448, 1), (384, 3)), split(384, 384)),
        pool_proj(inputs, 192),
    ])


def auxiliary(inputs: int) -> Head:  # Figure 8
    return Head(
        nn.AvgPool2d(kernel_size=5, stride=3),
        conv_bn_relu(inputs, 128, 1), valid(128, 768, 5),
        nn.Flatten(),
        nn.Linear(768, 1000),
    )


def inception_v3() -> WithHeads:
    return WithHeads(OrderedDict(
        Conv2d_1a_3x3=down(3, 32),
        Conv2d_2a_3x3=valid(32, 32, 3),
        Conv2d_2b_3x3=conv_bn_relu(32, 64, 3),
        MaxPool_3a=max_pool(),
        Conv2d_3b_1x1=conv_bn_relu(64, 80, 1),
        Conv2d_4a_3x3=valid(80, 192, 3),
        MaxPool_5a=max_pool(),
        Mixed_5b=grid_35(192, 32),
        Mixed_5c=grid_35(256, 64),
        Mixed_5d=grid_35(288, 64),
        Mixed_6a=mixed_6a(),
        Mixed_6b=grid_17(128),
        Mixed_6c=grid_17(160),
        Mixed_6d=grid_17(160),
        Mixed_6e=grid_17(192),
        aux=auxiliary(768),
        Mixed_7a=mixed_7a(),
        Mixed_7b=grid_8(1280),
        Mixed_7c=grid_8(2048),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(2048, 1000),
    ))


MODELS = {"Inception-v3": inception_v3}
