"""Tracers by name: ours, a folder each beside this file, and those that other packages register.

A tracer is a package with ``LIBRARY``, the name of the library that it reads, ``base(model)``,
the class of that library's that a model is an instance of or None, and a module ``port`` with
``port(factory)``, ``versions()`` and ``gpu()``.  Importing the package imports no library; it may
have ``ready()``, for a process of ours in which that is going to be imported.
Other packages add one by an entry point of the group ``conformance.tracers``.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from conformance.errors import Refused
from conformance.printable import message

if TYPE_CHECKING:  # it needs NumPy, and a list of names does not
    from conformance.trace.port import Port

GROUP = "conformance.tracers"


class UnknownFramework(LookupError):
    """There is no framework of this name; the message lists those that there are."""


@dataclass(frozen=True, slots=True)
class Tracer:
    """One tracer, not yet imported."""

    name: str
    package: ModuleType

    @property
    def library(self) -> str:
        """The library whose models it reads."""
        return str(self.package.LIBRARY)

    @property
    def installed(self) -> bool:
        """Whether the library can be imported here."""
        return self.library in sys.modules or find_spec(self.library) is not None

    def base(self, model: object) -> type | None:
        """The library's class that a model is an instance of; None while it is not imported."""
        found: type | None = None
        if self.library in sys.modules:
            found = self.package.base(model)
        return found

    def module(self) -> Any:
        """The module with ``port``, ``versions`` and ``gpu``; this imports the library."""
        collects = gc.isenabled()
        gc.disable()  # what importing a library makes is there to stay
        try:
            return import_module(f"{self.package.__name__}.port")
        finally:
            if collects:
                gc.enable()

    def port(self, factory: Callable[..., Any]) -> Port:
        """A factory of the library's models, ready to be traced and run."""
        found: Port = self.module().port(factory)
        return found


@cache
def tracers() -> dict[str, Tracer]:
    """Every tracer by its name."""
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/port.py"))
    ours = {name: import_module(f"conformance.trace.{name}") for name in folders}
    others = {each.name: _loaded(each) for each in entry_points(group=GROUP)}
    return {name: Tracer(name, package) for name, package in {**others, **ours}.items()}


def _loaded(other: EntryPoint) -> ModuleType:
    """Another package's tracer.  Raises :class:`.Refused` where it cannot be imported."""
    try:
        return cast(ModuleType, other.load())
    except Exception as error:
        said = f"{type(error).__name__}: {message(error)}"
        raise Refused(
            f"the tracer {other.name!r} ({other.value}) cannot be imported: {said}"
        ) from error


def ready() -> None:
    """Get a process that is ours alone ready for any library to be imported."""
    for each in tracers().values():
        getattr(each.package, "ready", lambda: None)()


def find(name: str) -> Tracer:
    """The tracer of this name, whatever its case.  Raises :class:`UnknownFramework`."""
    return tracers()[named(name, tracers())]


def named(name: str, known: Collection[str]) -> str:
    """The one of some frameworks that is meant.  Raises :class:`UnknownFramework`."""
    if name.lower() in known:
        return name.lower()
    near = get_close_matches(name.lower(), known, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise UnknownFramework(f"no framework {name!r}; {guess}known are {', '.join(known)}")


def owner(model: object) -> Tracer | None:
    """Whose model it is: of the libraries that are imported, the one that its class derives from.

    A class may derive from several, as Keras's layers on PyTorch do: the nearest base counts.
    """
    order = type(model).__mro__
    found = [(base, each) for each in tracers().values() if (base := each.base(model))]
    nearest = sorted(found, key=lambda pair: order.index(pair[0]) if pair[0] in order else 0)
    return nearest[0][1] if nearest else None
