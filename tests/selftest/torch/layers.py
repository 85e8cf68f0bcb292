"""Layers of PyTorch, by their module and spelt out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch.layers import Function
from tests.selftest.rows import CHANNELS, Wrong


def behind(make: Callable[[], nn.Module]) -> nn.Module:
    """The layer behind a convolution."""
    return nn.Sequential(nn.Conv2d(3, CHANNELS, 3), make())


def of(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return partial(behind, partial(Function, function))


def spelt_out(x: Tensor) -> Tensor:
    return x - torch.log(torch.exp(x).sum(1, keepdim=True))


def by_groups(x: Tensor) -> Tensor:
    cells = x.reshape(len(x), 4, -1)
    cells = cells - cells.mean(2, keepdim=True)
    variance = (cells**2).mean(2, keepdim=True)
    return (cells * (variance + 1e-5).rsqrt()).reshape(x.shape)


FOUR = {"groups": 4, "epsilon": 1e-5}
UP_TO_SIX = {"low": 0.0, "high": 6.0}
#: A model by name, with the kind and the attributes of its last layer.
LAYERS: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "group norm": (partial(behind, partial(nn.GroupNorm, 4, CHANNELS)), "group_norm", FOUR),
    "group norm spelt out": (of(by_groups), "group_norm", FOUR),
    "adaptive pool of uneven windows": (
        lambda: nn.Sequential(nn.Conv2d(3, CHANNELS, 1), nn.AdaptiveAvgPool2d(4)),
        "adaptive_avg_pool",
        {"size": (4, 4)},
    ),
    "hard tanh": (partial(behind, nn.Hardtanh), "clip", {"low": -1.0, "high": 1.0}),
    "relu6": (partial(behind, nn.ReLU6), "clip", UP_TO_SIX),
    "relu6 by clamp": (of(lambda x: x.clamp(0, 6)), "clip", UP_TO_SIX),
    "log softmax": (of(lambda x: F.log_softmax(x, 1)), "log_softmax", {}),
    "log of softmax": (of(lambda x: torch.log(F.softmax(x, 1))), "log_softmax", {}),
    "log softmax spelt out": (of(spelt_out), "log_softmax", {}),
}


def in_turn(x: Tensor) -> Tensor:
    """Channel c is of group c mod 4."""
    cells = x.reshape(len(x), -1, 4, x.shape[2] * x.shape[3])
    cells = cells - cells.mean((1, 3), keepdim=True)
    variance = (cells**2).mean((1, 3), keepdim=True)
    return (cells * (variance + 1e-5).rsqrt()).reshape(x.shape)


WRONG = {
    "two groups": Wrong(
        "group norm", partial(behind, partial(nn.GroupNorm, 2, CHANNELS)), "group_norm", "groups",
        2, "it has 2 groups, not 4",
    ),
    "another epsilon": Wrong(
        "group norm", partial(behind, partial(nn.GroupNorm, 4, CHANNELS, eps=0.01234)),
        "group_norm", "epsilon", 0.01234, "epsilon is 0.01234, not 1e-05",
    ),
    "channels dealt in turn": Wrong(
        "group norm spelt out", of(in_turn), "group_norm", "", None,
        "channels are dealt to the groups in turn, not side by side",
    ),
}  # fmt: skip
