"""Right in inference, wrong in training or backwards: what PyTorch models do by accident."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch import lenet
from tests.selftest.rows import Wrong
from tests.selftest.torch import row
from tests.selftest.torch.strangers.ports import ByHand


def detached_residual(model: Any) -> None:
    """A residual branch whose features are detached: only shortcuts carry the gradient."""
    model.stage2[1][0].residual.append(Detach())


class Detach(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


def doubled_by_hook(model: Any) -> None:
    """A module's backward hook that scales, left over from an experiment."""
    model.C3[0].register_full_backward_hook(lambda module, below, above: (2 * below[0],))


def frozen_kernel(model: Any) -> None:
    """A layer that was to be frozen: its weights do not move, what is below it does."""
    model.F6[1].__class__ = FrozenKernel


class FrozenKernel(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.detach(), self.bias)


def straight_through(model: Any) -> None:
    """A rectifier whose own backward lets every gradient pass."""
    model.stage3[2][0].residual[1] = StraightThrough()


class StraightThrough(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Straight.apply(x)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.relu()

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> Tensor:
        return above


def reversed_by_hook(model: Any) -> None:
    """A gradient reversal, done by a hook on a result."""
    model.S4[1] = Reversed()


class Reversed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = lenet.squash(x)
        if y.requires_grad:
            y.register_hook(torch.neg)
        return y


def momentum_turned_round(model: Any) -> None:
    """Keras' momentum, the share that is kept, given to PyTorch as the share that is new."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.9


def frozen_norm(model: Any) -> None:
    """A batch norm that keeps to its running statistics in training as well."""
    model.stage2[1][0].residual[0][1].__class__ = Frozen


class Frozen(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def kept_for_dropped(model: Any) -> None:
    """The share that is kept, given as the share that is dropped."""
    model.dropout.p = 1 - model.dropout.p


def statistics_detached(model: Any) -> None:
    """A norm written by hand, whose batch statistics are constants to the gradient."""
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


def turned_round_by_hand(model: Any) -> None:
    """A norm that keeps the share of the old value which it should take of the new."""
    model.conv1[0][1].__class__ = TurnedRound


class TurnedRound(ByHand):
    def moved(self: Any, mean: Tensor, variance: Tensor) -> None:
        self.running_mean = 0.1 * self.running_mean + 0.9 * mean
        self.running_var = 0.1 * self.running_var + 0.9 * variance


def head_detached(model: Any) -> None:
    """An auxiliary head that trains itself and nothing before it."""
    model.aux_4a.insert(0, Detach())


CIFAR = "ResNet-20-CIFAR"

BACKWARD: dict[str, Wrong] = {
    "detached residual": row(CIFAR, detached_residual, "stage2", found=0.0),
    "doubled by a hook": row("LeNet-5", doubled_by_hook, "S2", found=2.0),
    "frozen kernel": row("LeNet-5", frozen_kernel, "F6", "kernel", 0.0),
    "straight-through ReLU": row(CIFAR, straight_through, "stage3"),
    "reversed by a hook": row("LeNet-5", reversed_by_hook, "S4", found=-1.0),
}

STEP: dict[str, Wrong] = {
    "statistics detached": row(CIFAR, statistics_detached, "stage2"),
    "head detached": row("GoogLeNet", head_detached, "inception_4a"),
}

TRAINING: dict[str, Wrong] = {
    "momentum turned round": row(CIFAR, momentum_turned_round, "conv1", "statistics"),
    "turned round by hand": row(CIFAR, turned_round_by_hand, "conv1", "statistics"),
    "frozen norm": row(CIFAR, frozen_norm, "stage2", "value"),
    "kept for dropped": row("GoogLeNet", kept_for_dropped, "dropout", "value"),
}
