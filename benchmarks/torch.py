"""torchinfo and PyTorch's flop counter on the same models; and PyTorch's own forward.

Each is used as its documentation does, on a model with weights and a float32 image; and again on
the meta device, where neither has memory; both count alike.  All start from the factory, as the
suite does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.probe import Figures, measured
from conformance import reference
from conformance.ports import implementations as frameworks


def torchinfo(name: str, device: str) -> dict[str, Figures]:
    """``torchinfo.summary(model, input_size)``."""
    from torchinfo import summary

    factory, shape = _network(name)

    def check() -> Figures:
        with torch.device(device):
            model = factory()
        found = summary(model, input_size=shape, device=device, verbose=0)
        return {"multiply-adds": found.total_mult_adds, "parameters": found.trainable_params}

    counts, figures = measured(check)
    return {f"torchinfo, {device}": figures | (counts if device == "cpu" else {})}


def flop_counter(name: str, device: str) -> dict[str, Figures]:
    """``FlopCounterMode`` around a forward; it counts a multiply-add as two."""
    factory, shape = _network(name)

    def check() -> Figures:
        with torch.device(device):
            model = factory().eval()
            image = torch.rand(shape)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(image)
        return {"multiply-adds": counter.get_total_flops() / 2}

    counts, figures = measured(check)
    return {f"FlopCounterMode, {device}": figures | (counts if device == "cpu" else {})}


def forward(factory: Callable[[], Any], size: tuple[int, int, int]) -> Callable[[], object]:
    """A float64 forward of the model as PyTorch initialises it."""
    height, width, channels = size
    torch.set_default_dtype(torch.float64)
    model = factory().eval()
    image = torch.rand(1, channels, height, width)
    return torch.no_grad()(lambda: model(image))


def backward(
    factory: Callable[[], Any], size: tuple[int, int, int], batch: int = 1, training: bool = False
) -> Callable[[], object]:
    """A float64 forward and the way back from its first output, to all weights and the image."""
    height, width, channels = size
    torch.set_default_dtype(torch.float64)
    model = factory().train(training)
    image = torch.rand(batch, channels, height, width, requires_grad=True)

    def step() -> object:
        output = model(image)
        first = output if isinstance(output, torch.Tensor) else output[0]
        leaves = [image, *model.parameters()]
        return torch.autograd.grad(first.sum(), leaves, allow_unused=True)

    return step


def _network(name: str) -> tuple[Callable[[], Any], tuple[int, ...]]:
    model = reference.find(name)
    height, width, channels = model.input
    return frameworks.factory("torch", model), (1, channels, height, width)
