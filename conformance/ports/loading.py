"""A port's factory, from ``package.module:factory`` or ``path/to/file.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from sysconfig import get_paths
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.ports import implementations
from conformance.printable import message
from conformance.trace import registry
from conformance.trace.places import line
from conformance.trace.port import UntraceableModel

if TYPE_CHECKING:
    from conformance.trace.port import Port
    from conformance.trace.registry import Tracer


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
    try:
        return _factory(module, where, name)
    except Exception as error:
        if isinstance(error, BadPort) or not _place(error):
            raise
        # of an attribute that computes itself
        raise BadPort(f"{text} cannot be looked at: {told(error)}") from error


def _factory(module: ModuleType, where: str, name: str) -> Callable[[], Any]:
    """What a module calls ``name``, if it can be called without arguments."""
    factory: Any = module
    text = f"{where}:{name}"
    for part in name.split("."):
        if not hasattr(factory, part):
            near = get_close_matches(part, [n for n in dir(factory) if n[0] != "_"], n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise BadPort(f"{where} has no {name!r}{guess}")
        factory = getattr(factory, part)
    if not inspect.isclass(factory) and registry.owner(factory):
        kind = type(factory).__name__
        raise BadPort(
            f"{text} is a model ({kind}) and not a function that makes one: write"
            f" def port(): return {name}"
        )
    if not callable(factory):
        raise BadPort(f"{text} is a {type(factory).__name__}, not a function that makes a model")
    _takes_nothing(factory, text)
    return factory


def _file(path: Path) -> ModuleType:
    try:
        found = path.is_file()
    except OSError as error:  # a name that no file can have
        raise BadPort(f"{path.name[:99]}: {error.strerror}") from None
    if not found:
        raise BadPort(f"{path}: no such file")
    if path.stem in {each.library for each in registry.tracers().values()}:
        raise BadPort(f"{path} hides the library {path.stem}: give the file another name")
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


@contextmanager
def _importing(name: str) -> Iterator[None]:
    """Turns whatever an import raises into one line.

    What is to happen to numbers that overflow is the package's affair, not ours.
    """
    try:
        with np.errstate():
            yield
    except ModuleNotFoundError as error:
        missing = str(error.name)
        where = " from this folder" if name.split(".")[0] == missing else ""
        raise BadPort(f"{name} cannot be imported{where}: no module named {missing}") from error
    except SystemExit as error:
        raise BadPort(f"{name} calls exit() while it is imported") from error
    except MemoryError:
        raise
    except Exception as error:
        raise BadPort(f"{name} cannot be imported: {told(error)}") from error


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


def opened(factory: Callable[..., Any], framework: str | None = None) -> Port:
    """The port of a factory, read by the tracer named or by that of what the factory builds.

    Raises :class:`BadPort`, :class:`.UntraceableModel`, :class:`.UnknownFramework` and
    :class:`.NotInstalled`.
    """
    if framework is not None:
        return _port(registry.find(framework), factory)
    refused: dict[str, UntraceableModel] = {}
    named = _named(factory)
    known = registry.tracers().values()
    imported = [each for each in known if each.library in sys.modules]
    imported = imported or [each for each in known if each.library in named and each.installed]
    # Keras brings other libraries along, and each would build the model first.
    for tracer in sorted(imported, key=lambda each: each.library not in named):
        port = _port(tracer, factory)
        try:
            model = port.built()
        except UntraceableModel as reason:
            refused[tracer.name] = reason
            continue
        owner = _owner(model)
        return port if owner is tracer else _port(owner, factory)
    if refused:
        with suppress(Exception):  # the reason of a library that it is not would say nothing
            whose = _owner(_made(factory)).name
            refused = {whose: refused[whose]}
    if len(refused) == 1:
        raise next(iter(refused.values()))
    if refused:  # a tracer's own words would name its library, and nobody knows whose model it is
        first = next(iter(refused.values()))
        cause = first.__cause__ or first
        raise BadPort(f"the factory does not build a model: {told(cause)}") from cause
    return _port(_owner(_made(factory)), factory)


def _named(factory: Callable[..., Any]) -> set[str]:
    """The libraries that the module of a factory is of, or has names for, or that it imports."""
    inside: tuple[str, ...] = ()
    if inspect.isfunction(factory):
        names, inside = factory.__globals__, factory.__code__.co_names
    else:
        names = vars(sys.modules.get(str(getattr(factory, "__module__", "")), object))
    modules = [each.__name__ for each in names.values() if isinstance(each, ModuleType)]
    return {name.partition(".")[0] for name in (str(names.get("__name__")), *modules, *inside)}


def _port(tracer: Tracer, factory: Callable[..., Any]) -> Port:
    if tracer.name in implementations.frameworks():
        implementations.require(tracer.name)
    elif not tracer.installed:
        raise implementations.NotInstalled(f"{tracer.library} is not installed")
    return tracer.port(factory)


def _owner(model: object) -> Tracer:
    if found := registry.owner(model):
        return found
    kind = "None" if model is None else type(model).__name__
    returned = f"the class {model.__name__}" if isinstance(model, type) else kind
    raise BadPort(
        f"the factory returns {returned}: it has to return a torch.nn.Module, a Keras"
        " model, a tf.Module, a Flax module or a pair (apply, variables)"
    )


def _made(factory: Callable[..., Any]) -> object:
    """What a factory returns that imports its library itself."""
    try:
        return factory()
    except MemoryError:
        raise
    except Exception as error:
        raise BadPort(f"the factory does not build a model: {told(error)}") from error


def told(error: BaseException) -> str:
    """What went wrong, and where in the port, in one line."""
    said = " ".join(message(error).split())
    said = said if len(said) <= 300 else f"{said[:297]}..."
    said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    place = "" if isinstance(error, SyntaxError) else _place(error)
    return f"{said} ({place})" if place else said


def _place(error: BaseException) -> str:
    """The last line of somebody else's code that an exception came through."""
    ours = str(Path(__file__).parents[1])
    libraries = (ours, *(str(Path(each).resolve()) for each in get_paths().values()), "<")
    frames = [(f.f_code.co_filename, number) for f, number in walk_tb(error.__traceback__)]
    outside = [(name, number) for name, number in frames if not name.startswith(libraries)]
    return line(*outside[-1]) if outside else ""
