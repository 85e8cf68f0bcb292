"""PyTorch ports whose structure hides what is wrong."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.selftest.rows import Wrong
from tests.selftest.torch import row


def shared_convolution(model: Any) -> None:
    """One module, used where the paper has two layers."""
    residual = model.stage1[1][0].residual
    residual[2][0] = residual[0][0]


def shared_twice(model: Any) -> None:
    shared_convolution(model)
    residual = model.stage3[2][0].residual
    residual[2][0] = residual[0][0]


def shared_projection(model: Any) -> None:
    """One projection, kernel and bias, for two modules whose pool branches are alike."""
    model.inception_4d[3][1] = model.inception_4c[3][1]


def silu(model: Any) -> None:
    model.stage1[1][0].residual[1] = nn.SiLU()


def leaky(model: Any) -> None:
    model.stage2[1][0].residual[1] = nn.LeakyReLU(0.1)


def mirrored(model: Any) -> None:
    conv = model.stage1[1][0].residual[0][0]
    model.stage1[1][0].residual[0][0] = nn.Conv2d(
        conv.in_channels, conv.out_channels, 3, padding=1, padding_mode="reflect", bias=False
    )


def fused_pool(model: Any) -> None:
    model.fc[0] = Fused(0)


def fused_response(model: Any) -> None:
    model.pool1[1] = Fused(1)


def gamma_plus_one(model: Any) -> None:
    model.stage1[1][0].residual[0][1].__class__ = GammaPlusOne


class GammaPlusOne(nn.BatchNorm2d):
    """A norm that stores how far its gamma is from 1."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.running_mean is not None and self.running_var is not None
        mean, variance = self.running_mean[:, None, None], self.running_var[:, None, None]
        normal = (x - mean) / (variance + self.eps).sqrt()
        return normal * (1 + self.weight[:, None, None]) + self.bias[:, None, None]


class Fused(nn.Module):
    """An operation of somebody's own, which no tracer sees into."""

    def __init__(self, which: int) -> None:
        super().__init__()
        self.which = which

    def forward(self, x: Tensor) -> Tensor:
        return (fused_maximum, fused_normalisation)[self.which](x)


@torch.library.custom_op("conformance_selftest::fused_maximum", mutates_args=())
def fused_maximum(x: Tensor) -> Tensor:
    return x.amax((2, 3), keepdim=True)


@fused_maximum.register_fake
def _maximum(x: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:2], 1, 1))


@torch.library.custom_op("conformance_selftest::fused_normalisation", mutates_args=())
def fused_normalisation(x: Tensor) -> Tensor:
    return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=2.0)


@fused_normalisation.register_fake
def _normalisation(x: Tensor) -> Tensor:
    return torch.empty_like(x)


HALF = "all its parameters are 1/2 (they could not be told apart)"
CIFAR = "ResNet-20-CIFAR"

HIDDEN: dict[str, Wrong] = {
    "shared convolution": row(
        CIFAR, shared_convolution, "stage1/2/2",
        cause="its kernel is that of stage1.1.0.residual.0.0",
    ),
    "shared twice": row(
        CIFAR, shared_twice, "stage1/2/2, stage3/3/2", cause="its kernel is that of stage"
    ),
    "shared projection": row(
        "GoogLeNet", shared_projection, "inception_4d/d",
        cause="its bias and kernel are those of inception_4c.3.1.0",
    ),
    "SiLU": row(CIFAR, silu, "stage1/2/1 relu", cause="silu (swish) stands in its place"),
    "leaky ReLU": row(
        CIFAR, leaky, "stage2/2/1 relu", cause="leaky relu (slope 0.1) stands in its place"
    ),
    "mirrored border": row(
        CIFAR, mirrored, "stage1/2/1", cause="the border is mirrored, not zero"
    ),
    "fused maximum": row(
        CIFAR, fused_pool, "fc global_avg_pool", cause="it is the maximum, not the average"
    ),
    "gamma + 1": row(
        CIFAR, gamma_plus_one, "stage1/2/1 batch_norm",
        cause=f"{HALF}, and gamma + 1 is taken for gamma",
    ),
    "fused normalisation": row(
        "GoogLeNet", fused_response, "pool1 lrn", cause="k is 2, not 1"
    ),
}  # fmt: skip
