"""Where in a port's own source PyTorch is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

from conformance.trace import places

#: The functions that call a port: what called them is no part of it.
_ENTRIES: set[CodeType] = set()

F = TypeVar("F", bound=Callable[..., Any])


def calls_the_port(function: F) -> F:
    """The function below is where a port's own source begins on the stack."""
    _ENTRIES.add(function.__code__)
    return function


def line() -> str:
    """The innermost line outside the libraries that is being executed, as ``folder/file.py:41``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code not in _ENTRIES:
        if not places.is_library(frame.f_code.co_filename):
            return places.line(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""
