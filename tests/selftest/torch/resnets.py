"""ResNets with a bug in their structure."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch import resnet_cifar
from conformance.implementations.torch.layers import Residual, conv_bn


def padded_below(model: Any) -> None:
    model.conv1[0][0].padding = (2, 2)
    model.conv1.insert(0, nn.ZeroPad2d((0, 1, 0, 1)))


def pool_padded_below(model: Any) -> None:
    model.conv2_x[0] = nn.MaxPool2d(3, 2, ceil_mode=True)


def bare_projection(model: Any) -> None:
    model.conv4_x[0][0].shortcut = model.conv4_x[0][0].shortcut[0]


def stride_on_3x3(model: Any) -> None:
    first, _, second, *_ = model.conv3_x[0][0].residual
    first[0].stride, second[0].stride = (1, 1), (2, 2)


def keras_epsilon(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3


def biased_conv1(model: Any) -> None:
    model.conv1[0][0] = nn.Conv2d(3, 16, 3, padding=1)


def norm_missing(model: Any) -> None:
    del model.stage1[0][0].residual[2][1]


def relu_before_addition(model: Any) -> None:
    model.stage1[1][0].__class__ = ReluBeforeAddition
    del model.stage1[1][1]


class ReluBeforeAddition(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x)) + self.shortcut(x)


def no_relu_after_addition(model: Any) -> None:
    del model.stage1[1][1]


def relu6_in_conv1(model: Any) -> None:
    model.conv1[1] = nn.ReLU6()


def norm_over_rows(model: Any) -> None:
    model.conv1[0][1] = OverRows(32)


class OverRows(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def branch_twice(model: Any) -> None:
    model.stage1[1][0].__class__ = BranchTwice


class BranchTwice(Residual):
    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(x)
        return x + x


def learned_scale(model: Any) -> None:
    model.stage1[1][0].residual.append(Scaled())


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def no_gamma(model: Any) -> None:
    model.stage1[1][0].residual[2][1].weight = None


def shortcut_missing(model: Any) -> None:
    model.stage2[1][0] = resnet_cifar.plain(32, 32, 1)


def block_too_few(model: Any) -> None:
    del model.stage2[-1]


def block_too_many(model: Any) -> None:
    model.stage3.append(nn.Sequential(resnet_cifar.residual(64, 64, 1), nn.ReLU()))


def projection_for_identity(model: Any) -> None:
    model.stage2[0][0].shortcut = conv_bn(16, 32, 1, 2)


def zeros_in_front(model: Any) -> None:
    model.stage2[0][0].shortcut = Padded((16, 0))


def zeros_on_both_sides(model: Any) -> None:
    model.stage2[0][0].shortcut = Padded((8, 8))


class Padded(nn.Module):
    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, *self.channels))


def every_other_pixel(model: Any) -> None:
    model.stage2[0][0].shortcut = SecondPixels()


class SecondPixels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, 1::2, 1::2], (0, 0, 0, 0, 0, 16))


def averaged_shortcut(model: Any) -> None:
    model.stage2[0][0].shortcut = AveragedShortcut()


class AveragedShortcut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.pad(F.avg_pool2d(x, 2), (0, 0, 0, 0, 0, 16))


def maximum_at_the_end(model: Any) -> None:
    model.fc[0] = nn.AdaptiveMaxPool2d(1)


def relu_before_norm(model: Any) -> None:
    norm, relu = model.stage1[1].residual[0]
    model.stage1[1].residual[0] = nn.Sequential(relu, norm)
