"""Where in a port's own source PyTorch is called, and what went wrong there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType
from typing import Any, TypeVar

import torch

from conformance import trace

#: No file in these folders is a port's own source.
LIBRARIES = tuple(f"{Path(file).parent}/" for file in (torch.__file__, trace.__file__))


#: The functions that call a port: what called them is no part of it.
_ENTRIES: set[CodeType] = set()

F = TypeVar("F", bound=Callable[..., Any])


def calls_the_port(function: F) -> F:
    """The function below is where a port's own source begins on the stack."""
    _ENTRIES.add(function.__code__)
    return function


def line(libraries: tuple[str, ...] = LIBRARIES) -> str:
    """The innermost line outside the libraries that is being executed, as ``folder/file.py:41``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code not in _ENTRIES:
        file = frame.f_code.co_filename
        if not file.startswith(libraries):
            return short(file, frame.f_lineno)
        frame = frame.f_back
    return ""


def told(error: BaseException) -> str:
    """An exception in one line: what, and where in the port it was raised."""
    message = str(error).strip().split("\n")[0]
    places = [(f.f_code.co_filename, number) for f, number in walk_tb(error.__traceback__)]
    outside = [place for place in places if not place[0].startswith(LIBRARIES)]
    where = f" ({short(*outside[-1])})" if outside else ""
    return f"{type(error).__name__}: {message}{where}"


def short(file: str, number: int) -> str:
    """A line of a file by the last two parts of its path."""
    return "/".join(Path(file).parts[-2:]) + f":{number}"
