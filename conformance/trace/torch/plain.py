"""A module called as its users call it: no mode, no hook, no other class of tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def plain(
    module: nn.Module,
    given: Callable[[Tensor], Tensor],
    values: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> Any:
    """What a module returns for a batch, with values in its stored arrays; they are put back."""
    stored = dict([*module.named_parameters(), *module.named_buffers()])
    stored = {handle: stored[handle] for handle in values}
    before = {handle: tensor.detach().clone() for handle, tensor in stored.items()}
    training = module.training
    with torch.no_grad():
        try:
            for handle, tensor in stored.items():
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(values[handle])))
            batch = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
            return module.eval()(given(batch.contiguous()))
        finally:
            for handle, tensor in stored.items():
                tensor.copy_(before[handle])
            module.train(training)
