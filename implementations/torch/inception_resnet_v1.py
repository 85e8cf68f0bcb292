"""Inception-ResNet-v1, after Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet
and the Impact of Residual Connections on Learning" (2016), figures 10 to 15.

Input 299x299x3.  The convolution that ends a residual branch is linear and has a bias and no
batch norm, as in all releases; the scales are theirs too, within the 0.1 to 0.3 of the paper.
The facenet release, for 160x160x3, has a sixth block C, not scaled and not rectified, ends in an
embedding of 512 values, and keeps 0.995 of the running statistics where the others keep 0.9997.
"""

from collections import OrderedDict

from torch import nn

from .layers import (
    Branches, Residual, conv_bn_relu, down, linear, max_pool, path, reduction_a, stage, valid,
)


def stem() -> nn.Sequential:  # Figure 14
    return nn.Sequential(
        down(3, 32), valid(32, 32, 3), conv_bn_relu(32, 64, 3), max_pool(),
        conv_bn_relu(64, 80, 1), valid(80, 192, 3), down(192, 256),
    )


def inception_resnet_a(inputs: int) -> nn.Sequential:  # Figure 10
    return linear(
        inputs, 32 + 32 + 32,
        path(inputs, (32, 1)),
        path(inputs, (32, 1), (32, 3)),
        path(inputs, (32, 1), (32, 3), (32, 3)),
    )


def inception_resnet_b(inputs: int) -> nn.Sequential:  # Figure 11
    return linear(
        inputs, 128 + 128,
        path(inputs, (128, 1)),
        path(inputs, (128, 1), (128, (1, 7)), (128, (7, 1))),
    )


def reduction_b(inputs: int) -> Branches:  # Figure 12
    return Branches([
        nn.Sequential(path(inputs, (256, 1)), down(256, 384)),
        nn.Sequential(path(inputs, (256, 1)), down(256, 256)),
        nn.Sequential(path(inputs, (256, 1), (256, 3)), down(256, 256)),
        max_pool(),
    ])


def inception_resnet_c(inputs: int) -> nn.Sequential:  # Figure 13
    return linear(
        inputs, 192 + 192,
        path(inputs, (192, 1)),
        path(inputs, (192, 1), (192, (1, 3)), (192, (3, 1))),
    )


def trunk() -> OrderedDict[str, nn.Module]:  # Figure 15, up to the last blocks
    return OrderedDict(
        stem=stem(),
        inception_resnet_a=nn.Sequential(*stage(inception_resnet_a, 256, 5, 0.17)),
        reduction_a=reduction_a(256, k=192, l=192, m=256, n=384),
        inception_resnet_b=nn.Sequential(*stage(inception_resnet_b, 896, 10, 0.10)),
        reduction_b=reduction_b(896),
    )


def inception_resnet_v1() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        **trunk(),
        inception_resnet_c=nn.Sequential(*stage(inception_resnet_c, 1792, 5, 0.20)),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        fc=nn.Linear(1792, 1000),
    ))


def facenet() -> nn.Sequential:
    last = Residual(inception_resnet_c(1792))
    embedding = nn.Linear(1792, 512, bias=False)
    network = nn.Sequential(OrderedDict(
        **trunk(),
        inception_resnet_c=nn.Sequential(*stage(inception_resnet_c, 1792, 5, 0.20), last),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.6),
        bottleneck=nn.Sequential(embedding, nn.BatchNorm1d(512, eps=1e-3)),
    ))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 5e-3
    return network


MODELS = {"Inception-ResNet-v1": inception_resnet_v1, "Inception-ResNet-v1-facenet": facenet}
