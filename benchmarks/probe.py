"""One measurement in a process of its own: ``python -m benchmarks.probe MODULE FUNCTION ...``.

The last line that it prints is JSON: for each tool its figures, in seconds, bytes and counts.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

Figures = dict[str, float]
Result = TypeVar("Result")

#: How often a forward is repeated within one process, after a first one that is not timed.
FORWARDS = 3


def measured(call: Callable[[], Result]) -> tuple[Result, Figures]:
    """A call's result, and what it took from where the process stood before.

    ``peak`` is the most memory the process held meanwhile, ``memory`` how much of it is new.
    """
    gc.collect()
    with suppress(OSError):  # without it the peak may be one of the imports, never less than true
        Path("/proc/self/clear_refs").write_text("5")
    before, _ = _resident()
    start = perf_counter()
    result = call()
    seconds = perf_counter() - start
    _, peak = _resident()
    return result, {"seconds": seconds, "memory": peak - before, "peak": peak}


def again(call: Callable[[], Result]) -> tuple[Result, Figures]:
    """As :func:`measured`, of a call that has run once before."""
    call()
    return measured(call)


def repeated(forward: Callable[[], object]) -> Figures:
    """The median time of a forward that has run once before, and the peak of them all."""

    def timed() -> float:
        start = perf_counter()
        forward()
        return perf_counter() - start

    forward()
    times, figures = measured(lambda: [timed() for _ in range(FORWARDS)])
    return {"seconds": median(times), "peak": figures["peak"]}


def _resident() -> tuple[int, int]:
    """The bytes of this process in memory: now, and at most so far."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak, peak
    status = dict(line.split(":", 1) for line in lines)
    now, peak = (int(status[field].split()[0]) * 1024 for field in ("VmRSS", "VmHWM"))
    return now, peak


def main(module: str, function: str, *arguments: str) -> None:
    """Print what one function of one module of this room finds, on one processor."""
    if hasattr(os, "sched_setaffinity"):  # before anything starts threads
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    probe: Any = getattr(import_module(f"benchmarks.{module}"), function)
    print("\n" + json.dumps(probe(*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
