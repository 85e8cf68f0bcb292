"""GoogLeNet as somebody might port it from the paper's table, with three slips in it."""

import torch
from torch import nn


def conv(inputs, outputs, size, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2),
        nn.ReLU(inplace=True),
    )


class Inception(nn.Module):
    def __init__(self, inputs, ones, reduce3, threes, reduce5, fives, pooled):
        super().__init__()
        self.branch1 = conv(inputs, ones, 1)
        self.branch2 = nn.Sequential(conv(inputs, reduce3, 1), conv(reduce3, threes, 3))
        self.branch3 = nn.Sequential(conv(inputs, reduce5, 1), conv(reduce5, fives, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv(inputs, pooled, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Auxiliary(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.conv = conv(inputs, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x):
        x = nn.functional.avg_pool2d(x, 5, stride=3)
        x = torch.flatten(self.conv(x), 1)
        x = torch.relu(self.fc1(x))
        x = nn.functional.dropout(x, 0.7, self.training)
        return self.fc2(x)


class GoogLeNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = conv(3, 64, 7, stride=2)
        self.conv2 = conv(64, 64, 1)
        self.conv3 = conv(64, 192, 3)
        self.a3 = Inception(192, 64, 96, 128, 16, 32, 32)
        self.b3 = Inception(256, 128, 128, 192, 32, 96, 64)
        self.a4 = Inception(480, 192, 96, 208, 16, 48, 64)
        self.b4 = Inception(512, 160, 112, 224, 24, 64, 64)
        self.c4 = Inception(512, 128, 128, 256, 24, 64, 64)
        self.d4 = Inception(512, 112, 144, 288, 32, 64, 64)
        self.e4 = Inception(528, 256, 160, 320, 32, 128, 128)
        self.a5 = Inception(832, 256, 160, 320, 32, 128, 128)
        self.b5 = Inception(832, 384, 192, 384, 48, 128, 128)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, alpha=2e-5, beta=0.75)
        self.aux1 = Auxiliary(512, classes)
        self.aux2 = Auxiliary(528, classes)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.norm(self.pool(self.conv1(x)))
        x = self.pool(self.norm(self.conv3(self.conv2(x))))
        x = self.pool(self.b3(self.a3(x)))
        x = a4 = self.a4(x)
        x = d4 = self.d4(self.c4(self.b4(x)))
        x = self.pool(self.e4(x))
        x = self.b5(self.a5(x)).mean((2, 3))
        x = self.fc(self.dropout(x))
        return (x, self.aux1(a4), self.aux2(d4)) if self.training else x


def googlenet():
    return GoogLeNet()
