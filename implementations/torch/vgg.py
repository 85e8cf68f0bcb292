"""VGG, after Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), table 1.

Input 224x224x3.  Section 3.1 drops out half of the first two fully connected layers' outputs.
A-LRN has AlexNet's normalisation.  E-BN is the VGG-19 that the ResNet paper compares itself with.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from .layers import lrn

Cell = tuple[Callable[[int, int], list[nn.Module]], ...]  # of the table, from top to bottom


def conv3(inputs: int, maps: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, maps, 3, padding=1), nn.ReLU()]


def conv3_bn(inputs: int, maps: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU()]


def conv1(inputs: int, maps: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, maps, 1), nn.ReLU()]


def norm(inputs: int, maps: int) -> list[nn.Module]:
    return [lrn(k=2.0, alpha=1e-4)]


def block(inputs: int, maps: int, cell: Cell) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in cell:
        modules += layer(inputs, maps)
        inputs = maps
    return nn.Sequential(*modules)


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=2, stride=2)


def fc(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(0.5))


def vgg(*cells: Cell) -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=block(3, 64, cells[0]), pool1=pool(),
        conv2=block(64, 128, cells[1]), pool2=pool(),
        conv3=block(128, 256, cells[2]), pool3=pool(),
        conv4=block(256, 512, cells[3]), pool4=pool(),
        conv5=block(512, 512, cells[4]), pool5=pool(),
        flatten=nn.Flatten(),
        fc6=fc(512 * 7 * 7, 4096),
        fc7=fc(4096, 4096),
        fc8=nn.Linear(4096, 1000),
    ))


ONE = (conv3,)
TWO = (conv3, conv3)
THREE = (conv3, conv3, conv3)
FOUR = (conv3, conv3, conv3, conv3)
TWO_BN = (conv3_bn, conv3_bn)
FOUR_BN = (conv3_bn, conv3_bn, conv3_bn, conv3_bn)
TWO_AND_1X1 = (conv3, conv3, conv1)

MODELS = {
    "VGG-A": partial(vgg, ONE, ONE, TWO, TWO, TWO),
    "VGG-A-LRN": partial(vgg, (conv3, norm), ONE, TWO, TWO, TWO),
    "VGG-B": partial(vgg, TWO, TWO, TWO, TWO, TWO),
    "VGG-C": partial(vgg, TWO, TWO, TWO_AND_1X1, TWO_AND_1X1, TWO_AND_1X1),
    "VGG-D": partial(vgg, TWO, TWO, THREE, THREE, THREE),
    "VGG-E": partial(vgg, TWO, TWO, FOUR, FOUR, FOUR),
    "VGG-E-BN": partial(vgg, TWO_BN, TWO_BN, FOUR_BN, FOUR_BN, FOUR_BN),
}
