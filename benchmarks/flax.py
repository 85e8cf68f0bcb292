"""Flax' own table of the same models, and its own forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.probe import Figures, measured
from conformance import reference
from conformance.ports import implementations as frameworks


def tabulate(name: str) -> dict[str, Figures]:
    """``nnx.tabulate(model, image)`` of a model with weights, from its factory on."""
    model = reference.find(name)
    factory = frameworks.factory("flax", model)

    def check() -> Figures:
        module = factory(rngs=nnx.Rngs(0))
        nnx.tabulate(module, jnp.ones((1, *model.input)))
        return {"parameters": sum(x.size for x in jax.tree.leaves(nnx.state(module, nnx.Param)))}

    counts, figures = measured(check)
    return {"nnx.tabulate": figures | counts}


def forward(factory: Callable[..., Any], size: tuple[int, int, int]) -> Callable[[], object]:
    """A float64 forward, step by step, of the model as Flax initialises it."""
    jax.config.update("jax_enable_x64", True)
    module = factory(rngs=nnx.Rngs(0))
    module.eval()
    weights = nnx.state(module, (nnx.Param, nnx.BatchStat))
    nnx.update(module, jax.tree.map(lambda x: x.astype(jnp.float64), weights))
    image = jax.random.uniform(jax.random.key(0), (1, *size), jnp.float64)
    return lambda: jax.block_until_ready(module(image))
