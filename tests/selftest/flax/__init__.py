"""Wrong models in Flax: a bug is a function that changes a correct module."""

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import Any

import jax
from flax import nnx

from conformance import reference
from tests.selftest.rows import Wrong


def planted(architecture: str, bug: Callable[..., Any]) -> Callable[..., nnx.Module]:
    """A factory of the network that has the bug; a bug may be one by itself."""
    if not signature(bug).parameters:
        return bug
    family = import_module(
        f"conformance.implementations.flax.{reference.find(architecture).family}"
    )

    def factory(*, rngs: nnx.Rngs) -> nnx.Module:
        model: nnx.Module = family.MODELS[architecture](rngs=rngs)
        bug(model)
        return model

    return factory


def row(architecture: str, bug: Callable[[Any], Any], *where: Any, **what: Any) -> Wrong:
    """A row of this room: the network with the bug, and what has to be found where."""
    return Wrong(architecture, planted(architecture, bug), *where, **what)


class Also(nnx.Module):
    """A module with something done to its result."""

    def __init__(self, module: nnx.Module, then: Callable[[jax.Array], jax.Array]) -> None:
        self.module = module
        self.then = then

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.then(self.module(x))


def same(x: jax.Array) -> jax.Array:
    """What stands in the place of a function that is left out."""
    return x


class Same(nnx.Module):
    """What stands in the place of a module that is left out."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return x
