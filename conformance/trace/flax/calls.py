"""How a module is called: switched to training or inference, and a Linen module as a pair."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import errors, nnx

from conformance.trace.jax.program import handle_of
from conformance.trace.places import refusing

#: Words in the names of arguments that are true in training, and that are true in inference.
TRAINING = frozenset({"train", "training", "trains"})
INFERENCE = frozenset(
    "deterministic inference infer eval evaluate evaluation test testing running predict".split()
)


def flags(call: Callable[..., Any], training: bool) -> dict[str, Any]:
    """The arguments that switch a module's call between training and inference."""
    parameters = inspect.signature(call).parameters
    empty = inspect.Parameter.empty
    defaults = {n: None if p.default is empty else p.default for n, p in parameters.items()}
    return _switched(defaults, training) | ({"rngs": nnx.Rngs(0)} if takes(call, "rngs") else {})


def _switched(values: Mapping[str, Any], training: bool) -> dict[str, bool]:
    """Those of the named values that say whether a network trains, as they are in a mode."""
    given: dict[str, bool] = {}
    for name, value in values.items():
        words = set(name.lower().split("_"))
        if not isinstance(value, bool | None):
            continue
        if words & TRAINING:
            given[name] = training
        elif words & INFERENCE:
            given[name] = not training
    return given


def switched(module: Any, training: bool) -> Any:
    """A Linen module in a mode: one whose call has no switch may have a field that is one."""
    if flags(type(module).__call__, training).keys() - {"rngs"}:
        return module
    own = [f.name for f in dataclasses.fields(module) if f.name not in ("parent", "name")]
    given = _switched({name: getattr(module, name) for name in own}, training)
    return module.clone(**given) if given else module


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function, a class or a partial of these has a parameter of this name."""
    while isinstance(function, functools.partial):
        function = function.func
    target = function.__init__ if inspect.isclass(function) else function
    parameters = inspect.signature(target).parameters
    rest = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return name in parameters or (rest and name == "rngs")


def as_pair(
    module: Any, shape: tuple[int, ...], training: bool
) -> tuple[Callable[[Any, Any], Any], Any, list[str]]:
    """A Linen module as a pair, initialised on shapes alone, and the handles training replaces."""
    module = switched(module, training)
    given = flags(type(module).__call__, training)
    # A stream of any other name falls back to that of the parameters.
    keys = dict.fromkeys(("params", "dropout"), jax.random.key(0))

    def init(images: jax.Array) -> Any:
        return module.init(keys, images, **given)

    def apply(variables: Any, images: jax.Array) -> Any:
        if not training:
            try:
                return module.apply(variables, images, **given)
            except errors.InvalidRngError:  # it draws in inference, which is told of it then
                return module.apply(variables, images, rngs=keys, **given)
        kept = [name for name in variables if name != "params"]
        result, changed = module.apply(variables, images, mutable=kept, rngs=keys, **given)
        return result, jax.tree.leaves({name: changed[name] for name in kept})

    with refusing("the model cannot be initialised"):
        variables = jax.eval_shape(init, jax.ShapeDtypeStruct(shape, jnp.float32))
    kept = {name: tree for name, tree in variables.items() if name != "params"}
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(kept)]
    handles = [handle_of(path) for path in paths]
    return apply, variables, handles if training else []
