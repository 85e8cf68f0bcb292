"""A model as a jaxpr of its parameters, its other state and one batch of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from conformance.printable import message
from conformance.trace.jax.execution import given, in_precision, lower_type
from conformance.trace.places import reason
from conformance.trace.port import Own, UntraceableModel

#: What goes wrong in a function that has kept arrays of a factory that was called on shapes.
KEPT = (jax.errors.UnexpectedTracerError, jax.errors.JAXTypeError)


@dataclass(frozen=True, slots=True)
class Program:
    """A model as a jaxpr of its parameters, its other state and, last, one batch of images.

    ``handles`` names each input but the image: the parameter's handle, or None for state that
    holds no weights.  The last results, as many as there are ``updates``, replace the parameters
    of these handles.  ``path`` reads the module's address out of a JAX name stack, and ``axes``
    spells the layout of the images.
    """

    jaxpr: ClosedJaxpr
    handles: tuple[str | None, ...]
    path: Callable[[str], str] = str
    updates: tuple[str, ...] = ()
    axes: str = "NHWC"
    #: What is stored in less than float32, and in what.
    low: Mapping[str, str] = field(default_factory=dict)

    def inputs(self, values: Callable[[str], np.ndarray], dtype: Any) -> list[jax.Array]:
        """Arrays for all inputs but the image, in a precision."""
        *state, _ = (v.aval for v in self.jaxpr.jaxpr.invars)
        return [
            blank(aval.shape, aval.dtype) if handle is None else given(values(handle), dtype)
            for handle, aval in zip(self.handles, state, strict=True)
        ]


def program(
    apply: Callable[[Any, Any], Any],
    variables: Any,
    shape: tuple[int, ...],
    handles: Sequence[str | None] | None = None,
    path: Callable[[str], str] = str,
    updates: Sequence[str] = (),
) -> Program:
    """``apply(variables, images)`` as a jaxpr in float64, for a batch of images of this shape.

    An ``apply`` that refuses channels last is given them first.
    """
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    structure = jax.tree.structure(variables)
    if handles is None:
        handles = [
            handle_of(where) if jnp.issubdtype(leaf.dtype, jnp.floating) else None
            for where, leaf in leaves
        ]

    def flat(*arrays: Any) -> list[Any]:
        *state, images = arrays
        outputs = jax.tree.leaves(apply(jax.tree.unflatten(structure, state), images))
        for each in outputs:
            if not hasattr(each, "dtype") and not isinstance(each, int | float | complex):
                raise TypeError(f"it returns {type(each).__name__}; return the logits")
        return outputs

    def channels_first(*arrays: Any) -> list[Any]:
        return flat(*arrays[:-1], arrays[-1].transpose(0, 3, 1, 2))

    jaxpr = _first(flat, channels_first, [leaf for _, leaf in leaves], shape)
    low = {h: lower_type(leaf.dtype) for h, (_, leaf) in zip(handles, leaves, strict=True) if h}
    return Program(jaxpr, tuple(handles), path, tuple(updates), low=low)


def _first(
    flat: Callable[..., Any], channels_first: Callable[..., Any], leaves: Sequence[Any],
    shape: tuple[int, ...],
) -> ClosedJaxpr:  # fmt: skip
    """The jaxpr of the first that can be traced.  Raises :class:`UntraceableModel`.

    In float64, or in float32 where numbers that are written in that refuse to meet another type.
    """
    refused: list[Exception] = []
    for dtype in (jnp.float64, jnp.float32):
        with jax.enable_x64(dtype == jnp.float64):
            inputs = [
                jax.ShapeDtypeStruct(leaf.shape, in_precision(jnp.dtype(dtype), leaf.dtype))
                for leaf in leaves
            ]
            inputs.append(jax.ShapeDtypeStruct(shape, dtype))
            for function in (flat, channels_first):
                try:
                    return _traced(function, inputs)
                except Exception as error:
                    refused.append(error)
    why = refused[1] if isinstance(refused[1], KEPT) else refused[0]
    size = "x".join(map(str, shape))
    raise UntraceableModel(
        f"the model cannot be called with an image batch of {size}: {reason(why)}"
    ) from why


def _traced(function: Callable[..., Any], inputs: Sequence[Any]) -> ClosedJaxpr:
    """A function's jaxpr; the axes over devices that it names have one device here."""
    axes: list[tuple[str, int]] = []
    while True:
        try:
            return jax.make_jaxpr(function, axis_env=axes)(*inputs)
        except NameError as error:
            name = unbound(error)
            if name is None or (name, 1) in axes:
                raise
            axes.append((name, 1))


def unbound(error: NameError) -> str | None:
    """The axis over devices whose name an error misses, if that is what it says."""
    found = re.search(r"unbound axis name:? *(\w+)", message(error))
    return found[1] if found else None


def stored(variables: Any) -> Own:
    """The floating-point arrays of a tree of variables, by the handles of :func:`program`."""
    arrays = {
        handle_of(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    }
    return Own(arrays, frozenset(_unset(variables, arrays)))


def _unset(variables: Any, arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Running averages that a library starts from its first batch: Haiku's, Equinox's."""
    states = [
        handle_of(path) + "/"
        for path, node in jax.tree_util.tree_leaves_with_path(variables, is_leaf=_is_state)
        if _is_state(node)
    ]
    for handle, array in arrays.items():
        beside = handle.removesuffix("average")
        counted = beside != handle and f"{beside}hidden" in arrays
        if (counted or handle.startswith(tuple(states))) and not array.any():
            yield handle


def _is_state(node: Any) -> bool:
    return type(node).__module__.startswith("equinox.") and type(node).__name__ == "State"


def shapes(variables: Any) -> Any:
    """The shapes of a pair's variables.  Raises :class:`UntraceableModel` of functions."""
    if any(callable(leaf) for leaf in jax.tree.leaves(variables)):
        raise UntraceableModel(
            "the second of the pair (apply, variables) holds functions: return what init gives of"
            " Haiku's transform, or the arrays of equinox.partition(model, is_inexact_array)"
        )
    return jax.eval_shape(lambda: variables)


def handle_of(path: Any, separator: str = "/") -> str:
    """The place of an array in a tree, as a handle."""
    return jax.tree_util.keystr(path, simple=True, separator=separator)


def blank(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """State that holds no weights: an unused random stream, a counter."""
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return jnp.broadcast_to(jax.random.key(0), shape)
    return jnp.zeros(shape, dtype)
