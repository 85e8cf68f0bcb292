"""Work on large arrays in parts, several at a time, each by one thread.

How the work is divided does not depend on how many processors there are, so neither do results.
A thread that waits here sleeps.  Those of a BLAS stay awake: where another program or a framework
wants the processor too, they cost many times what they gain.  It is held to one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TypeVar

import numpy as np  # noqa: F401  # it brings the BLAS that is looked for
from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")

#: Numbers worked on at a time: what a cache holds.
STRIP = 1 << 16


def each(work: Callable[[Part], object], parts: Iterable[Part]) -> None:
    """Call ``work`` with every part, in no order."""
    todo = list(parts)
    with _blas().limit(limits=1):
        if len(todo) == 1 or _processors() == 1:
            for part in todo:
                work(part)
            return
        # How NumPy treats floating-point errors is a matter of context.
        calls = [copy_context().run for _ in todo]
        for _ in _threads().map(lambda run, part: run(work, part), calls, todo):
            pass


def strips(length: int, size: int) -> list[slice]:
    """Divide an axis of an array of so many numbers into strips of about ``STRIP`` of them."""
    return slices(length, max(1, STRIP * length // max(size, 1)))


def slices(length: int, step: int) -> list[slice]:
    """Divide an axis into pieces of ``step`` numbers."""
    return [slice(start, start + step) for start in range(0, length, step)]


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_processors())


@cache
def _processors() -> int:
    """How many this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
