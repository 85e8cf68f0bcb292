"""PyTorch's compiler, left alone where all that is wanted of it is to keep away.

Modes of dispatch, and the operators whose shapes are worked out in Python, are marked as not to be
compiled.  For that PyTorch loads its compiler on their first call, which takes a second or two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


class Unloaded(ModuleType):
    """The compiler as long as nothing else is asked of it: then it is the real one."""

    @staticmethod
    def disable(function: Callable[..., Any], *how: Any, **more: Any) -> Callable[..., Any]:
        """There is nothing to keep the function from."""
        return function

    def __getattr__(self, name: str) -> Any:
        if name == "__file__":  # inspect asks every module for it, which is no use of this one
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(import_module(NAME), name)


@contextmanager
def unloaded() -> Iterator[None]:
    """Do not load the compiler to disable it; whoever uses it has it."""
    if NAME in sys.modules:
        yield
        return
    sys.modules[NAME] = idle = Unloaded(NAME)
    try:
        yield
    finally:
        if sys.modules.get(NAME) is idle:
            del sys.modules[NAME]
