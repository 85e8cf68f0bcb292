"""Inception-ResNet-v2, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet
and the Impact of Residual Connections on Learning" (2016).

Input 299x299x3.  The authors released another network than the figures draw: a stem like
Inception-v3's, 10, 20 and 10 blocks, the last one neither scaled nor rectified, and a 1x1
convolution before the pool.  It is the one that everybody ships, so it bears the plain name.
The figures' own network (3, 7, 16 to 19) has widths printed that no sum can have, 1154 and 2048;
what its reductions leave is 1152 and 2144.
"""

from collections import OrderedDict

from torch import nn

from .layers import (
    Branches, Residual, conv_bn_relu, down, linear, max_pool, path, pool_proj, reduction_a, stage,
    valid,
)


def stem() -> nn.Sequential:
    return nn.Sequential(
        down(3, 32), valid(32, 32, 3), conv_bn_relu(32, 64, 3), max_pool(),
        conv_bn_relu(64, 80, 1), valid(80, 192, 3), max_pool(),
    )


def mixed_5b() -> Branches:
    return Branches([
        path(192, (96, 1)),
        path(192, (48, 1), (64, 5)),
        path(192, (64, 1), (96, 3), (96, 3)),
        pool_proj(192, 64),
    ])


def stem_paper() -> nn.Sequential:  # Figure 3, 7x1 before 1x7 as it is drawn
    tall = path(160, (64, 1), (64, (7, 1)), (64, (1, 7)))
    return nn.Sequential(
        down(3, 32), valid(32, 32, 3), conv_bn_relu(32, 64, 3),
        Branches([max_pool(), down(64, 96)]),
        Branches([
            nn.Sequential(path(160, (64, 1)), valid(64, 96, 3)),
            nn.Sequential(tall, valid(64, 96, 3)),
        ]),
        Branches([down(192, 192), max_pool()]),
    )


def inception_resnet_a(inputs: int) -> nn.Sequential:  # Figure 16
    three = path(inputs, (32, 1), (48, 3), (64, 3))
    branches = path(inputs, (32, 1)), path(inputs, (32, 1), (32, 3)), three
    return linear(inputs, 32 + 32 + 64, *branches)


def inception_resnet_b(inputs: int) -> nn.Sequential:  # Figure 17
    branches = path(inputs, (192, 1)), path(inputs, (128, 1), (160, (1, 7)), (192, (7, 1)))
    return linear(inputs, 192 + 192, *branches)


def reduction_b(inputs: int) -> Branches:  # Figure 18
    return Branches([
        nn.Sequential(path(inputs, (256, 1)), down(256, 384)),
        nn.Sequential(path(inputs, (256, 1)), down(256, 288)),
        nn.Sequential(path(inputs, (256, 1), (288, 3)), down(288, 320)),
        max_pool(),
    ])


def inception_resnet_c(inputs: int) -> nn.Sequential:  # Figure 19
    branches = path(inputs, (192, 1)), path(inputs, (192, 1), (224, (1, 3)), (256, (3, 1)))
    return linear(inputs, 192 + 256, *branches)


def classifier(inputs: int) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(inputs, 1000),
    )


def inception_resnet_v2() -> nn.Sequential:
    last = Residual(inception_resnet_c(2080))
    return nn.Sequential(OrderedDict(
        stem=stem(),
        mixed_5b=mixed_5b(),
        inception_resnet_a=nn.Sequential(*stage(inception_resnet_a, 320, 10, 0.17)),
        reduction_a=reduction_a(320, k=256, l=256, m=384, n=384),
        inception_resnet_b=nn.Sequential(*stage(inception_resnet_b, 1088, 20, 0.10)),
        reduction_b=reduction_b(1088),
        inception_resnet_c=nn.Sequential(*stage(inception_resnet_c, 2080, 9, 0.20), last),
        conv_7b=conv_bn_relu(2080, 1536, 1),
        **classifier(1536),
    ))


def inception_resnet_v2_paper() -> nn.Sequential:  # Figure 15
    return nn.Sequential(OrderedDict(
        stem=stem_paper(),
        inception_resnet_a=nn.Sequential(*stage(inception_resnet_a, 384, 5, 0.17)),
        reduction_a=reduction_a(384, k=256, l=256, m=384, n=384),
        inception_resnet_b=nn.Sequential(*stage(inception_resnet_b, 1152, 10, 0.10)),
        reduction_b=reduction_b(1152),
        inception_resnet_c=nn.Sequential(*stage(inception_resnet_c, 2144, 5, 0.20)),
        **classifier(2144),
    ))


MODELS = {
    "Inception-ResNet-v2": inception_resnet_v2,
    "Inception-ResNet-v2-paper": inception_resnet_v2_paper,
}
