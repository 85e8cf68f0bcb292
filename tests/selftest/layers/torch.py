"""Layers of PyTorch, by their module and spelt out."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.selftest.layers import CHANNELS, Layer


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def behind(make: Callable[[], nn.Module]) -> nn.Module:
    """The layer behind a convolution."""
    return nn.Sequential(nn.Conv2d(3, CHANNELS, 3), make())


def of(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return partial(behind, partial(Function, function))


def spelt_out(x: Tensor) -> Tensor:
    return x - torch.log(torch.exp(x).sum(1, keepdim=True))


UP_TO_SIX = {"low": 0.0, "high": 6.0}
LAYERS = {
    "hard tanh": Layer(partial(behind, nn.Hardtanh), "clip", {"low": -1.0, "high": 1.0}),
    "relu6": Layer(partial(behind, nn.ReLU6), "clip", UP_TO_SIX),
    "relu6 by clamp": Layer(of(lambda x: x.clamp(0, 6)), "clip", UP_TO_SIX),
    "log softmax": Layer(of(lambda x: F.log_softmax(x, 1)), "log_softmax"),
    "log of softmax": Layer(of(lambda x: torch.log(F.softmax(x, 1))), "log_softmax"),
    "log softmax spelt out": Layer(of(spelt_out), "log_softmax"),
}
