"""A Linen module as a pair of a function and its variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from conformance.trace.flax.flags import flags
from conformance.trace.jax.program import handle_of
from conformance.trace.places import refusing


def as_pair(
    module: Any, shape: tuple[int, ...], training: bool
) -> tuple[Callable[[Any, Any], Any], Any, list[str]]:
    """A Linen module as a pair, initialised on shapes alone, and the handles training replaces."""
    given = flags(type(module).__call__, training)
    key = jax.random.key(0)

    def init(images: jax.Array) -> Any:
        return module.init({"params": key, "dropout": key}, images, **given)

    def apply(variables: Any, images: jax.Array) -> Any:
        if not training:
            return module.apply(variables, images, **given)
        kept = [name for name in variables if name != "params"]
        rngs = {"dropout": key}
        result, changed = module.apply(variables, images, mutable=kept, rngs=rngs, **given)
        return result, jax.tree.leaves({name: changed[name] for name in kept})

    with refusing("the model cannot be initialised"):
        variables = jax.eval_shape(init, jax.ShapeDtypeStruct(shape, jnp.float32))
    kept = {name: tree for name, tree in variables.items() if name != "params"}
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(kept)]
    handles = [handle_of(path) for path in paths]
    return apply, variables, handles if training else []
