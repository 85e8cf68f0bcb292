"""A signal that ends a command, as an exception, so that whatever is open is closed on the way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from conformance import early

#: Signals that end a process at once, before it could clear away what it has started.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)


class Stopped(KeyboardInterrupt):
    """One of :data:`ENDING` has come; it is raised where Ctrl-C would be."""

    def __init__(self, number: int):
        self.signal = signal.Signals(number)
        super().__init__(f"ended by {self.signal.name}")

    @property
    def code(self) -> int:
        """What a shell reports for a command that this signal has ended."""
        return 128 + self.signal


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once is enough, and what is cleared away takes time
    raise Stopped(number)


@contextmanager
def deferred() -> Iterator[None]:
    """Let a signal that comes inside be raised at the end only, with what was begun finished.

    Held back in Python: one that the main thread blocks is taken by any other thread, and Python
    raises it in the main thread nevertheless.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = [each for each in (*ENDING, signal.SIGINT) if callable(signal.getsignal(each))]
    before = {each: signal.getsignal(each) for each in numbers}
    try:
        for each in numbers:
            signal.signal(each, lambda number, frame: came.append(number))
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)


@contextmanager
def stopping() -> Iterator[None]:
    """Raise :class:`Stopped` for the signals that nobody else handles or has asked to ignore.

    Ctrl-C raises KeyboardInterrupt, also where it ended the process at once until now.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    taken = {each: _stop for each in ENDING if signal.getsignal(each) is signal.SIG_DFL}
    ours = signal.getsignal(signal.SIGINT) is early.leave
    try:
        for each, handler in taken.items():
            signal.signal(each, handler)
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, early.leave)
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
