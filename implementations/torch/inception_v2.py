"""Inception-v2, after Ioffe, Szegedy, "Batch Normalization" (2015), figure 5 of the appendix.

Input 224x224x3.  The printed table contradicts itself in 4c and 4d; the authors' release settles
it with pool projections of 96, so that both leave 576 channels.  As there, layers of stride 2 pad
an even input at the bottom and right only, the first layer is separable (multiplier 8), and a
step keeps 0.9997 of the running statistics.
"""

from collections import OrderedDict

from torch import nn

from .layers import Branches, average_pool, conv_bn_relu, norm_relu, path


def separable() -> nn.Sequential:
    return nn.Sequential(
        nn.ZeroPad2d((2, 3, 2, 3)),
        nn.Conv2d(3, 24, 7, stride=2, groups=3, bias=False),
        nn.Conv2d(24, 64, 1, bias=False),
        *norm_relu(64),
    )


def down(inputs: int, maps: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(inputs, maps, 3, stride=2, bias=False),
        *norm_relu(maps),
    )


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


def same_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=1, padding=1)


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int,
    pooled: nn.Module, pool_proj: int,
) -> Branches:
    return Branches([
        path(inputs, (n1x1, 1)),
        path(inputs, (n3x3_reduce, 1), (n3x3, 3)),
        path(inputs, (double_reduce, 1), (double, 3), (double, 3)),
        nn.Sequential(pooled, conv_bn_relu(inputs, pool_proj, 1)),
    ])


def reduction(
    inputs: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int
) -> Branches:
    return Branches([
        nn.Sequential(path(inputs, (n3x3_reduce, 1)), down(n3x3_reduce, n3x3)),
        nn.Sequential(path(inputs, (double_reduce, 1), (double, 3)), down(double, double)),
        pool(),
    ])


def inception_v2() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=separable(),
        pool1=pool(),
        conv2=path(64, (64, 1), (192, 3)),
        pool2=pool(),
        inception_3a=inception(192, 64, 64, 64, 64, 96, average_pool(), 32),
        inception_3b=inception(256, 64, 64, 96, 64, 96, average_pool(), 64),
        inception_3c=reduction(320, 128, 160, 64, 96),
        inception_4a=inception(576, 224, 64, 96, 96, 128, average_pool(), 128),
        inception_4b=inception(576, 192, 96, 128, 96, 128, average_pool(), 128),
        inception_4c=inception(576, 160, 128, 160, 128, 160, average_pool(), 96),
        inception_4d=inception(576, 96, 128, 192, 160, 192, average_pool(), 96),
        inception_4e=reduction(576, 128, 192, 192, 256),
        inception_5a=inception(1024, 352, 192, 320, 160, 224, average_pool(), 128),
        inception_5b=inception(1024, 352, 192, 320, 192, 224, same_pool(), 128),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        linear=nn.Linear(1024, 1000),
    ))


MODELS = {"Inception-v2": inception_v2}
