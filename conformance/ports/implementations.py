"""The frameworks' rooms: found by looking, reached by name, imported only when used."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from conformance import implementations, reference
from conformance.reference import Model
from conformance.trace import registry

if TYPE_CHECKING:  # it needs NumPy, and a list of what is installed does not
    from conformance.trace.port import Port

#: What several files of a room are built from; it is no family of networks.
SHARED = "layers"


class NotInstalled(RuntimeError):
    """A framework whose packages are missing; the message says how to install them."""


@cache
def frameworks() -> tuple[str, ...]:
    """The rooms of ``implementations/``."""
    return tuple(module.name for module in pkgutil.iter_modules(implementations.__path__))


def find(name: str) -> str:
    """The framework meant by ``name``, whatever its case.  Raises :class:`.UnknownFramework`."""
    return registry.named(name, frameworks())


def missing(framework: str) -> str:
    """Why a framework cannot be used here, with the install command; empty if it can."""
    room = import_module(f"conformance.implementations.{framework}")
    absent = [package for package in room.REQUIRES if find_spec(package) is None]
    if not absent:
        return ""
    verb = "is" if len(absent) == 1 else "are"
    extra = "-".join(filter(None, (framework, backend(framework))))
    return (
        f"{' and '.join(absent)} {verb} not installed: pip install 'convnet-conformance[{extra}]'"
    )


def backend(framework: str) -> str:
    """What a framework computes with here, if that is a matter of choice and not the usual one."""
    return getattr(import_module(f"conformance.implementations.{framework}"), "BACKEND", "")


def require(framework: str) -> None:
    """Raises :class:`NotInstalled` when the framework cannot be used here."""
    if reason := missing(framework):
        raise NotInstalled(reason)


def tracer(framework: str) -> ModuleType:
    """The framework's tracer.  Raises :class:`NotInstalled`."""
    require(framework)
    return import_module(f"conformance.trace.{framework}.port")


def versions(framework: str) -> dict[str, str]:
    """The releases that a run depends on: the framework's own, and the oracle's.

    Raises :class:`NotInstalled`.
    """
    found: dict[str, str] = tracer(framework).versions()
    return found | {"numpy": metadata.version("numpy")}


def named(framework: str) -> dict[str, set[str]]:
    """The names of a room's networks, by the stem of their file.  Raises :class:`NotInstalled`."""
    require(framework)
    room = import_module(f"conformance.implementations.{framework}")
    stems = {module.name for module in pkgutil.iter_modules(room.__path__)} - {SHARED}
    return {stem: set(import_module(f"{room.__name__}.{stem}").MODELS) for stem in stems}


def published() -> dict[str, set[str]]:
    """The names of the reference's networks, by the stem of their file."""
    found: dict[str, set[str]] = {}
    for model in reference.models().values():
        found.setdefault(model.family, set()).add(model.name)
    return found


def unmatched(framework: str) -> list[str]:
    """One sentence for each network that only the room or only the reference has.

    Raises :class:`NotInstalled`.
    """
    built, described = (
        {(stem, name) for stem, names in found.items() for name in names}
        for found in (named(framework), published())
    )
    missing = [
        f"implementations/{framework}/{stem}.py: no {name} in MODELS, reference/{stem}.md has it"
        for stem, name in sorted(described - built)
    ]
    return missing + [
        f"reference/{stem}.md: no {name}, implementations/{framework}/{stem}.py has it in MODELS"
        for stem, name in sorted(built - described)
    ]


def factory(framework: str, model: Model) -> Callable[..., Any]:
    """Our implementation of a network.  Raises :class:`NotInstalled`."""
    require(framework)
    module = import_module(f"conformance.implementations.{framework}.{model.family}")
    result: Callable[..., Any] = module.MODELS[model.name]
    return result


def port(framework: str, model: Model) -> Port:
    """Our implementation of a network, ready to be traced and run."""
    found: Port = tracer(framework).port(factory(framework, model))
    return found
