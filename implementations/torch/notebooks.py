"""The networks of the document's notebook cells, as their Keras code builds them.

Keras' defaults hold where the code says nothing: no padding, batch norm with epsilon 1e-3 and 0.99
of the old statistics kept.  The softmax or sigmoid at the end is part of each.  ResNet50 is that
of keras_applications 1.0: biases in all convolutions, stride on a block's first 1x1; where it is
not to be trained, its norms keep to their running statistics.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

from .vgg import block, pool


def conv(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, maps, kernel, stride), nn.ReLU())


def fc(inputs: int, units: int, dropout: float = 0.0) -> nn.Sequential:
    after = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), *after)


def softmax(inputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.Softmax(dim=1))


def norm(maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(maps, eps=1e-3, momentum=0.01)


def norm_units(units: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(units, eps=1e-3, momentum=0.01)


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
        fc6=fc(256, 4096, dropout=0.4), norm6=norm_units(4096),
        fc7=fc(4096, 4096, dropout=0.4), norm7=norm_units(4096),
        fc8=fc(4096, 1000, dropout=0.4), norm8=norm_units(1000),
        fc9=softmax(1000, 17),
    ))


def vgg16() -> nn.Sequential:
    network = nn.Sequential(OrderedDict(
        conv1=block(3, 64, (3, 3)), pool1=pool(),
        conv2=block(64, 128, (3, 3)), pool2=pool(),
        conv3=block(128, 256, (3, 3, 3)), pool3=pool(),
        conv4=block(256, 512, (3, 3, 3)), pool4=pool(),
        conv5=block(512, 512, (3, 3, 3)), pool5=pool(),
    )).requires_grad_(False)
    # The code takes as many classes as it finds folders: two here.
    network.append(nn.Flatten())
    network.add_module("predictions", softmax(7 * 7 * 512, 2))
    return network


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
    return nn.Sequential(
        nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2), norm(maps)
    )


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        maps = 4 * width
        self.residual = nn.Sequential(
            conv_bn(inputs, width, 1, stride), nn.ReLU(),
            conv_bn(width, width, 3), nn.ReLU(),
            conv_bn(width, maps, 1),
        )
        self.shortcut = nn.Identity() if inputs == maps else conv_bn(inputs, maps, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


def stage(inputs: int, width: int, blocks: int, stride: int) -> list[nn.Module]:
    rest = (Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))
    return [Bottleneck(inputs, width, stride), *rest]


def resnet50() -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        conv1=nn.Sequential(conv_bn(3, 64, 7, stride=2), nn.ReLU()),
        conv2_x=nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1), *stage(64, 64, 3, stride=1)
        ),
        conv3_x=nn.Sequential(*stage(256, 128, 4, stride=2)),
        conv4_x=nn.Sequential(*stage(512, 256, 6, stride=2)),
        conv5_x=nn.Sequential(*stage(1024, 512, 3, stride=2)),
    )


class Frozen(nn.Sequential):
    """A base that is used as it is, in training too."""

    def train(self, mode: bool = True) -> "Frozen":
        return super().train(False)


def average() -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def two_classes() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        resnet=Frozen(resnet50()), predictions=nn.Sequential(average(), softmax(2048, 2))
    ))


def cifar100() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        upsample=nn.Sequential(*(nn.Upsample(scale_factor=2) for _ in range(3))),
        resnet=nn.Sequential(resnet50()),
        avgpool=average(),
        fc1=fc(2048, 256),
        dropout=nn.Dropout(0.25),
        norm1=norm_units(256),
        predictions=softmax(256, 100),
    ))


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-VGG16": vgg16,
    "Notebook-CatsDogs": cats_and_dogs,
    "Notebook-ResNet50": two_classes,
    "Notebook-CIFAR100": cifar100,
}
