"""Pages put into a folder all at once, beside whatever else is there."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EEXIST
from pathlib import Path
from secrets import token_hex


class NotOurs(FileExistsError):
    """A file that no report wrote stands where a page belongs; the message names it."""


def publish(pages: Mapping[str, str], folder: Path, marks: tuple[str, ...]) -> None:
    """Write pages, and remove those that an earlier report left and this one does not have.

    A file is a report's own if it begins with one of ``marks``.  Everything is written aside first
    and then moved in without a pause, so that an interruption leaves the old report or the new
    one.  Raises :class:`NotOurs` before anything is changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in pages:
        if (folder / name).exists() and not begins(folder / name, marks):
            raise NotOurs(EEXIST, f"no report wrote {name}; move it away", str(folder / name))
    suffixes = {Path(name).suffix for name in pages}
    places = {folder, *((folder / name).parent for name in pages)}
    found = (path for place in places if place.is_dir() for path in place.iterdir())
    names = {folder / name for name in pages}
    own = (path for path in found if path.suffix in suffixes and path not in names)
    left = [path for path in own if begins(path, marks)]
    building = folder / f".report-{token_hex(4)}"
    try:  # before the folder is there: a signal may come as soon as it is
        building.mkdir()
        for name, text in pages.items():
            (building / name).parent.mkdir(parents=True, exist_ok=True)
            (building / name).write_text(text, encoding="utf-8", newline="\n")
        with _uninterrupted():
            for name in pages:
                (folder / name).parent.mkdir(exist_ok=True)
                (building / name).replace(folder / name)
            for path in left:
                path.unlink()
    finally:
        shutil.rmtree(building, ignore_errors=True)


def begins(path: Path, marks: tuple[str, ...]) -> bool:
    """Whether a file begins with one of the marks."""
    if not path.is_file():
        return False
    length = max(len(mark.encode()) for mark in marks)
    with path.open("rb") as file:
        start = file.read(length)
    return any(start.startswith(mark.encode()) for mark in marks)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt
