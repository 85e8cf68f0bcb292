"""Standard streams as they may be: closed, full, or of an encoding that lacks what is written."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class Words:
    """A stream for people: what it cannot take is lost, and :attr:`lost` says why.

    A reader of standard output that has gone is no such loss: it has seen enough, and ends the
    command.  :attr:`gone` says so, because whoever writes may catch the error that does it.
    """

    def __init__(self, stream: TextIO, lost: str = ""):
        self.stream, self.lost, self.gone = stream, lost, False

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self.stream.write(text)
        except (OSError, ValueError) as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Let it out."""
        try:
            self.stream.flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        if isinstance(error, BrokenPipeError) and self is sys.stdout:
            self.gone = True
            raise error
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


def usable() -> tuple[Words, Words]:
    """Give the process the three streams that everybody counts on, and both for what is said.

    A file that is opened must not become number 1 or 2, where somebody prints, because that one
    was closed; a character that an encoding lacks is written as its number; and what is written
    unbuffered is written to its end, which Python does not see to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    return _words("stdout"), _words("stderr")


def _words(name: str) -> Words:
    stream, lost = getattr(sys, name), ""
    if stream is None:  # it was closed when Python started
        stream, lost = open(os.devnull, "w", encoding="utf-8"), "it is closed"  # noqa: SIM115
    elif stream is getattr(sys, f"__{name}__") and isinstance(stream.buffer, io.RawIOBase):
        encoding = stream.encoding
        whole = io.BufferedWriter(stream.detach())
        stream = io.TextIOWrapper(whole, encoding, line_buffering=True)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    setattr(sys, name, stream)
    return Words(stream, lost)
