"""The networks that the document's notebooks build on a base of keras_applications 1.0.

ResNet50 is theirs: biases in all convolutions, stride on a block's first 1x1; where it is not to
be trained, its norms keep to their running statistics.  Batch norm has Keras' epsilon of 1e-3 and
keeps 0.99 of the old statistics.  The softmax at the end is part of each network.
"""

from collections import OrderedDict

from torch import nn

from .layers import Residual


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=2, stride=2)


def norm(maps: int, kind: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    return kind(maps, eps=1e-3, momentum=0.01)


def softmax(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.Softmax(dim=1))


def block(inputs: int, maps: int, convs: int) -> nn.Sequential:
    widths = [inputs, *[maps] * (convs - 1)]
    pairs = [(nn.Conv2d(width, maps, 3, padding=1), nn.ReLU()) for width in widths]
    return nn.Sequential(*(module for pair in pairs for module in pair))


def vgg16() -> nn.Sequential:
    base = OrderedDict(
        conv1=block(3, 64, 2), pool1=pool(),
        conv2=block(64, 128, 2), pool2=pool(),
        conv3=block(128, 256, 3), pool3=pool(),
        conv4=block(256, 512, 3), pool4=pool(),
        conv5=block(512, 512, 3), pool5=pool(),
    )
    for module in base.values():
        module.requires_grad_(False)
    # The code takes as many classes as it finds folders: two here.
    predictions = softmax(7 * 7 * 512, 2)
    return nn.Sequential(OrderedDict(**base, flatten=nn.Flatten(), predictions=predictions))


def conv_bn(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2)
    return nn.Sequential(convolution, norm(maps))


def bottleneck(inputs: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        conv_bn(inputs, width, 1, stride), nn.ReLU(),
        conv_bn(width, width, 3), nn.ReLU(),
        conv_bn(width, 4 * width, 1),
    )


def stage(inputs: int, width: int, blocks: int, stride: int) -> list[nn.Module]:
    shortcut = conv_bn(inputs, 4 * width, 1, stride)
    first = Residual(bottleneck(inputs, width, stride), shortcut)
    others = (Residual(bottleneck(4 * width, width, 1)) for _ in range(blocks - 1))
    return [nn.Sequential(each, nn.ReLU()) for each in (first, *others)]


def resnet50_base() -> OrderedDict[str, nn.Module]:
    pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return OrderedDict(
        conv1=nn.Sequential(conv_bn(3, 64, 7, stride=2), nn.ReLU()),
        conv2_x=nn.Sequential(pool, *stage(64, 64, 3, stride=1)),
        conv3_x=nn.Sequential(*stage(256, 128, 4, stride=2)),
        conv4_x=nn.Sequential(*stage(512, 256, 6, stride=2)),
        conv5_x=nn.Sequential(*stage(1024, 512, 3, stride=2)),
    )


def resnet50() -> nn.Sequential:
    class Frozen(nn.Sequential):  # the base is used as it is, in training too
        def train(self, mode: bool = True) -> "Frozen":
            return super().train(False)

    return nn.Sequential(OrderedDict(
        resnet=Frozen(resnet50_base()),
        avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
        predictions=softmax(2048, 2),
    ))


def cifar100() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        upsample=nn.Sequential(*(nn.Upsample(scale_factor=2) for _ in range(3))),
        resnet=nn.Sequential(resnet50_base()),
        avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
        fc1=nn.Sequential(nn.Linear(2048, 256), nn.ReLU()),
        dropout=nn.Dropout(0.25),
        norm1=norm(256, nn.BatchNorm1d),
        predictions=softmax(256, 100),
    ))


MODELS = {
    "Notebook-VGG16": vgg16,
    "Notebook-ResNet50": resnet50,
    "Notebook-CIFAR100": cifar100,
}
