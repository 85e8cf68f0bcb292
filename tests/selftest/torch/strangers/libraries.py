"""Networks of torchvision and timm, as they are built there."""

import warnings
from contextlib import suppress
from importlib import import_module

import torch
from torch import nn

OPERATORS: list[torch.library.Library] = []


def torchvision(name: str, **options: object) -> nn.Module:
    """A network of torchvision, whose operators a CPU build of torch may lack: none is called."""
    if not OPERATORS:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            with suppress(RuntimeError):  # it is there
                library.define(
                    f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor"
                )
        OPERATORS.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = getattr(import_module("torchvision.models"), name)(**options)
    return module


def timm(name: str, **options: object) -> nn.Module:
    """A network of timm, which imports torchvision."""
    torchvision("alexnet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = import_module("timm").create_model(name, **options)
    return module
