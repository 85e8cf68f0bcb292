"""Files written in one move, so that nobody finds half of one."""

from __future__ import annotations

import errno
import json
import os
import select
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import IO, Any, NoReturn

from conformance.errors import Refused

#: How long the other end of a named pipe is waited for, in seconds.
PATIENCE = 10.0


@contextmanager
def cannot_write(target: Path) -> Iterator[None]:
    """Turns what the system says against writing a file into one line."""
    try:
        yield
    except OSError as error:
        raise Refused(f"cannot write {target}: {error.strerror or error}") from None
    except RuntimeError:  # what Python says of a link that leads to itself, before 3.13
        raise Refused(f"cannot write {target}: a link leads to itself") from None


def put(content: str | bytes, target: Path) -> None:
    """Write a file in one move, so that nobody finds half of it.  Raises :class:`Refused`.

    A link keeps pointing where it does, and what is no file, a device or a pipe, stays what it is.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with cannot_write(target):
        place = target.resolve()
        # By its own name: /dev/stdout leads to a pipe that has none.
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with _pipe(target, os.O_WRONLY) or target.open("wb") as file:
                file.write(data)
            return
        building = place.with_name(f".{place.name[:200]}.{os.getpid()}")
        try:
            building.write_bytes(data)
            building.replace(place)
        finally:
            building.unlink(missing_ok=True)


def folder(path: Path) -> Path:
    """A folder to write into, made if need be.  Raises :class:`Refused`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"cannot write into {path}: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise Refused(f"cannot write into {path}: no permission")
    return path


def _pipe(path: Path, mode: int) -> IO[bytes] | None:
    """A named pipe, opened once somebody has its other end; None for any other file.

    Raises :class:`OSError` where nobody has it within :data:`PATIENCE`.
    """
    if not path.is_fifo():
        return None
    end = time.monotonic() + PATIENCE
    while True:
        try:
            pipe = os.open(path, mode | os.O_NONBLOCK)
            break
        except OSError as error:  # of a writer that comes first; a reader waits for what is written
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise OSError(errno.ENXIO, "nobody reads from this pipe") from None
        time.sleep(0.05)
    os.set_blocking(pipe, True)
    if mode == os.O_WRONLY:
        return open(pipe, "wb")
    if not select.select([pipe], [], [], PATIENCE)[0]:
        os.close(pipe)
        raise OSError(errno.ENXIO, "nobody writes to this pipe")
    return open(pipe, "rb")


def clear(folder: str) -> None:
    """Remove a folder and all that is in it; Python gives up on a deep one, and rm does not."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.isdir(folder):
        import subprocess

        with suppress(OSError):
            subprocess.run(["rm", "-rf", "--", folder], stderr=subprocess.DEVNULL)


def refuse_early(target: Path) -> None:
    """Say before minutes of work that its result could not be written."""
    with cannot_write(target):
        place = target.resolve()
        if target.is_dir():
            raise Refused(f"cannot write {target}: it is a folder")
        if not place.parent.is_dir():
            raise Refused(f"cannot write {target}: there is no folder {target.parent}")
        if target.is_symlink() and not place.exists() and place.is_symlink():
            raise Refused(f"cannot write {target}: a link leads to itself")
        if not os.access(place if place.exists() else place.parent, os.W_OK):
            raise Refused(f"cannot write {target}: no permission")


def read(path: Path, longest: int = 64 << 20) -> str:
    """The text of a file.  Raises :class:`OSError`, and :class:`ValueError` where it is no text.

    No file that we read is longer: a device without an end is not read to it.
    """
    with _pipe(path, os.O_RDONLY) or path.open("rb") as file:
        data = file.read(longest + 1)
    if len(data) > longest:
        raise ValueError(f"it is longer than {longest >> 20} MB")
    return data.decode()


def strict(text: str) -> Any:
    """What JSON of the standard says: no NaN, no number that is too large, no endless nesting.

    Raises :class:`ValueError`.
    """

    def finite(digits: str) -> float:
        if isfinite(number := float(digits)):
            return number
        raise ValueError(f"{digits[:20]} is too large a number")

    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(text, parse_float=finite, parse_constant=constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
