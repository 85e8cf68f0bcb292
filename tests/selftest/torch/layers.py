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


class LastNorm(nn.Module):
    """A norm of the channels, as ConvNeXt has it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


FOUR = {"groups": 4, "epsilon": 1e-5}
UP_TO_SIX = {"low": 0.0, "high": 6.0}
#: A model by name, with the kind and the attributes of its last layer.
LAYERS: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "group norm": (partial(behind, partial(nn.GroupNorm, 4, CHANNELS)), "group_norm", FOUR),
    "group norm spelt out": (of(by_groups), "group_norm", FOUR),
    "layer norm": (partial(behind, LastNorm), "layer_norm", {"epsilon": 1e-5}),
    "prelu": (partial(behind, nn.PReLU), "prelu", {}),
    "prelu of a slope a channel": (partial(behind, partial(nn.PReLU, CHANNELS)), "prelu", {}),
    "leaky relu": (partial(behind, nn.LeakyReLU), "leaky_relu", {"slope": 0.01}),
    "leaky relu that falls": (
        partial(behind, partial(nn.LeakyReLU, -0.3)),
        "leaky_relu",
        {"slope": -0.3},
    ),
    "elu": (partial(behind, partial(nn.ELU, 0.7)), "elu", {"alpha": 0.7}),
    "gelu by tanh": (partial(behind, partial(nn.GELU, "tanh")), "gelu_by_tanh", {}),
    "soft shrink": (partial(behind, nn.Softshrink), "soft_shrink", {"least": 0.5}),
    "hard sigmoid spelt out": (of(lambda x: F.relu6(x + 3) / 6), "hard_sigmoid", {}),
    **{
        made.__name__: (partial(behind, made), kind, {})
        for made, kind in (
            (nn.Hardswish, "hard_swish"),
            (nn.SiLU, "silu"),
            (nn.Mish, "mish"),
            (nn.Softplus, "softplus"),
            (nn.Softsign, "softsign"),
            (nn.SELU, "selu"),
            (nn.GELU, "gelu"),
            (nn.LogSigmoid, "log_sigmoid"),
            (nn.Tanhshrink, "tanh_shrink"),
        )
    },
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

#: Layers whose way back has a constant in single precision, also where it computes in double.
ROUNDED: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "celu": (partial(behind, partial(nn.CELU, 0.7)), "celu", {"alpha": 0.7}),
    "hard sigmoid": (partial(behind, nn.Hardsigmoid), "hard_sigmoid", {}),
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
