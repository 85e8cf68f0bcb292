"""Where in a port's own source an equation was written."""

from __future__ import annotations

import concurrent.futures.thread
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

#: A trace in a thread of its own has the thread's beginning on its stack.
_STARTED = {threading.__file__, concurrent.futures.thread.__file__}


def lines(traceback: Any) -> list[str]:
    """Where a port's own code is on the stack, the innermost frame first."""
    if traceback is None:
        return []
    frames = traceback.frames
    return [f"{f.file_name}:{f.line_num}" for f in frames if not _is_library(f.file_name)]


@cache
def _is_library(file: str) -> bool:
    """Whether a file belongs to JAX, to a library of layers or to the tracers."""
    names = ("jax", "jaxlib", "flax", "haiku", "equinox", "keras", "conformance.trace")
    origins = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return file in _STARTED or any(
        file.startswith(f"{Path(origin).parent}/") for origin in origins if origin
    )
