"""Tensors without values, and the modes in which PyTorch makes and keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from conformance.trace.port import Run


class Hollow(Tensor):
    """A tensor with a shape and no values, that looks like an ordinary one on the CPU."""

    meta: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: type[Hollow], meta: Tensor) -> Hollow:
        hollow = torch.Tensor._make_wrapper_subclass(
            cls,
            meta.shape,
            strides=meta.stride(),
            storage_offset=meta.storage_offset(),
            dtype=meta.dtype,
            device="cpu",
        )
        hollow.meta = meta
        return cast(Hollow, hollow)

    def __init__(self, meta: Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(f"{func} outside the trace")


class Weightless(TorchFunctionMode):
    """Where weights are made, they are made on the meta device."""

    makers = frozenset({torch.empty, torch.empty_strided, torch.rand, torch.randn, torch.normal})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.makers:
            dtype = kwargs.get("dtype") or torch.float64
            if dtype.is_floating_point:
                kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


#: Operators that draw random numbers.
NOISE = frozenset({"bernoulli", "bernoulli_", "rand", "rand_like"})

#: Those that draw as many numbers as what they are given has, which has no part in them.
LIKE = frozenset({"randn_like", "randint_like"})

#: Operators that draw numbers of another distribution, as weights are initialised.
DRAWS = frozenset("randn randn_like normal normal_ uniform_ random_ exponential_ randint".split())


def share_of(name: str, args: Any) -> Any:
    """How likely a one is, a number or a tensor of them; None of what is drawn uniformly."""
    if name.startswith("rand"):
        return None
    return args[1] if len(args) > 1 else 0.5 if name == "bernoulli_" else args[0]


def unread(x: Any) -> Any:
    """A tensor without values as an empty one, which says what a factory has to make."""
    return torch.empty(x.shape, dtype=x.dtype) if isinstance(x, Hollow) else x


class Widening(TorchDispatchMode):
    """Float64 throughout: a cast from one floating type to another does nothing.

    ``draws`` are the random numbers, in order; None is left to PyTorch.
    """

    def __init__(self, draws: Iterator[float | None]) -> None:
        super().__init__()
        self._draws = draws
        #: The last draw by its share: a checkpoint that recomputes draws the same once more.
        self._last: dict[Any, float] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        share = share_of(name, args) if name in NOISE else None
        key = share if isinstance(share, float | None) else id(share)
        if name in NOISE and (draw := next(self._draws, self._last.get(key))) is not None:
            self._last[key] = draw
            made = func(*args, **kwargs)
            return made.copy_(torch.as_tensor(draw if share is None else draw < share))
        if name == "_to_copy" and both_floating(args[0].dtype, kwargs.get("dtype")):
            kwargs = {**kwargs, "dtype": args[0].dtype}
        return func(*args, **kwargs)


def hollow(shape: tuple[int, ...]) -> Hollow:
    """A tensor without values, in the type that numbers have by default."""
    return Hollow(torch.empty(shape, device="meta"))


def hollow_state(module: nn.Module) -> dict[str, Tensor]:
    """Everything that is stored as numbers with a fraction; what is shared, once."""
    buffers = {k: b for k, b in module.named_buffers() if b.is_floating_point()}
    return {
        handle: Hollow(torch.empty(tensor.shape, dtype=torch.float64, device="meta"))
        for handle, tensor in {**dict(module.named_parameters()), **buffers}.items()
    }


def tensor(array: np.ndarray, device: torch.device | None = None) -> Tensor:
    """An array in the type that numbers have by default."""
    array = np.require(array, np.float64, ["C", "W"])
    return torch.from_numpy(array).to(device, torch.get_default_dtype())


def filled(
    state: dict[str, Tensor], run: Run, device: torch.device | None = None
) -> dict[str, Tensor]:
    """A state with numbers for all that the tape reads; the rest has none."""
    for handle, shape in run.tape.parameters.items():
        state[handle] = tensor(run.values(handle), device)
        if tuple(state[handle].shape) != shape:
            raise ValueError(f"{handle} is {shape}, given {tuple(state[handle].shape)}")
    return state


def on_meta(x: Any) -> Any:
    """A tensor without its values, a device as the one that has none; anything else as it is."""
    if isinstance(x, Hollow):
        return x.meta
    if isinstance(x, Tensor):
        return x.to("meta")
    return torch.device("meta") if isinstance(x, torch.device) else x


def both_floating(a: torch.dtype, b: torch.dtype | None) -> bool:
    """Whether a cast from one type to the other changes a precision only."""
    return b is not None and a.is_floating_point and b.is_floating_point
