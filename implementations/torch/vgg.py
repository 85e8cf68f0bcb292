"""VGG, after Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), table 1.

Input 224x224x3.  Section 3.1 drops out half of the first two fully connected layers' outputs.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

Block = tuple[int | str, ...]  # kernel sizes, from top to bottom; or the table's LRN
BN3 = "3x3 with batch norm"  # the VGG-19 that the ResNet paper compares itself with


def conv(inputs: int, maps: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, maps, kernel, padding=kernel // 2), nn.ReLU()]


def lrn() -> nn.LocalResponseNorm:
    # AlexNet's constants.  PyTorch divides alpha by the size of the neighbourhood.
    return nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)


def conv_bn(inputs: int, maps: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU()]


def block(inputs: int, maps: int, layers: Block) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in layers:
        if layer == "LRN":
            modules.append(lrn())
            continue
        modules += conv_bn(inputs, maps) if layer == BN3 else conv(inputs, maps, int(layer))
        inputs = maps
    return nn.Sequential(*modules)


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=2, stride=2)


def fc(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(0.5))


def vgg(conv1: Block, conv2: Block, conv3: Block, conv4: Block, conv5: Block) -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=block(3, 64, conv1), pool1=pool(),
        conv2=block(64, 128, conv2), pool2=pool(),
        conv3=block(128, 256, conv3), pool3=pool(),
        conv4=block(256, 512, conv4), pool4=pool(),
        conv5=block(512, 512, conv5), pool5=pool(),
        flatten=nn.Flatten(),
        fc6=fc(512 * 7 * 7, 4096),
        fc7=fc(4096, 4096),
        fc8=nn.Linear(4096, 1000),
    ))


MODELS = {
    "VGG-A": partial(vgg, (3,), (3,), (3, 3), (3, 3), (3, 3)),
    "VGG-A-LRN": partial(vgg, (3, "LRN"), (3,), (3, 3), (3, 3), (3, 3)),
    "VGG-B": partial(vgg, (3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "VGG-C": partial(vgg, (3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "VGG-D": partial(vgg, (3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "VGG-E": partial(vgg, (3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
    "VGG-E-BN": partial(vgg, 2 * (BN3,), 2 * (BN3,), 4 * (BN3,), 4 * (BN3,), 4 * (BN3,)),
}
