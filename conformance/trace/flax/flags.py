"""How a module's call is switched between training and inference."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from flax import nnx

#: Words in the names of arguments that are true in training, and that are true in inference.
TRAINING = frozenset({"train", "training", "trains"})
INFERENCE = frozenset(
    "deterministic inference infer eval evaluate evaluation test testing running predict".split()
)


def flags(call: Callable[..., Any], training: bool) -> dict[str, Any]:
    """The arguments that switch a module's call between training and inference."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(call).parameters.items():
        if parameter.default is not parameter.empty and not isinstance(
            parameter.default, bool | None
        ):
            continue
        words = set(name.lower().split("_"))
        if words & TRAINING:
            given[name] = training
        elif words & INFERENCE:
            given[name] = not training
    return given | ({"rngs": nnx.Rngs(0)} if takes(call, "rngs") else {})


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function, a class or a partial of these has a parameter of this name."""
    while isinstance(function, functools.partial):
        function = function.func
    target = function.__init__ if inspect.isclass(function) else function
    parameters = inspect.signature(target).parameters
    rest = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return name in parameters or (rest and name == "rngs")
