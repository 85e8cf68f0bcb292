"""Inception-v2, after Ioffe, Szegedy, "Batch Normalization" (2015), figure 5 of the appendix.

Input 224x224x3.  The printed table contradicts itself in 4c and 4d; the authors' release settles
it with pool projections of 96, so that both leave 576 channels.  As there, layers of stride 2 pad
an even input at the bottom and right only, the first layer is separable (multiplier 8), and a
step keeps 0.9997 of the running statistics.
"""

from collections import OrderedDict

from torch import nn

from .googlenet import Branches


def norm(maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(maps, eps=1e-3, momentum=3e-4)


def conv_bn(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    after = nn.Sequential(norm(maps), nn.ReLU())
    if stride == 1:
        conv = nn.Conv2d(inputs, maps, kernel, padding=kernel // 2, bias=False)
        return nn.Sequential(conv, after)
    conv = nn.Conv2d(inputs, maps, kernel, stride, bias=False)
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), conv, after)


def separable() -> nn.Sequential:
    return nn.Sequential(
        nn.ZeroPad2d((2, 3, 2, 3)),
        nn.Conv2d(3, 24, 7, stride=2, groups=3, bias=False),
        nn.Conv2d(24, 64, 1, bias=False),
        norm(64),
        nn.ReLU(),
    )


def max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


def avg() -> nn.AvgPool2d:
    return nn.AvgPool2d(kernel_size=3, stride=1, padding=1, count_include_pad=False)


def same_max() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=1, padding=1)


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int,
    pool: nn.Module, pool_proj: int,
) -> Branches:
    return Branches([
        conv_bn(inputs, n1x1, 1),
        nn.Sequential(conv_bn(inputs, n3x3_reduce, 1), conv_bn(n3x3_reduce, n3x3, 3)),
        nn.Sequential(
            conv_bn(inputs, double_reduce, 1),
            conv_bn(double_reduce, double, 3), conv_bn(double, double, 3),
        ),
        nn.Sequential(pool, conv_bn(inputs, pool_proj, 1)),
    ])


def reduction(
    inputs: int, n3x3_reduce: int, n3x3: int, double_reduce: int, double: int
) -> Branches:
    return Branches([
        nn.Sequential(conv_bn(inputs, n3x3_reduce, 1), conv_bn(n3x3_reduce, n3x3, 3, stride=2)),
        nn.Sequential(
            conv_bn(inputs, double_reduce, 1),
            conv_bn(double_reduce, double, 3), conv_bn(double, double, 3, stride=2),
        ),
        max_pool(),
    ])


def inception_v2() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=separable(),
        pool1=max_pool(),
        conv2=nn.Sequential(conv_bn(64, 64, 1), conv_bn(64, 192, 3)),
        pool2=max_pool(),
        inception_3a=inception(192, 64, 64, 64, 64, 96, avg(), 32),
        inception_3b=inception(256, 64, 64, 96, 64, 96, avg(), 64),
        inception_3c=reduction(320, 128, 160, 64, 96),
        inception_4a=inception(576, 224, 64, 96, 96, 128, avg(), 128),
        inception_4b=inception(576, 192, 96, 128, 96, 128, avg(), 128),
        inception_4c=inception(576, 160, 128, 160, 128, 160, avg(), 96),
        inception_4d=inception(576, 96, 128, 192, 160, 192, avg(), 96),
        inception_4e=reduction(576, 128, 192, 192, 256),
        inception_5a=inception(1024, 352, 192, 320, 160, 224, avg(), 128),
        inception_5b=inception(1024, 352, 192, 320, 192, 224, same_max(), 128),
        avgpool=nn.AvgPool2d(kernel_size=7),
        flatten=nn.Flatten(),
        linear=nn.Linear(1024, 1000),
    ))


MODELS = {"Inception-v2": inception_v2}
