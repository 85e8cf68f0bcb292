"""Two ports named on the command line: loaded, and traced for one size of image.

What is done with them is a job of :mod:`conformance.ports.sandbox`, like all that runs a port.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from conformance import errors as codes
from conformance.cli import gate
from conformance.cli.facts import found
from conformance.cli.output import Output
from conformance.errors import Refused
from conformance.numbers.own_weights import Side
from conformance.ports import implementations as frameworks
from conformance.ports import loading
from conformance.trace import registry
from conformance.trace.port import Size, Unfollowed, UntraceableModel

Json = dict[str, Any]


def apart(task: str, options: Namespace, output: Output, **more: Any) -> Json:
    """The result of a task for A and B, from a process of its own.  Raises :class:`Refused`."""
    job = more | {
        "task": task,
        "a": options.a,
        "b": options.b,
        "size": size_of(options),
        "debug": options.debug,
    }
    return gate.apart(job, options, output, "one of the ports")


def sides(job: Json, say: Callable[..., None]) -> tuple[Side, Side]:
    """A and B of a job.  Raises :class:`Refused`."""
    size = tuple(job["size"])
    say("importing A")
    here = os.open(".", os.O_RDONLY)  # it may have no name any more
    try:
        a = _side("A", job["a"], size)
        os.fchdir(here)  # where A has gone is its own affair
    finally:
        os.close(here)
    say("importing B")
    return a, _side("B", job["b"], size)


def size_of(options: Namespace) -> Size:
    """The size of the image.  Raises :class:`Refused`."""
    if options.arch:
        return found(options.arch).input
    if not options.input:
        raise Refused("say for which image: --input HEIGHTxWIDTHxCHANNELS or --arch ARCH")
    height, width, channels = options.input
    return height, width, channels


def _side(letter: str, text: str, size: Size) -> Side:
    try:
        factory: Callable[[], object] = loading.load(text)
        return Side(text, loading.opened(factory), size)
    except loading.BadPort as bad:
        libraries = {tracer.library for tracer in registry.tracers().values()}
        missing = getattr(bad.__cause__, "name", "") in libraries
        both = "; both ports are run here, in one environment" if missing else ""
        raise Refused(f"{letter}: {bad}{both}") from None
    except frameworks.NotInstalled as absent:
        told = f"{letter} needs {absent}: both are run here, in one environment"
        raise Refused(told, codes.INCONCLUSIVE) from None
    except UntraceableModel as refused:
        code = codes.INCONCLUSIVE if isinstance(refused, Unfollowed) else codes.USAGE
        raise Refused(f"{letter}: {refused}", code) from None
