"""Keras on JAX: what a model computes becomes a jaxpr, which JAX's own tracer reads and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.trace import jax as jaxprs
from conformance.trace.jax_execution import computing, gpu
from conformance.trace.port import NO_DRAWS, PLAIN, Execution, drawn
from conformance.trace.tape import Tape

__all__ = ["computing", "differentiate", "execute", "gpu", "record", "versions"]

versions = jaxprs.versions

#: Whether what was recorded computes in one precision only.
TYPED = False


class ProgramTape(Tape):
    """A tape that remembers the program it was read from."""

    program: jaxprs.Program


def record(
    call: Callable[..., Any],
    image: tuple[int, ...],
    axes: str,
    parameters: Mapping[str, tuple[tuple[int, ...], str]],
    modules: frozenset[str],
    root: str,
    how: Execution = PLAIN,
) -> ProgramTape:
    """Write down what ``call(image, *parameters)`` computes, from shapes and types alone.

    ``modules`` are the names of the model's layers, the only scopes that are part of a path;
    ``root`` is the name of the model itself, which is not.
    """

    def flat(*arrays: Any) -> list[Any]:
        *state, picture = arrays
        return jax.tree.leaves(call(picture, *state))

    def path(stack: str) -> str:
        layers = [scope for scope in stack.split("/") if scope in modules]
        return "/".join(layers[1:] if layers and layers[0] == root else layers)

    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in parameters.values()]
    jaxpr = jax.make_jaxpr(flat)(*inputs, jax.ShapeDtypeStruct(image, how.dtype))
    # A random stream's state is integers and no weight.
    handles = tuple(
        handle if jnp.issubdtype(dtype, jnp.floating) else None
        for handle, (_, dtype) in parameters.items()
    )
    program = jaxprs.Program(jaxpr, handles, path, axes=axes)
    tape = ProgramTape()
    tape.program = program
    vars(tape).update(vars(jaxprs.record(program)))
    return tape


def execute(
    tape: ProgramTape,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    wanted: frozenset[int],
    observe: Callable[[int, np.ndarray], None],
    draws: Mapping[int, float] = NO_DRAWS,
    how: Execution = PLAIN,
) -> dict[str, np.ndarray]:
    """Run the recorded program and hand over what is wanted, in order.

    Returned is what a training step replaces, by handle.
    """
    program = replace(tape.program, updates=tuple(tape.updates))
    return jaxprs.replay(program, jaxprs.Run(tape, values, image, wanted, observe, draws, how))


def differentiate(
    tape: ProgramTape,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    cotangents: Sequence[np.ndarray],
    wanted: frozenset[str],
    observe: Callable[[str | None, np.ndarray], None],
    draws: Mapping[int, float] = NO_DRAWS,
) -> None:
    """Hand out the gradients of the recorded program by JAX's own reverse mode."""
    randoms = tuple(drawn(tape, draws))
    jaxprs.differentiate(tape.program, values, image, cotangents, wanted, observe, randoms)
