"""Keras on JAX: what a model computes becomes a jaxpr, which JAX's own tracer reads and runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.trace.jax import port as jaxprs
from conformance.trace.jax import walk
from conformance.trace.jax.execution import computing, gpu
from conformance.trace.jax.program import Program
from conformance.trace.port import PLAIN, Arrays, Call, Execution, Gradients, Inside, Observer, Run
from conformance.trace.tape import Tape

__all__ = ["TYPED", "computing", "differentiate", "execute", "gpu", "inside", "record", "versions"]

versions = jaxprs.versions

#: Whether what was recorded computes in one precision only.
TYPED = False


def record(call: Call, how: Execution = PLAIN) -> Tape:
    """What a call computes, from shapes and types alone."""

    def flat(*arrays: Any) -> list[Any]:
        *state, picture = arrays
        return jax.tree.leaves(call.function(picture, *state))

    def path(stack: str) -> str:
        layers = [scope for scope in stack.split("/") if scope in call.modules]
        return "/".join(layers[1:] if layers and layers[0] == call.root else layers)

    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in call.parameters.values()]
    jaxpr = jax.make_jaxpr(flat)(*inputs, jax.ShapeDtypeStruct(call.image, how.dtype))
    # A random stream's state is integers and no weight.
    handles = tuple(
        handle if jnp.issubdtype(dtype, jnp.floating) else None
        for handle, (_, dtype) in call.parameters.items()
    )
    program = Program(jaxpr, handles, path, axes=call.axes)
    tape = walk.record(program)
    tape.source = program
    return tape


def execute(run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
    """Run the recorded program and hand over what is wanted, in order."""
    program = replace(run.tape.source, updates=tuple(run.tape.updates))
    return jaxprs.execute(program, run, wanted, observe)


def differentiate(run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
    """The gradients of the recorded program by JAX's own reverse mode."""
    return jaxprs.differentiate(run.tape.source, run, cotangents, wanted)


def inside(run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
    """The gradients by values of the recorded program."""
    return jaxprs.inside(run.tape.source, run, cotangents, wanted)
