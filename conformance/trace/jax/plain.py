"""A model called as its users call it: on arrays, not on tracers, and in its own precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.trace.jax.execution import as_array
from conformance.trace.jax.program import blank, handle_of, unbound
from conformance.trace.places import refusing


def plainly(
    made: Callable[..., Callable[[Any], Any]],
    values: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> list[np.ndarray]:
    """What ``made(values, shape)`` returns for a batch, outputs that are images channels last.

    A function that refuses channels last is given them first.
    """
    with jax.default_device(jax.devices("cpu")[0]), refusing("called plainly the model fails"):
        call = made(values, images.shape)
        batch = jnp.asarray(images, jnp.float32)
        try:
            return [as_array(each) for each in jax.tree.leaves(_called(call, batch))]
        except Exception as error:
            try:
                found = _called(call, batch.transpose(0, 3, 1, 2))
            except Exception:
                raise error from None
            results = [as_array(each) for each in jax.tree.leaves(found)]
            return [r.transpose(0, 2, 3, 1) if r.ndim == 4 else r for r in results]


def filled(variables: Any, values: Mapping[str, np.ndarray]) -> Any:
    """A tree of variables with these values in it, each in the type that it is stored in."""

    def leaf(path: Any, stored: Any) -> Any:
        handle = handle_of(path)
        if handle in values:
            return jnp.asarray(values[handle], stored.dtype)
        return blank(stored.shape, stored.dtype) if _is_shape(stored) else stored

    return jax.tree_util.tree_map_with_path(leaf, variables)


def _is_shape(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def _called(call: Callable[[Any], Any], batch: jax.Array) -> Any:
    """The call; an axis over devices that it names has one device, the batch on it."""
    while True:
        try:
            return call(batch)
        except NameError as error:
            if (name := unbound(error)) is None:
                raise
            inner = call

        def call(batch: Any, inner: Any = inner, name: str = name) -> Any:
            mapped = jax.vmap(inner, axis_name=name)(batch[None])
            return jax.tree.map(lambda result: result[0], mapped)
