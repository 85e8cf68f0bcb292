"""Too little memory, told from other faults whichever framework says so, and told in one line."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator

from conformance.printable import message

#: What frameworks say, and the size where they say one: NumPy, PyTorch on either device, JAX, TF.
SIZE = r"([\d.]+) ?([KMGTP]?i?B|bytes)"
SAID = tuple(
    re.compile(pattern)
    for pattern in (
        f"Unable to allocate {SIZE}",
        f"can't allocate memory: you tried to allocate {SIZE}",
        rf"out of memory\. Tried to allocate {SIZE}",
        f"RESOURCE_EXHAUSTED.*?Out of memory.*?allocat\\w* {SIZE}",
        "RESOURCE_EXHAUSTED|OOM when allocating tensor|std::bad_alloc",
    )
)


def shortage(error: BaseException) -> str:
    """What an error, or what it comes from, says of too little memory; empty if nothing.

    It has the size that was asked for, where the framework says it, and what this process held.
    """
    for each in _causes(error):
        said = next(filter(None, (pattern.search(message(each)) for pattern in SAID)), None)
        if said or isinstance(each, MemoryError):
            size = said.groups() if said else ()
            asked = f"{_size(*size)} more were asked for" if size else "an allocation failed"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return f"out of memory: {asked}, {held(peak)}"
    return ""


def held(peak: int) -> str:
    """The most that a process held, as the system counts it, and what there is."""
    import psutil

    unit = 1 if sys.platform == "darwin" else 1024
    memory = psutil.virtual_memory()
    said = (
        f"the process had held {gib(peak * unit)} at most; the machine has {gib(memory.total)},"
        f" {gib(memory.available)} free"
    )
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        said += f", and addresses are limited to {gib(limit)}"
    return said


def gib(count: float) -> str:
    """A number of bytes in the unit that memory is sold in."""
    return f"{count / 2**30:,.3g} GiB" if count < 1000 * 2**30 else f"{count / 2**30:,.0f} GiB"


def _size(number: str, unit: str) -> str:
    return gib(int(number)) if unit == "bytes" else f"{number.rstrip('.')} {unit}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
