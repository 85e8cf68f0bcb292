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


def each(work: Callable[[Part], object], parts: Iterable[Part]) -> None:
    """Call ``work`` with every part, in no order."""
    todo = list(parts)
    with _blas().limit(limits=1):
        if len(todo) == 1:
            work(todo[0])
            return
        # How NumPy treats floating-point errors is a matter of context.
        calls = [copy_context().run for _ in todo]
        for _ in _threads().map(lambda run, part: run(work, part), calls, todo):
            pass


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _threads() -> ThreadPoolExecutor:
    allowed = getattr(os, "sched_getaffinity", None)
    return ThreadPoolExecutor(len(allowed(0)) if allowed else os.cpu_count())
