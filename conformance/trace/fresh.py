"""Factories that build a new model in every call, and those that only look as if they did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import numpy as np

from conformance.trace.port import UntraceableModel

SAME = (
    "the factory returns the same object in every call: it has to build a new model, so that one"
    " can be traced without weights and another one with them"
)


class Fresh:
    """A factory, asked for a new model each time.

    What is built without weights cannot serve as a model with them.  A factory that remembers
    what it made (``functools.cache``, a module's global) is made to forget it.  ``whole(model)``
    says whether a model has all of its values, so that the same object will do.
    """

    def __init__(self, factory: Callable[..., Any], whole: Callable[[Any], bool]) -> None:
        self.factory = factory
        self._whole = whole
        self._first: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The model; the port's wish for NumPy to raise errors ends with the call."""
        with np.errstate():
            if callable(forget := getattr(self.factory, "cache_clear", None)):
                forget()
            made = self.factory(*args, **kwargs)
            if made is not None and made is self._first and not self._whole(made):
                made = _anew(self.factory)(*args, **kwargs)
                if made is self._first:
                    raise UntraceableModel(SAME)
        if self._first is None:
            self._first = made
        return made

    @property
    def name(self) -> str:
        """The factory's own name."""
        function = getattr(self.factory, "func", self.factory)
        return str(getattr(function, "__qualname__", type(function).__name__))


def _anew(factory: Callable[..., Any]) -> Callable[..., Any]:
    """The same factory out of its module once more, which remembers nothing yet."""
    if isinstance(factory, partial):
        return partial(_anew(factory.func), *factory.args, **factory.keywords)
    module = sys.modules.get(getattr(factory, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is None or not file:
        raise UntraceableModel(SAME)
    spec = spec_from_file_location(module.__name__, file)
    assert spec is not None and spec.loader is not None
    again: Any = module_from_spec(spec)
    spec.loader.exec_module(again)
    for part in factory.__qualname__.split("."):
        if not hasattr(again, part):
            raise UntraceableModel(SAME)
        again = getattr(again, part)
    made: Callable[..., Any] = again
    return made
