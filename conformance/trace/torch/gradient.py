"""Gradients by PyTorch's own reverse mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


def pulled(
    outputs: Sequence[Tensor],
    cotangents: Sequence[np.ndarray],
    leaves: Mapping[str | None, Tensor],
) -> dict[str | None, np.ndarray]:
    """The gradient of the sum of ``outputs * cotangents`` by each leaf; zero where it has none."""
    moving = [
        (output, torch.from_numpy(cotangent))
        for output, cotangent in zip(outputs, cotangents, strict=False)
        if output.requires_grad  # one that was detached moves nothing
    ]
    found: Sequence[Tensor | None] = (None,) * len(leaves)
    if moving:
        some, above = zip(*moving, strict=True)
        found = torch.autograd.grad(some, list(leaves.values()), above, allow_unused=True)
    return {
        handle: (torch.zeros_like(leaf) if gradient is None else gradient).detach().numpy()
        for (handle, leaf), gradient in zip(leaves.items(), found, strict=True)
    }
