"""In what precision a module's users have it compute: a trace is in float64 throughout.

What PyTorch would do is followed beside it: parameters have the type that they are stored in, a
cast has the one it casts to, an autocast region has its own for products, and whatever reads
nothing but lower precision is computed in that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

LOWER = {torch.float16: "float16", torch.bfloat16: "bfloat16"}

#: The operators that autocast brings down: convolutions and products of matrices.
PRODUCTS = frozenset("convolution mm mv addmm addmv bmm baddbmm addbmm".split())


class Precisions:
    """What of a forward is in less than float32."""

    def __init__(self, module: nn.Module) -> None:
        stored = [*module.named_parameters(), *module.named_buffers()]
        #: Stored arrays in less than float32, by their handle.
        self.stored = {handle: LOWER[x.dtype] for handle, x in stored if x.dtype in LOWER}
        #: What autocast brings products down to, inside a region of it.
        self.region = ""
        self._of = WeakTensorKeyDictionary()

    def of(self, x: Tensor) -> str:
        """The lower precision of a tensor; empty for none."""
        found: str = self._of.get(x, "")
        return found

    def note(self, x: Tensor, low: str) -> None:
        """A tensor is in a lower precision."""
        if low:
            self._of[x] = low

    def result(self, name: str, read: list[Tensor], args: Any, kwargs: Any) -> str:
        """The lower precision in which an operator computes; empty for none."""
        if isinstance(kind := kwargs.get("dtype"), torch.dtype) and kind.is_floating_point:
            return LOWER.get(kind, "")
        if name in PRODUCTS and self.region:
            return self.region
        wide = [x for x in read if x.is_floating_point() and x.ndim]
        if "norm" in name:  # its parameters may be in float32
            wide = [x for x in wide if x is args[0]]
        lows = {self.of(x) for x in wide}
        return lows.pop() if len(lows) == 1 else ""

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow the regions of autocast, which leaves numbers in float64 as they are."""
        kind: Any = torch.amp.autocast_mode.autocast
        before = kind.__enter__, kind.__exit__

        def noting(method: Callable[..., Any]) -> Callable[..., Any]:
            def noted(region: Any, *how: Any) -> Any:
                result = method(region, *how)
                self._look()
                return result

            return noted

        self._look()
        kind.__enter__, kind.__exit__ = map(noting, before)
        try:
            yield
        finally:
            kind.__enter__, kind.__exit__ = before

    def _look(self) -> None:
        on = torch.is_autocast_enabled("cpu")
        self.region = LOWER.get(torch.get_autocast_dtype("cpu"), "") if on else ""
