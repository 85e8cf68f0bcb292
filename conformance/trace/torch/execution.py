"""How PyTorch is made to compute: in a precision, on a device, backwards, or as users call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conformance.trace.port import PLAIN, Arrays, Execution, Gradients
from conformance.trace.torch.build import switched


def gpu() -> str:
    """The name of the GPU that PyTorch sees; empty if it sees none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def as_array(x: Tensor) -> np.ndarray:
    """A tensor as an array; NumPy has no bfloat16, and float32 holds its numbers and float16's."""
    x = x.detach()
    small = x.is_floating_point() and x.itemsize < 4
    return (x.float() if small else x).cpu().numpy()


@contextmanager
def computing(how: Execution = PLAIN) -> Iterator[torch.device]:
    """The device of an execution, and the type that numbers made without one have in it.

    Nothing is left to a setting: products in float32 are, and sums inside products are never
    kept in less than it.
    """
    fast = how.precision == "tf32"
    how.possible("PyTorch", gpu)
    dtype: torch.dtype = torch.float32 if fast else getattr(torch, how.precision)
    device = torch.device("cuda" if how.device == "gpu" else "cpu")
    settings = torch.backends.cuda.matmul
    before = (
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
        settings.allow_bf16_reduced_precision_reduction,
        settings.allow_fp16_reduced_precision_reduction,
    )
    torch.set_default_dtype(dtype)
    torch.set_float32_matmul_precision("high" if fast else "highest")
    settings.allow_bf16_reduced_precision_reduction = False
    settings.allow_fp16_reduced_precision_reduction = False
    try:
        with (
            torch.backends.cudnn.flags(
                enabled=True, deterministic=True, benchmark=False, allow_tf32=fast
            ),
            device if how.device == "gpu" else nullcontext(),
        ):
            yield device
    finally:
        torch.set_default_dtype(before[0])
        torch.set_float32_matmul_precision(before[1])
        settings.allow_bf16_reduced_precision_reduction = before[2]
        settings.allow_fp16_reduced_precision_reduction = before[3]


def pulled(
    outputs: Sequence[Tensor], cotangents: Arrays, leaves: Mapping[str | None, Tensor]
) -> Gradients:
    """Gradients of the sum of ``outputs * cotangents`` by each leaf; zero where it has none."""
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


def plain(
    module: nn.Module,
    given: Callable[[Tensor], Tensor],
    values: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> Any:
    """What a module returns for a batch, with values in its stored arrays; they are put back.

    It is called as its users call it: under no mode, no hook and no other class of tensor.
    """
    stored = dict([*module.named_parameters(), *module.named_buffers()])
    stored = {handle: stored[handle] for handle in values}
    before = {handle: tensor.detach().clone() for handle, tensor in stored.items()}
    training = module.training
    with torch.no_grad():
        try:
            for handle, tensor in stored.items():
                tensor.copy_(torch.from_numpy(np.require(values[handle], None, ["C", "W"])))
            double = any(tensor.dtype == torch.float64 for tensor in stored.values())
            batch = torch.from_numpy(images.transpose(0, 3, 1, 2)).to(
                torch.float64 if double else torch.float32
            )
            return switched(module, False)(given(batch.contiguous()))
        finally:
            for handle, tensor in stored.items():
                tensor.copy_(before[handle])
            module.train(training)
