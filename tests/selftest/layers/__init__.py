"""Layers that no published network here has, in a model of one layer behind a convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

#: The size of the images that every model takes, and the channels that its layer reads.
SIZE, CHANNELS = (6, 6, 3), 8


@dataclass(frozen=True, slots=True)
class Layer:
    """A model whose last layer is of a kind and has these attributes."""

    model: Callable[[], Any]
    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A model with one mistake in a layer of ``right``: the attribute that is found to be other,
    where structure tells, and what the error vanishes with."""

    right: str
    model: Callable[[], Any]
    attribute: str
    found: Any
    cause: str


def wrong(framework: str) -> dict[str, Wrong]:
    """The planted bugs of a framework that is installed."""
    found: dict[str, Wrong] = import_module(f"{__name__}.{framework}").WRONG
    return found


def layers(framework: str) -> dict[str, Layer]:
    """The layers of a framework that is installed."""
    found: dict[str, Layer] = import_module(f"{__name__}.{framework}").LAYERS
    return found
