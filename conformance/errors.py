"""Exit codes, and the refusal that carries one."""

from __future__ import annotations

import errno

#: Exit codes.
CODES = CONFORMS, DEVIATES, USAGE, INCONCLUSIVE, FAULT = 0, 1, 2, 3, 4
#: Those of verdicts, the mildest first.
SEVERITY = (CONFORMS, INCONCLUSIVE, DEVIATES)
#: What a shell says of a command that was ended by SIGINT or SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141


class Refused(Exception):
    """The command cannot do what was asked; the message is one line, empty if it was told."""

    def __init__(self, message: str, code: int = USAGE):
        super().__init__(message)
        self.code = code


#: What a system answers that has no more of something: files, disk, memory, processes.
SCARCE = {
    errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOMEM,
    errno.EAGAIN, errno.EIO,
}  # fmt: skip


def scarce(error: Exception) -> str:
    """What the system has no more of, where an error says that; empty otherwise."""
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in SCARCE:
        return f"the system gives no more: {error.strerror}"
    return f"the system gives no more: {error}" if "start new thread" in str(error) else ""
