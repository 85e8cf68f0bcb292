"""In what precision and on which device PyTorch computes, and its tensors as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from conformance.trace.port import PLAIN, Execution


def gpu() -> str:
    """The name of the GPU that PyTorch sees; empty if it sees none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def as_array(x: Tensor) -> np.ndarray:
    """A tensor as an array; NumPy has no bfloat16, and float32 holds its numbers and float16's."""
    x = x.detach()
    small = x.is_floating_point() and x.itemsize < 4
    return (x.float() if small else x).cpu().numpy()


@contextmanager
def computing(how: Execution = PLAIN) -> Iterator[tuple[torch.dtype, torch.device]]:
    """The type and device of an execution, which numbers made without one have as well.

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
            yield dtype, device
    finally:
        torch.set_default_dtype(before[0])
        torch.set_float32_matmul_precision(before[1])
        settings.allow_bf16_reduced_precision_reduction = before[2]
        settings.allow_fp16_reduced_precision_reduction = before[3]
