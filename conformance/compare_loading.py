"""A port named on the command line: ``package.module:factory`` or ``path/to/file.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance import frameworks

#: Whose modules a model is made of, by room: what is written in JAX goes to the room that reads it.
MADE_OF = {"jax": "flax", "haiku": "flax", "equinox": "flax", "builtins": "flax"}


class BadPort(Exception):
    """The port cannot be loaded; the message is one line: what is wrong and what to do."""


def load(text: str) -> Callable[[], Any]:
    """The factory that ``text`` names.  Raises :class:`BadPort`."""
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise BadPort(f"{text!r} is not package.module:factory or path/to/file.py:factory")
    try:
        module = _file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:
        raise BadPort(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise BadPort(f"{place} has no function {name}")
    result: Callable[[], Any] = factory
    return result


def _file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"there is no such file: {path}")
    name = f"port:{path.resolve()}"  # two files may have one name; one file is run once
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path.resolve())
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def framework_of(factory: Callable[[], Any]) -> str:
    """The room that can trace what the factory returns.  Raises :class:`BadPort`."""
    imported = {MADE_OF.get(name, name) for name in sys.modules if "." not in name}
    rooms = imported & set(frameworks.frameworks())
    if len(rooms) == 1:
        return rooms.pop()
    try:
        kinds = type(factory()).__mro__
    except Exception as error:
        raise BadPort(f"the factory fails: {type(error).__name__}: {error}") from error
    made_of = [MADE_OF.get(top, top) for top in (kind.__module__.split(".")[0] for kind in kinds)]
    found = [room for room in made_of if room in frameworks.frameworks()]
    if not found:
        raise BadPort(f"the factory returns {kinds[0].__name__}, which no framework here knows")
    return found[0]
