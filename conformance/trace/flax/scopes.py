"""What is changed in Flax while a module is called: paths in the name stack, and cheap writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
from flax import nnx
from flax.nnx import module as module_library


@contextmanager
def replaceable() -> Iterator[None]:
    """Let ``variable[...] = value`` be a replacement, without a look at where the arrays lie.

    While tracing they lie nowhere, which JAX finds out in the same quadratic time.
    """
    set_item = nnx.Variable.__setitem__

    def replace(self: nnx.Variable, key: Any, value: Any) -> None:
        if key is ... and jax.typeof(value) == jax.typeof(self.get_value()):
            self.set_value(value)
        else:
            set_item(self, key, value)

    nnx.Variable.__setitem__ = replace
    try:
        yield
    finally:
        nnx.Variable.__setitem__ = set_item


def switch(module: nnx.Module, training: bool) -> list[tuple[Any, nnx.Module]]:
    """Put a module into a mode by its own method; returns all modules in it with their paths.

    Flax's own method goes through the modules that have been found already.
    """
    mode = "train" if training else "eval"
    if getattr(type(module), mode) is not getattr(nnx.Module, mode):
        getattr(module, mode)()  # which may make others of them
        return list(nnx.iter_modules(module))
    children, iterate = list(nnx.iter_modules(module)), module_library.iter_modules

    def found(of: nnx.Module, *args: Any, **kwargs: Any) -> Iterable[tuple[Any, nnx.Module]]:
        return children if of is module else iterate(of, *args, **kwargs)

    module_library.iter_modules = found
    try:
        getattr(module, mode)()
    finally:
        module_library.iter_modules = iterate
    return children


@contextmanager
def named(children: Iterable[tuple[Any, nnx.Module]]) -> Iterator[None]:
    """Have every operation carry the path of the module whose call it is part of."""
    paths = {id(child): ".".join(map(str, path)) for path, child in children}
    kinds = {type(child) for _, child in children}
    kept = {kind: vars(kind).get("__call__") for kind in kinds if _is_callable(kind)}
    for kind in kept:
        kind.__call__ = _scoped(kind.__call__, paths)
    try:
        yield
    finally:
        for kind, call in kept.items():
            if call is None:
                del kind.__call__
            else:
                kind.__call__ = call


def _is_callable(kind: type) -> bool:
    return any("__call__" in vars(base) for base in kind.__mro__)


def _scoped(call: Callable[..., Any], paths: dict[int, str]) -> Callable[..., Any]:
    @functools.wraps(call)
    def scoped(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
        with jax.named_scope(f"@{paths.get(id(self), '')}"):
            return call(self, *args, **kwargs)

    return scoped


def module_of(stack: str) -> str:
    """The innermost module of a name stack, and the port's own scopes inside it."""
    return stack.rpartition("@")[2].strip("/")
