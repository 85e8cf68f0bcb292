"""Files written in one move, so that nobody finds half of one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from conformance.errors import Refused


def put(text: str, target: Path) -> None:
    """Write a file in one move, so that nobody finds half of it.  Raises :class:`Refused`."""
    try:
        target = target.resolve()
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_text(text, encoding="utf-8")  # a device or a pipe keeps its place
            return
        building = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            building.write_text(text, encoding="utf-8")
            building.replace(target)
        finally:
            building.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"cannot write {target}: {error.strerror}") from None


def folder(path: Path) -> Path:
    """A folder to write into, made if need be.  Raises :class:`Refused`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"cannot write into {path}: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise Refused(f"cannot write into {path}: no permission")
    return path


def refuse_early(target: Path) -> None:
    """Say before minutes of work that its result could not be written."""
    if target.is_dir():
        raise Refused(f"cannot write {target}: it is a folder")
    if not target.parent.is_dir():
        raise Refused(f"cannot write {target}: there is no folder {target.parent}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise Refused(f"cannot write {target}: no permission")
