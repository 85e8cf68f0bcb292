"""Flax's tracer: a module built and traced on shapes alone, run with the values it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

from conformance.trace.flax.build import build, made
from conformance.trace.flax.calls import as_pair, flags, switched
from conformance.trace.flax.model import Model, fill, weights
from conformance.trace.flax.scopes import module_of
from conformance.trace.jax import port as jaxprs
from conformance.trace.jax.execution import gpu, lightly
from conformance.trace.jax.plain import filled
from conformance.trace.jax.program import Program, program, stored
from conformance.trace.places import refusing
from conformance.trace.port import Own, Size, UntraceableModel
from conformance.trace.tape import Tape

__all__ = ["FlaxPort", "gpu", "port", "versions"]


def versions() -> dict[str, str]:
    """The releases that decide what a Flax model computes."""
    return {"flax": flax.__version__, **jaxprs.versions()}


def port(factory: Callable[..., Any]) -> FlaxPort:
    """The model that ``factory(rngs=...)``, or ``factory()``, builds."""
    return FlaxPort(factory)


class FlaxPort(jaxprs.JaxPort):
    """One factory of an NNX or Linen module, or of a pair ``(apply, variables)``."""

    framework = "flax"
    size: Size | None = None

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        self.size = size
        return super().trace(size, training, batch)

    @lightly()
    def own(self) -> Own:
        """What the module or the pair stores when it is built with its weights, from key 0."""
        with refusing("the factory does not build with its weights"):
            match made(self.factory):
                case nnx.Module() as module:
                    return weights(module)
                case linen.Module() as module:
                    if self.size is None:
                        raise UntraceableModel("a Linen module has no weights before it is traced")
                    module = switched(module, False)
                    given = flags(type(module).__call__, False)
                    keys = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
                    return stored(module.init(keys, jnp.zeros((1, *self.size)), **given))
                case (_, variables):
                    return stored(variables)
                case other:
                    raise TypeError(f"it returned {type(other).__name__}, not a Flax module")

    @lightly()
    def _callable(
        self, values: Mapping[str, np.ndarray], shape: tuple[int, ...]
    ) -> Callable[[Any], Any]:
        match made(self.factory):
            case nnx.Module() as module:
                fill(module, values)
                module.eval()
                return partial(module, **flags(type(module).__call__, False))
            case linen.Module() as module:
                apply, variables, _ = as_pair(module, (1, *shape[1:]), False)
            case (apply, variables):
                pass
        return partial(apply, filled(variables, values))

    def built(self) -> object:
        """What the factory returns, its weights left abstract."""
        model = self._model
        return model.module if isinstance(model, Model) else model

    @property
    def trains(self) -> bool:
        """Whether it is a module: nothing tells a pair that it is training."""
        return isinstance(self._model, Model | linen.Module)

    def program(self, shape: tuple[int, ...], training: bool = False) -> Program:
        """The model as a jaxpr for a batch of images."""
        model = self._model
        if isinstance(model, Model):
            run = partial(model.apply, training=training)
            updates = model.statistics if training else ()
            return program(run, model.abstract, shape, model.handles, module_of, updates)
        if isinstance(model, linen.Module):
            apply, variables, updates = as_pair(model, shape, training)
            return program(apply, variables, shape, updates=updates)
        return self._called(shape)

    @cached_property
    def _model(self) -> Any:
        return build(self.factory)
