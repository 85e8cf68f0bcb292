"""Wrong models in Keras: a bug is a function of what builds the correct model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from inspect import signature
from itertools import count
from typing import Any
from unittest import mock

import keras

from conformance import reference

Build = Callable[[], keras.Model]


def planted(architecture: str, bug: Callable[..., keras.Model]) -> Build:
    """A factory of the network that has the bug; a bug may be one by itself."""
    if not signature(bug).parameters:
        return bug
    family = import_module(
        f"conformance.implementations.keras.{reference.find(architecture).family}"
    )
    return partial(bug, family.MODELS[architecture])


def rewritten(build: Build, module: Any, **functions: Any) -> keras.Model:
    """The model as it comes out when some of a module's functions are others."""
    with mock.patch.multiple(module, **functions):
        return build()


def edited(
    build: Build, which: str | type, edit: Callable[[keras.layers.Layer], keras.layers.Layer]
) -> keras.Model:
    """The model with the layer of this name, or the layers of this class, replaced."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        chosen = layer.name == which if isinstance(which, str) else isinstance(layer, which)
        return edit(layer) if chosen else type(layer).from_config(layer.get_config())

    return keras.models.clone_model(build(), clone_function=clone)


def configured(**config: Any) -> Callable[[keras.layers.Layer], keras.layers.Layer]:
    """The same layer with other arguments."""
    return lambda layer: type(layer).from_config(layer.get_config() | config)


def left_out(layer: keras.layers.Layer) -> keras.layers.Layer:
    """What stands in the place of a layer that is left out."""
    return keras.layers.Identity(name=layer.name)


def made(name: str, function: Callable[..., Any], other: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, but ``other`` where it is to make the layer of this name."""

    def either(*args: Any, **kwargs: Any) -> Any:
        return (other if kwargs.get("name") == name else function)(*args, **kwargs)

    return either


def changed(kind: type[keras.layers.Layer], **config: Any) -> Callable[..., keras.layers.Layer]:
    """A maker of this class's layers that has some arguments overruled."""
    return lambda *args, **kwargs: configured(**config)(kind(*args, **kwargs))


def nth(number: int, function: Callable[..., Any], other: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, but ``other`` when it is called for this time, counted from zero."""
    calls = count()
    return lambda *args, **kwargs: (other if next(calls) == number else function)(*args, **kwargs)
