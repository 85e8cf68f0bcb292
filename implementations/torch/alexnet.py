"""AlexNet, after Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks" (2012).

Input 227x227x3.  As the document's table has it, in one column: no convolution is split in two
groups, and the normalisation follows the pooling.  As the paper has it (figure 2, section 3.3):
conv2, conv4 and conv5 in two groups, the normalisation between ReLU and pooling.
"""

from collections import OrderedDict

from torch import nn

from .layers import lrn


def conv(
    inputs: int, maps: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1
) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, maps, kernel, stride, padding, groups=groups)
    return nn.Sequential(convolution, nn.ReLU())


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2)


def norm() -> nn.LocalResponseNorm:
    return lrn(k=2.0, alpha=1e-4)


def fc(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU())


def classifier() -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        flatten=nn.Flatten(),
        dropout6=nn.Dropout(0.5),
        fc6=fc(256 * 6 * 6, 4096),
        dropout7=nn.Dropout(0.5),
        fc7=fc(4096, 4096),
        fc8=nn.Linear(4096, 1000),
    )


def alexnet() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=conv(3, 96, 11, stride=4),
        pool1=pool(),
        norm1=norm(),
        conv2=conv(96, 256, 5, padding=2),
        pool2=pool(),
        norm2=norm(),
        conv3=conv(256, 384, 3, padding=1),
        conv4=conv(384, 384, 3, padding=1),
        conv5=conv(384, 256, 3, padding=1),
        pool5=pool(),
        **classifier(),
    ))


def alexnet_groups() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=conv(3, 96, 11, stride=4),
        norm1=norm(),
        pool1=pool(),
        conv2=conv(96, 256, 5, padding=2, groups=2),
        norm2=norm(),
        pool2=pool(),
        conv3=conv(256, 384, 3, padding=1),
        conv4=conv(384, 384, 3, padding=1, groups=2),
        conv5=conv(384, 256, 3, padding=1, groups=2),
        pool5=pool(),
        **classifier(),
    ))


MODELS = {"AlexNet": alexnet, "AlexNet-groups": alexnet_groups}
