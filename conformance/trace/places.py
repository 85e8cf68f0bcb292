"""Where in a port's own source something happens, and what went wrong there, in one line."""

from __future__ import annotations

import concurrent.futures.thread
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any, TypeVar

from conformance.printable import message
from conformance.trace.port import CannotExecute, UntraceableModel

#: What a port computes with, and what traces it: no file of theirs is a port's own source.
LIBRARIES = (
    *("torch", "tensorflow", "keras", "tf_keras", "jax", "jaxlib", "flax", "haiku", "equinox"),
    "conformance.trace",
)

#: A trace in a thread of its own has the thread's beginning on its stack.
_STARTED = {threading.__file__, concurrent.futures.thread.__file__}

#: The code, by identity, of the functions that call a port: what called them is no part of it.
_ENTRIES: set[int] = set()

F = TypeVar("F", bound=Callable[..., Any])


@cache
def is_library(file: str) -> bool:
    """Whether a file belongs to a framework, to a library of layers or to the tracers."""
    origins = (getattr(sys.modules.get(name), "__file__", None) for name in LIBRARIES)
    folders = tuple(f"{Path(origin).parent}/" for origin in origins if origin)
    return file in _STARTED or file.startswith(folders)


def line(file: str, number: int) -> str:
    """A line of a file by the last two parts of its path, as ``folder/file.py:41``."""
    return "/".join(Path(file).parts[-2:]) + f":{number}"


def calls_the_port(function: F) -> F:
    """The function below is where a port's own source begins on the stack."""
    _ENTRIES.add(id(function.__code__))  # by its contents a code object is slow to look up
    return function


def executing() -> str:
    """The innermost line of the port that is being executed; empty if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and id(frame.f_code) not in _ENTRIES:
        if not is_library(frame.f_code.co_filename):
            return line(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""


def raised_at(error: BaseException) -> str:
    """The innermost line of the port that an exception came through; empty if there is none."""
    places = [(f.f_code.co_filename, number) for f, number in walk_tb(error.__traceback__)]
    outside = [place for place in places if not is_library(place[0])]
    return line(*outside[-1]) if outside else ""


def reason(error: BaseException) -> str:
    """An exception in one line: what, and where in the port it was raised."""
    said, place = message(error).strip().partition("\n")[0], raised_at(error)
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{words} ({place})" if place else words


@contextmanager
def refusing(
    what: str,
    kind: type[Exception] = UntraceableModel,
    words: Callable[[BaseException], str] = reason,
) -> Iterator[None]:
    """Say in one line what cannot be done and why; what has been refused already stays as it is."""
    try:
        yield
    except (UntraceableModel, CannotExecute):
        raise
    except Exception as error:
        raise kind(f"{what}: {words(error)}") from error
