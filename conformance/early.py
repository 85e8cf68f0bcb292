"""Ctrl-C before a command has begun and after it has ended, when there is nothing to clear away.

Imported first, so it imports next to nothing itself.
"""

import os
import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """Say so in one line, wherever Python is: importing, or on its way out."""
    try:
        os.write(2, b"conformance: interrupted; nothing is half-written\n")
    finally:
        os._exit(INTERRUPTED)


def quiet() -> None:
    """Answer Ctrl-C from now on, unless it is ignored or somebody else answers."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
