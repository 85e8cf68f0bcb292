"""Work on large arrays in parts, several at a time, each by one thread.

How the work is divided does not depend on how many processors there are, so neither do results.
A thread that waits here sleeps.  Those of a BLAS stay awake: where another program or a framework
wants the processor too, they cost many times what they gain.  It is held to one.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from itertools import product
from math import prod
from threading import Lock
from typing import Any, TypeVar

import numpy as np  # it brings the BLAS that is looked for
from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")

#: Numbers worked on at a time: what a cache holds.
STRIP = 1 << 16

#: Where TensorFlow and XLA want arrays to begin, in bytes.
ALIGNMENT = 64


def each(work: Callable[[Part], object], parts: Iterable[Part]) -> None:
    """Call ``work`` with every part, in no order.

    Work may be divided again: the thread that asks does its parts itself, and others help as far
    as they are free, so that none waits for one that does not come.
    """
    todo = deque(parts)

    def some() -> None:
        while todo:
            try:
                part = todo.popleft()
            except IndexError:
                return  # another thread was faster
            work(part)

    with _one_thread_each():
        helpers = min(len(todo), processors()) - 1
        # How NumPy treats floating-point errors is a matter of context.
        asked = [_threads().submit(copy_context().run, some) for _ in range(helpers)]
        try:
            some()
        finally:
            for future in asked:
                if not future.cancel():
                    future.result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Hold the BLAS to one thread while anything here computes, whichever thread asks for it."""
    global _holders
    with _LOCK:
        if not _holders:
            _BEFORE[:] = [library.num_threads for library in _blas()]
            _let([1] * len(_BEFORE))
        _holders += 1
    try:
        yield
    finally:
        with _LOCK:
            _holders -= 1
            if not _holders:
                _let(_BEFORE)


def _let(threads: list[int]) -> None:
    """Let each library have so many threads."""
    for library, count in zip(_blas(), threads, strict=True):
        # From 3.8 on threadpoolctl listens to the first thread that has ever asked, and no other.
        getattr(library, "clear_controlling_thread", lambda **_: None)(force=True)
        library.set_num_threads(count)


#: How many rely on a BLAS of one thread, and how many each library had before.
_holders = 0
_BEFORE: list[int] = []
_LOCK = Lock()


@cache
def processors() -> int:
    """How many this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def strips(length: int, size: int) -> list[slice]:
    """Divide an axis of an array of so many numbers into strips of about ``STRIP`` of them."""
    return slices(length, max(1, STRIP * length // max(size, 1)))


def room(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array to be filled that begins where a framework reads it without copying it first."""
    size = prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def packed(x: np.ndarray) -> np.ndarray:
    """The same array in order of memory; a large transposed one tile by tile.

    Line by line the cache would be missed with every number.
    """
    if x.flags.c_contiguous:
        return x
    result = np.empty(x.shape, x.dtype)
    fill(result, x)
    return result


def fill(place: np.ndarray, x: np.ndarray) -> None:
    """Write an array into another one, tile by tile: the two may run through memory differently."""

    def write(tile: tuple[slice, ...]) -> None:
        place[tile] = x[tile]

    parts = product(*map(slices, x.shape, tiles(x.ndim)))
    if x.size < 16 * STRIP:
        for part in parts:
            write(part)
    else:
        each(write, parts)


def tiles(axes: int) -> list[int]:
    """The sides of a tile whose lines fit into a cache in either of two orders of the axes."""
    return [1 << 60] * (axes - 2) + [32, 64][-axes:]


def slices(length: int, step: int) -> list[slice]:
    """Divide an axis into pieces of ``step`` numbers."""
    return [slice(start, start + step) for start in range(0, length, step)]


@cache
def _blas() -> list[Any]:
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(processors())
