"""A port's factory, from ``package.module:factory`` or ``path/to/file.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

#: A framework that has no room of its own: its modules are set beside Keras' networks.
MODULES = "tensorflow"

#: Whose tracer reads a model, by the package that its class comes from.
ROOMS = {"keras": "keras", "torch": "torch", "flax": "flax", "tensorflow": MODULES}


class BadPort(Exception):
    """A port that cannot be loaded or built; the message is one line and says what to do."""


def load(text: str) -> Callable[[], Any]:
    """The factory that a PORT names.  Raises :class:`BadPort`."""
    where, colon, name = text.rpartition(":")
    if not colon or not where or not name:
        raise BadPort(
            f"{text!r} names no factory: write package.module:factory or path/to/file.py:factory"
        )
    module = _file(Path(where)) if where.endswith(".py") else _module(where)
    factory: Any = module
    for part in name.split("."):
        if not hasattr(factory, part):
            near = get_close_matches(part, [n for n in dir(factory) if n[0] != "_"], n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise BadPort(f"{where} has no {name!r}{guess}")
        factory = getattr(factory, part)
    if not callable(factory):
        raise BadPort(f"{text} is a {type(factory).__name__}, not a function that makes a model")
    _takes_nothing(factory, text)
    return factory


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadPort(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(path.stem, module)
    with _importing(str(path)):
        spec.loader.exec_module(module)
    return module


def _module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    with _importing(name):
        return importlib.import_module(name)


class _importing:
    """Turns whatever an import raises into one line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ModuleNotFoundError):
            missing = str(error.name)
            where = " from this folder" if self.name.split(".")[0] == missing else ""
            raise BadPort(
                f"{self.name} cannot be imported{where}: no module named {missing}"
            ) from error
        if isinstance(error, SystemExit):
            raise BadPort(f"{self.name} calls exit() while it is imported") from error
        if isinstance(error, Exception) and not isinstance(error, MemoryError):
            raise BadPort(f"{self.name} cannot be imported: {told(error)}") from error


def _takes_nothing(factory: Callable[..., Any], text: str) -> None:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return
    needed = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if [name for name in needed if name != "rngs"]:
        raise BadPort(
            f"{text} needs arguments ({', '.join(needed)}): give a function that takes none, such"
            f" as lambda: {text.rpartition(':')[2]}(...)"
        )


def framework_of(factory: Callable[..., Any]) -> str:
    """Whose tracer reads what a factory makes.  Raises :class:`BadPort`.

    A class tells it, and so does an environment in which one framework only was imported; or
    else the factory is called, once, to see what it returns.
    """
    target = factory.func if isinstance(factory, partial) else factory
    if inspect.isclass(target) and (room := _room(target)):
        return room
    loaded = {room for package, room in ROOMS.items() if package in sys.modules}
    if len(loaded) > 1:  # Keras imports TensorFlow
        loaded.discard(MODULES)
    if not loaded and {"jax", "haiku", "equinox"} & sys.modules.keys():
        return "flax"
    if len(loaded) == 1:
        return loaded.pop()
    try:
        made = factory()
    except MemoryError:
        raise
    except Exception as error:
        raise BadPort(f"the factory does not build a model: {told(error)}") from error
    if isinstance(made, tuple) and len(made) == 2 and callable(made[0]):
        return "flax"
    if room := _room(type(made)):
        return room
    raise BadPort(
        f"the factory returns {type(made).__name__}: it has to return a torch.nn.Module, a Keras"
        " model, a Flax module or a pair (apply, variables)"
    )


def _room(kind: type) -> str:
    packages = [base.__module__.split(".")[0] for base in kind.__mro__]
    return next((ROOMS[package] for package in packages if package in ROOMS), "")


def told(error: BaseException) -> str:
    """What went wrong, in one line."""
    said = " ".join(str(error).split())
    said = said if len(said) <= 300 else f"{said[:297]}..."
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
