"""Gradients by PyTorch's own reverse mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from conformance.trace.port import Arrays, Gradients


def pulled(
    outputs: Sequence[Tensor], cotangents: Arrays, leaves: Mapping[str | None, Tensor]
) -> Gradients:
    """The gradient of the sum of ``outputs * cotangents`` by each leaf; zero where it has none."""
    moving = [
        (output, torch.from_numpy(cotangent))
        for output, cotangent in zip(outputs, cotangents, strict=False)
        if output.requires_grad  # one that was detached moves nothing
    ]
    if moving:
        # Accumulated as in training, so that hooks take part, and checkpoints that recompute.
        torch.autograd.backward(*zip(*moving, strict=True))
    return {
        handle: (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).detach().numpy()
        for handle, leaf in leaves.items()
    }
