"""A factory's model, its weights left abstract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import jax
from flax import linen, nnx

from conformance.trace.flax.calls import takes
from conformance.trace.flax.model import Model
from conformance.trace.fresh import Fresh
from conformance.trace.jax.program import KEPT, shapes
from conformance.trace.places import refusing
from conformance.trace.port import UntraceableModel


def build(factory: Callable[..., Any]) -> Any:
    """What the factory returns, its weights left abstract: a Model, a Linen module or a pair.

    Most NNX modules hold nothing but weights.  One that holds more is built again in such a way
    that JAX stages only what is drawn at random and computes the rest: masks, codes, indices.
    """
    with refusing("the factory does not build a model"), jax.enable_x64(True):
        try:
            model = _assemble(factory, nullcontext())
            if isinstance(model, Model) and not model.complete:
                model = _assemble(factory, jax.ensure_compile_time_eval())
        except KEPT:
            model = _with_arrays(factory)
        if isinstance(model, linen.Module):
            return made(factory)  # It holds no weights, and whatever it holds is known.
    if isinstance(model, Model) and not model.complete:
        raise UntraceableModel(
            "the model keeps random numbers outside an nnx.Variable; make them an nnx.Param"
        )
    return model


def _with_arrays(factory: Callable[..., Any]) -> Any:
    """The same of a factory that looks at its weights or assigns them: of these, the shapes."""
    match made(factory):
        case nnx.Module() as module:
            graphdef, state = nnx.split(module)
            known = dict(enumerate(jax.tree.leaves(state)))
            return Model(module, graphdef, jax.eval_shape(lambda: state), known)
        case (apply, variables):
            return apply, shapes(variables)
        case other:
            return other


def made(factory: Callable[..., Any]) -> Any:
    """What the factory returns, given random streams if it takes them."""
    asked = factory.factory if isinstance(factory, Fresh) else factory
    return factory(**({"rngs": nnx.Rngs(0)} if takes(asked, "rngs") else {}))


def _assemble(factory: Callable[..., Any], evaluation: AbstractContextManager[Any]) -> Any:
    built: list[Any] = []

    def abstract(key: jax.Array) -> Any:
        with _one_key(key), evaluation:
            match made(factory):
                case linen.Module() as module:
                    built.append(module)
                    return None
                case (apply, variables) if callable(apply):
                    shapes(variables)
                    built.append(apply)
                    return variables
                case nnx.Module() as module:
                    graphdef, state = nnx.split(module)
                case other:
                    raise TypeError(
                        f"it returned {type(other).__name__}; it has to return a Flax module, or"
                        " for another JAX library a pair (apply, variables) with"
                        " apply(variables, images)"
                    )
        leaves = enumerate(jax.tree.leaves(state))
        known = {place: leaf for place, leaf in leaves if not isinstance(leaf, jax.core.Tracer)}
        built.append((module, graphdef, known))
        return state

    state = jax.eval_shape(abstract, jax.eval_shape(lambda: jax.random.key(0)))
    match built[-1]:
        case linen.Module() as module:
            return module
        case (module, graphdef, known):
            return Model(module, graphdef, state, known)
        case apply:
            return apply, state


@contextmanager
def _one_key(key: jax.Array) -> Iterator[None]:
    """Let random streams hand out one key, however often they are asked.

    No weight is drawn, so keys need not differ; and adding to a stream's count while tracing
    makes JAX look for a sharding that is not there, in time quadratic in the number of keys.
    """
    call = nnx.RngStream.__call__
    nnx.RngStream.__call__ = lambda self: key
    try:
        yield
    finally:
        nnx.RngStream.__call__ = call
