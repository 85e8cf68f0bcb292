"""An NNX module without weights: its structure, and what each array of its state is.

What a module keeps in an NNX Variable of floats is a stored array under its own path, trained
or not.  A bare array among a module's attributes (a mask, a list of indices), or a Variable of
integers, is part of the model's code: it is computed, everything else stays abstract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from conformance.trace.flax.calls import flags
from conformance.trace.flax.scopes import named, replaceable, switch
from conformance.trace.jax.program import handle_of
from conformance.trace.port import Own


class Model:
    """An abstract module: its structure, and what each array of its state is.

    ``module`` is what the factory made, to ask what it is; its arrays are used up.
    ``abstract`` and ``handles`` describe the state without the constants; the handle of a random
    stream's state is None.  ``constants`` has the constants that are known, by their place in
    the state, and ``missing`` the places of the others.  ``statistics`` are the handles of what
    training replaces besides the weights.
    """

    def __init__(
        self, module: nnx.Module, graphdef: Any, state: Any, known: dict[int, Any]
    ) -> None:
        self.module = module
        self.graphdef = graphdef
        self.structure = jax.tree.structure(state)
        self.constants: dict[int, np.ndarray] = {}
        self.missing: list[int] = []
        self.abstract: list[jax.ShapeDtypeStruct] = []
        self.handles: list[str | None] = []
        self.statistics: list[str] = []
        leaves = jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_variable)
        arrays = [(path, leaf, array) for path, leaf in leaves for array in jax.tree.leaves(leaf)]
        for place, (path, leaf, array) in enumerate(arrays):
            if isinstance(leaf, nnx.RngState):
                self.abstract.append(jax.ShapeDtypeStruct(array.shape, array.dtype))
                self.handles.append(None)
            elif _is_variable(leaf) and jnp.issubdtype(array.dtype, jnp.floating):
                self.abstract.append(jax.ShapeDtypeStruct(array.shape, array.dtype))
                handle = handle_of(path, ".")
                self.handles.append(handle)
                if isinstance(leaf, nnx.BatchStat):
                    self.statistics.append(handle)
            elif place in known:
                self.constants[place] = np.asarray(known[place])
            else:
                self.missing.append(place)

    @property
    def complete(self) -> bool:
        """Whether everything but the weights is known."""
        return not self.missing and not _has_tracers(self.graphdef)

    def apply(self, arrays: list[Any], images: Any, training: bool) -> Any:
        """The result of the module with these arrays in its state, among its constants.

        In training the statistics that are kept of the batch come after it.
        """
        rest = iter(arrays)
        count = self.structure.num_leaves
        leaves = [self.constants[i] if i in self.constants else next(rest) for i in range(count)]
        module = nnx.merge(self.graphdef, jax.tree.unflatten(self.structure, leaves))
        with named(switch(module, training)), replaceable():
            result = module(images, **flags(type(module).__call__, training))
        if not training:
            return result
        return result, jax.tree.leaves(nnx.state(module, nnx.BatchStat))


def _has_tracers(graphdef: Any) -> bool:
    """Whether an attribute that Flax takes for static is an array that has not been computed."""
    values = [getattr(attribute, "value", None) for _, attribute in graphdef.attributes]
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def weights(module: nnx.Module) -> Own:
    """The arrays of a built module that a :class:`Model` has handles for."""
    leaves = jax.tree_util.tree_leaves_with_path(nnx.state(module), is_leaf=_is_variable)
    return Own(
        {
            handle_of(path, "."): np.asarray(array)
            for path, leaf in leaves
            if _is_variable(leaf) and not isinstance(leaf, nnx.RngState)
            for array in jax.tree.leaves(leaf)
            if jnp.issubdtype(array.dtype, jnp.floating)
        }
    )


def fill(module: nnx.Module, values: Mapping[str, np.ndarray]) -> None:
    """Give a built module's variables these values, each in the type that it is stored in."""
    state = nnx.state(module)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_variable):
        if _is_variable(leaf) and (handle := handle_of(path, ".")) in values:
            leaf.set_value(jnp.asarray(values[handle], leaf.get_value().dtype))
    nnx.update(module, state)


def _is_variable(leaf: Any) -> bool:
    return isinstance(leaf, nnx.Variable)
