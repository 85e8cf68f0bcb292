"""How a module's call is switched between training and inference."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from flax import nnx

#: Arguments of a call that are true in training, and those that are true in inference.
TRAINING = ("train", "training", "is_training")
INFERENCE = ("deterministic", "use_running_average")


def flags(call: Callable[..., Any], training: bool) -> dict[str, Any]:
    """The arguments by which a module's call is told whether it is training."""
    known = dict.fromkeys(TRAINING, training) | dict.fromkeys(INFERENCE, not training)
    given: dict[str, Any] = {name: value for name, value in known.items() if takes(call, name)}
    return given | ({"rngs": nnx.Rngs(0)} if takes(call, "rngs") else {})


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function, a class or a partial of these has a parameter of this name."""
    while isinstance(function, functools.partial):
        function = function.func
    target = function.__init__ if inspect.isclass(function) else function
    parameters = inspect.signature(target).parameters
    rest = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return name in parameters or (rest and name == "rngs")
