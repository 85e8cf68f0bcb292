"""Exit codes, and the refusal that carries one."""

from __future__ import annotations

#: Exit codes.
CODES = CONFORMS, DEVIATES, USAGE, INCONCLUSIVE, FAULT = 0, 1, 2, 3, 4
#: What a shell says of a command that was ended by SIGINT or SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141


class Refused(Exception):
    """The command cannot do what was asked; the message is one line, empty if it was told."""

    def __init__(self, message: str, code: int = USAGE):
        super().__init__(message)
        self.code = code
