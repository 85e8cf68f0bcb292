"""GoogLeNet, after Szegedy et al., "Going Deeper with Convolutions" (2014), table 1 and figures
2 and 3, and the authors' release in Caffe.

Input 224x224x3.  Two auxiliary classifiers, on inception_4a and inception_4d, in training only.
The paper prints no constants of the normalisation and no rounding of the pools: both are Caffe's,
whose alpha is that of the mean.  The two forms of the module in figure 2 are networks of their own,
with inception_3a's widths.
"""

from collections import OrderedDict

from torch import nn

from .layers import Branches, Head, WithHeads, lrn


def conv(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2), nn.ReLU()
    )


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


def norm() -> nn.LocalResponseNorm:
    return lrn(k=1.0, alpha=1e-4 / 5)


def same_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=1, padding=1)


def naive(inputs: int, n1x1: int, n3x3: int, n5x5: int) -> Branches:  # Figure 2(a)
    return Branches([
        conv(inputs, n1x1, 1), conv(inputs, n3x3, 3), conv(inputs, n5x5, 5), same_pool(),
    ])


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, n5x5_reduce: int, n5x5: int, pool_proj: int
) -> Branches:  # Figure 2(b)
    return Branches([
        conv(inputs, n1x1, 1),
        nn.Sequential(conv(inputs, n3x3_reduce, 1), conv(n3x3_reduce, n3x3, 3)),
        nn.Sequential(conv(inputs, n5x5_reduce, 1), conv(n5x5_reduce, n5x5, 5)),
        nn.Sequential(same_pool(), conv(inputs, pool_proj, 1)),
    ])


def auxiliary(inputs: int) -> Head:  # Section 5
    return Head(
        nn.AvgPool2d(kernel_size=5, stride=3),
        conv(inputs, 128, 1),
        nn.Flatten(),
        nn.Linear(4 * 4 * 128, 1024), nn.ReLU(),
        nn.Dropout(0.7),
        nn.Linear(1024, 1000),
    )


def googlenet() -> WithHeads:
    return WithHeads(OrderedDict(
        conv1=conv(3, 64, 7, stride=2),
        pool1=nn.Sequential(pool(), norm()),
        conv2=nn.Sequential(conv(64, 64, 1), conv(64, 192, 3), norm()),
        pool2=pool(),
        inception_3a=inception(192, 64, 96, 128, 16, 32, 32),
        inception_3b=inception(256, 128, 128, 192, 32, 96, 64),
        pool3=pool(),
        inception_4a=inception(480, 192, 96, 208, 16, 48, 64),
        aux_4a=auxiliary(512),
        inception_4b=inception(512, 160, 112, 224, 24, 64, 64),
        inception_4c=inception(512, 128, 128, 256, 24, 64, 64),
        inception_4d=inception(512, 112, 144, 288, 32, 64, 64),
        aux_4d=auxiliary(528),
        inception_4e=inception(528, 256, 160, 320, 32, 128, 128),
        pool4=pool(),
        inception_5a=inception(832, 256, 160, 320, 32, 128, 128),
        inception_5b=inception(832, 384, 192, 384, 48, 128, 128),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.4),
        linear=nn.Linear(1024, 1000),
    ))


def naive_module() -> nn.Sequential:
    return nn.Sequential(OrderedDict(inception=naive(192, 64, 128, 32)))


def inception_module() -> nn.Sequential:
    return nn.Sequential(OrderedDict(inception=inception(192, 64, 96, 128, 16, 32, 32)))


MODELS = {
    "GoogLeNet": googlenet,
    "Inception-naive": naive_module,
    "Inception-module": inception_module,
}
