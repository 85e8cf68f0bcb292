"""The networks of the document's notebook cells, as their Keras code builds them.

Keras' defaults hold where the code says nothing: no padding, batch norm with epsilon 1e-3 and 0.99
of the old statistics kept.  The softmax or sigmoid at the end is part of each.  ResNet50 is that
of keras_applications 1.0: biases in all convolutions, stride on a block's first 1x1; where it is
not to be trained, its norms keep to their running statistics.
"""

from collections import OrderedDict

from torch import nn

from .layers import Residual


def conv(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, maps, kernel, stride), nn.ReLU())


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=2, stride=2)


def norm(maps: int, kind: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    return kind(maps, eps=1e-3, momentum=0.01)


def fc(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU())


def softmax(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.Softmax(dim=1))


def fc_dropout(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(0.4))


def lenet() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=conv(1, 6, 5), pool1=pool(),
        conv2=conv(6, 16, 5), pool2=pool(),
        flatten=nn.Flatten(),
        fc3=fc(4 * 4 * 16, 120), fc4=fc(120, 84), fc5=softmax(84, 10),
    ))


def alexnet() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=conv(3, 96, 11, stride=4), pool1=pool(), norm1=norm(96),
        conv2=conv(96, 256, 11), pool2=pool(), norm2=norm(256),
        conv3=conv(256, 384, 3), norm3=norm(384),
        conv4=conv(384, 384, 3), norm4=norm(384),
        conv5=conv(384, 256, 3), pool5=pool(), norm5=norm(256),
        flatten=nn.Flatten(),
        fc6=fc_dropout(256, 4096), norm6=norm(4096, nn.BatchNorm1d),
        fc7=fc_dropout(4096, 4096), norm7=norm(4096, nn.BatchNorm1d),
        fc8=fc_dropout(4096, 1000), norm8=norm(1000, nn.BatchNorm1d),
        fc9=softmax(1000, 17),
    ))


def block(inputs: int, maps: int, convs: int) -> nn.Sequential:  # VGG's
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


def cats_and_dogs() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=conv(3, 32, 3), pool1=pool(),
        conv2=conv(32, 64, 3), pool2=pool(),
        conv3=conv(64, 128, 3), pool3=pool(),
        conv4=conv(128, 128, 3), pool4=pool(),
        dropout=nn.Dropout(0.5),
        flatten=nn.Flatten(),
        fc5=fc(7 * 7 * 128, 512),
        fc6=nn.Sequential(nn.Linear(512, 1), nn.Sigmoid()),
    ))


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
        fc1=fc(2048, 256),
        dropout=nn.Dropout(0.25),
        norm1=norm(256, nn.BatchNorm1d),
        predictions=softmax(256, 100),
    ))


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-VGG16": vgg16,
    "Notebook-CatsDogs": cats_and_dogs,
    "Notebook-ResNet50": resnet50,
    "Notebook-CIFAR100": cifar100,
}
