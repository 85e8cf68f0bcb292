"""Two ports named on the command line: loaded, and traced for one size of image."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from conformance import errors as codes
from conformance.cli.facts import found
from conformance.errors import Refused
from conformance.judge.own_weights import Side
from conformance.ports import implementations as frameworks
from conformance.ports import loading
from conformance.quiet import NO_GPU, aside, environment
from conformance.trace import registry
from conformance.trace.port import Size, UntraceableModel


@contextmanager
def pair(options: Namespace) -> Iterator[tuple[Side, Side, IO[str]]]:
    """A and B and the terminal, with room for frameworks to talk.  Raises :class:`Refused`."""
    size = size_of(options)
    with environment(NO_GPU), aside(options.debug) as terminal:
        try:
            yield _side("A", options.a, size), _side("B", options.b, size), terminal
        except UntraceableModel as refused:
            raise Refused(str(refused)) from None
        except MemoryError:
            raise Refused("out of memory: the two are held at once", codes.INCONCLUSIVE) from None


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
        raise Refused(f"{letter}: {refused}") from None
