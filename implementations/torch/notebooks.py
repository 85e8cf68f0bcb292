"""The networks that the document's notebooks write out, after their Keras code.

Keras' defaults hold where the code says nothing: no padding, batch norm with epsilon 1e-3 and 0.99
of the old statistics kept.  The softmax or sigmoid at the end is part of each.
"""

from collections import OrderedDict

from torch import nn


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


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-CatsDogs": cats_and_dogs,
}
