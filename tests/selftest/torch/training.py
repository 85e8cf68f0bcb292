"""Bugs that training alone shows, in either pass, or that stand in what a network starts from."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch import lenet
from conformance.implementations.torch.layers import Function, WithHeads
from tests.selftest.torch.strangers.ports import ByHand


def keep_for_drop(model: Any) -> None:
    model.dropout.p = 0.6


def other_rate(model: Any) -> None:
    model.dropout7.p = 0.4


def dropout_missing(model: Any) -> None:
    model.dropout6 = nn.Identity()


def dropout_after_dense(model: Any) -> None:
    model.fc7.append(model.dropout6)
    model.dropout6 = nn.Identity()


def dropout_added(model: Any) -> None:
    model.fc.insert(2, nn.Dropout(0.5))


def rate_in_the_head(model: Any) -> None:
    model.aux_4a[5].p = 0.4


def dropout_before_pool(model: Any) -> None:
    model.avgpool = nn.Sequential(model.dropout, model.avgpool)
    model.dropout = nn.Identity()


def momentum_mixed_up(model: Any) -> None:
    for norm in norms(model):
        norm.momentum = 0.9


def other_momentum(model: Any) -> None:
    for norm in norms(model.stage2):
        norm.momentum = 0.01


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def frozen_norm(model: Any) -> None:
    model.stage1[1][0].residual[0][1].__class__ = Frozen


class Frozen(nn.BatchNorm2d):
    def train(self, mode: bool = True) -> "Frozen":
        return super().train(False)


def other_variance(model: Any) -> None:
    for norm in norms(model.stage3):
        norm.__class__ = Biased


class Biased(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        assert self.running_mean is not None and self.running_var is not None
        if not self.training:
            return super().forward(x)
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        self.running_mean.copy_(0.9 * self.running_mean + 0.1 * mean.flatten())
        self.running_var.copy_(0.9 * self.running_var + 0.1 * variance.flatten())
        normal = (x - mean) / (variance + self.eps).sqrt()
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


def head_on_4b(model: Any) -> nn.Module:
    rows = dict(model.named_children())
    names = list(rows)
    here = names.index("aux_4a")
    names[here : here + 2] = names[here + 1], names[here]
    return WithHeads(OrderedDict((name, rows[name]) for name in names))


def head_missing(model: Any) -> None:
    del model.aux_4d


def shortcut_cut(model: Any) -> None:
    model.stage2[1][0].shortcut = Detached()


def branch_cut(model: Any) -> None:
    model.inception[2].append(Detached())


class Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


def doubled(model: Any) -> None:
    model.F6.append(Doubled())


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(lambda gradient: 2 * gradient)
        return x


def frozen_kernel(model: Any) -> None:
    model.F6[1].__class__ = FrozenKernel


class FrozenKernel(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.detach(), self.bias)


def wrong_backward(model: Any) -> None:
    model.C3[1] = Function(Straight.apply)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.tanh()

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> Tensor:
        return above


def features_stopped(model: Any) -> None:
    model.F6.insert(0, Detached())


def silent_hook(model: Any) -> None:
    model.F6[1].weight.register_hook(torch.zeros_like)


def reversed(model: Any) -> None:
    model.S4[1] = Reversed()


class Reversed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = lenet.squash(x)
        if y.requires_grad:
            y.register_hook(torch.neg)
        return y


def statistics_detached(model: Any) -> None:
    model.stage2[1][0].residual[0][1].__class__ = Constant


class Constant(ByHand):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            self.moved(mean, x.var((0, 2, 3)))
        normal = (x - mean[:, None, None]) / (variance[:, None, None] + self.eps).sqrt()
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


def head_detached(model: Any) -> None:
    model.aux_4a.insert(0, Detached())


def zero_kernel(model: Any) -> None:
    nn.init.zeros_(model.C5[0].weight)


def constant_kernel(model: Any) -> None:
    nn.init.ones_(model.F6[1].weight)


def ten_times_wider(model: Any) -> None:
    with torch.no_grad():
        model.conv2[0].weight.mul_(10)


def all_positive(model: Any) -> None:
    model.C5[0].weight.data.abs_()


def two_alike(model: Any) -> None:
    model.C5[0].weight.data[1] = model.C5[0].weight.data[0]


def not_a_number(model: Any) -> None:
    model.C5[0].weight.data[1, 2] = torch.nan


def same_seed(model: Any) -> None:
    for block, _ in model.stage1:
        for conv in (block.residual[0][0], block.residual[2][0]):
            torch.manual_seed(0)
            conv.reset_parameters()


def mean_of_one(model: Any) -> None:
    model.conv1[0][1].running_mean.fill_(1)


def zero_inner_gamma(model: Any) -> None:
    for block, _ in model.stage1:
        nn.init.zeros_(block.residual[0][1].weight)


def zero_variance(model: Any) -> None:
    model.conv1[0][1].running_var.zero_()
