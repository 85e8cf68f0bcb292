"""Wrong models in PyTorch: a bug is a function that changes a correct model, or returns another."""

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import Any

from torch import nn

from conformance import reference
from tests.selftest.rows import Wrong


def planted(architecture: str, bug: Callable[..., Any]) -> Callable[[], nn.Module]:
    """A factory of the network that has the bug; a bug may be one by itself."""
    if not signature(bug).parameters:
        return bug
    family = import_module(
        f"conformance.implementations.torch.{reference.find(architecture).family}"
    )

    def factory() -> nn.Module:
        model: nn.Module = family.MODELS[architecture]()
        return bug(model) or model

    return factory


def row(architecture: str, bug: Callable[[Any], Any], *where: Any, **what: Any) -> Wrong:
    """A row of this room: the network with the bug, and what has to be found where."""
    return Wrong(architecture, planted(architecture, bug), *where, **what)
