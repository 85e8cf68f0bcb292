"""Two ports named on the command line: loaded, and traced for one size of image."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from conformance import compare_loading as loading
from conformance import frameworks
from conformance.commands import output as codes
from conformance.commands.aside import NO_GPU, aside, environment
from conformance.commands.facts import found
from conformance.commands.output import Refused
from conformance.compare import Side
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
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)", options.input)
    if not match or "0" in match.groups():
        raise Refused(f"--input {options.input!r} is not like 224x224x3")
    height, width, channels = map(int, match.groups())
    return height, width, channels


def _side(letter: str, text: str, size: Size) -> Side:
    try:
        factory: Callable[[], object] = loading.load(text)
        framework = loading.framework_of(factory)
        return Side(text, frameworks.tracer(framework).port(factory), size)
    except loading.BadPort as bad:
        raise Refused(f"{letter}: {bad}") from None
    except frameworks.NotInstalled as absent:
        told = f"{letter} needs {absent}: both are run here, in one environment"
        raise Refused(told, codes.INCONCLUSIVE) from None
    except UntraceableModel as refused:
        raise Refused(f"{letter}: {refused}") from None
