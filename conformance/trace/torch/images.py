"""How images go into a module, in the one layout or the other, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves


def channels_first(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))


def channels_behind(result: np.ndarray) -> np.ndarray:
    return result.transpose(0, 2, 3, 1) if result.ndim == 4 else result


def as_it_is(image: Tensor) -> Tensor:
    return image


def channels_last(image: Tensor) -> Tensor:
    return image.permute(0, 2, 3, 1)


def unpacked(output: Any) -> list[Any]:
    """The tensors that a forward returned, in whatever they are packed."""
    if is_dataclass(output):
        output = [getattr(output, field.name) for field in fields(output)]
    elif isinstance(output, Mapping):
        output = [*output.values()]
    return [leaf for leaf in tree_leaves(output) if leaf is not None]
