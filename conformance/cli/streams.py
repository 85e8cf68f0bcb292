"""Standard streams as they may be: closed, full, or of an encoding that lacks what is written."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO


class Words:
    """A stream for people: what it cannot take is lost, and :attr:`lost` says why.

    A reader that has gone is no such loss: it has seen enough, and ends the command.
    """

    def __init__(self, stream: TextIO):
        self.stream, self.lost = stream, ""

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self.stream.write(text)
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            self.lost = self.lost or str(getattr(error, "strerror", None) or error)
            return len(text)

    def flush(self) -> None:
        """Let it out."""
        try:
            self.stream.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            self.lost = self.lost or str(getattr(error, "strerror", None) or error)

    def writelines(self, lines: Any) -> None:
        """Write several pieces."""
        for each in lines:
            self.write(each)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def give_up(number: int) -> None:
    """Let what Python still holds for a stream go: it is no reason for another exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def usable() -> None:
    """Give the process the three streams that everybody counts on.

    A file that is opened must not become number 1 or 2, where somebody prints, because that one
    was closed; and a character that an encoding lacks is written as its number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when Python started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
