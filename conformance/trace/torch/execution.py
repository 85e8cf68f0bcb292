"""How PyTorch is made to compute: in a precision, on a device, backwards, or as users call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from conformance.trace.port import PLAIN, Arrays, Execution, Gradients
from conformance.trace.torch.build import hooked, installed, switched
from conformance.trace.torch.hollow import Hollow
from conformance.trace.torch.images import unpacked

#: Takes the gradient by a stored array, under its handle.
Came = Callable[[str, np.ndarray], None] | None


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
            _tracked(),
        ):
            yield device
    finally:
        torch.set_default_dtype(before[0])
        torch.set_float32_matmul_precision(before[1])
        settings.allow_bf16_reduced_precision_reduction = before[2]
        settings.allow_fp16_reduced_precision_reduction = before[3]


@contextmanager
def _tracked() -> Iterator[None]:
    """Let inference mode be no_grad: nobody can follow what a tensor of its own is given."""
    before = torch._C._InferenceMode
    torch._C._InferenceMode = _NoGradient
    try:
        yield
    finally:
        torch._C._InferenceMode = before


class _NoGradient(torch.no_grad):
    """What inference mode computes; outside it, gradients are as they were."""

    def __new__(cls, mode: bool = True) -> Any:
        return super().__new__(cls) if mode else nullcontext()

    def __init__(self, mode: bool = True) -> None:
        super().__init__()


def leaves_of(
    module: nn.Module, state: dict[str, Tensor], image: Tensor, wanted: Iterable[str] = ()
) -> dict[str | None, Tensor]:
    """What gradients are taken by, with the hooks of a module's own parameters."""
    trained = wanted or [h for h, _ in module.named_parameters() if h in state]
    leaves = {h: state[h] for h in sorted(trained) if not isinstance(state[h], Hollow)}
    for leaf in (image, *leaves.values()):
        leaf.requires_grad_()
    hooked(module, state)
    return {None: image} | leaves


def pulled(
    outputs: Sequence[Tensor], cotangents: Arrays, leaves: Mapping[str | None, Tensor],
    came: Came = None,
) -> Gradients:  # fmt: skip
    """Gradients of the sum of ``outputs * cotangents`` by each leaf; zero where it has none.

    ``came`` is given those of stored arrays as they come.  In their place stays what nothing can be
    done with: a model that adds to a gradient later, or looks at it, fails.
    """
    gone: set[str | None] = set()

    def hand_over(handle: str, leaf: Tensor) -> None:
        gradient, leaf.grad = leaf.grad, Hollow(torch.empty_like(leaf, device="meta"))
        if came is not None and gradient is not None:
            gone.add(handle)
            came(handle, gradient.detach().numpy())

    hung = [
        leaf.register_post_accumulate_grad_hook(partial(hand_over, handle))
        for handle, leaf in leaves.items()
        if handle is not None and came is not None
    ]
    moving = [
        (output, torch.from_numpy(cotangent))
        for output, cotangent in zip(outputs, cotangents, strict=False)
        if output.requires_grad  # one that was detached moves nothing
    ]
    if moving:
        # Accumulated as in training, so that hooks take part, and checkpoints that recompute.
        torch.autograd.backward(*zip(*moving, strict=True))
    for hook in hung:
        hook.remove()
    return {
        handle: (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).detach().numpy()
        for handle, leaf in leaves.items()
        if handle not in gone
    }


def compiled(
    module: nn.Module, given: Callable[[Tensor], Tensor], state: Mapping[str, Tensor], image: Tensor
) -> list[Tensor]:
    """The outputs of a module as TorchInductor makes code of it."""
    filled = {handle: x for handle, x in state.items() if not isinstance(x, Hollow)}

    def call(image: Tensor, filled: dict[str, Tensor]) -> list[Tensor]:
        return unpacked(functional_call(module, filled, (given(image),)))

    try:
        with installed(module, {}):  # whatever is left in it, its own tensors come back
            return list(torch.compile(call)(image, filled))
    finally:
        torch.compiler.reset()  # it keeps what it has compiled


def plain(
    module: nn.Module,
    given: Callable[[Tensor], Tensor],
    values: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> Any:
    """What a module returns for a batch, with values in its stored arrays, where they stay.

    It is called as its users call it: under no mode, no hook and no other class of tensor.
    """
    stored = dict([*module.named_parameters(), *module.named_buffers()])
    built = any(stored[handle].is_inference() for handle in values)
    with torch.inference_mode() if built else torch.no_grad():
        for handle, array in values.items():
            stored[handle].copy_(torch.from_numpy(np.require(array, None, ["C", "W"])))
        taken = _taken(stored[handle] for handle in values)
        batch = torch.from_numpy(images.transpose(0, 3, 1, 2)).to(taken)
        return switched(module, False)(given(batch.contiguous()))


def _taken(stored: Iterable[Tensor]) -> torch.dtype:
    """The type of the images of a model that stores these: its own if it has but one."""
    kinds = {tensor.dtype for tensor in stored}
    if torch.float64 in kinds:
        return torch.float64
    return kinds.pop() if len(kinds) == 1 else torch.float32
