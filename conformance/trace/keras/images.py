"""Keras' layers that prepare images: what is recorded of them, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np

from conformance.graph.model import Where
from conformance.trace.tape import Fault

#: The layers that change images at random while the network trains, and leave them otherwise.
AUGMENTING = tuple(
    kind
    for name, kind in vars(keras.layers).items()
    if isinstance(kind, type) and name.startswith(("Rand", "AugMix"))
)
AUGMENTED = (
    "it changes images while the network trains, at random: taken to do then what it does in"
    " inference"
)
NOT_ADAPTED = (
    "it subtracts 0 and divides by 1, for it was never adapted: call adapt(), or give it a mean"
    " and a variance"
)
RESIZED = (
    "it makes images as large as the network takes them: what lies behind it is judged, and not how"
    " it does that"
)


def augments(layer: Any) -> bool:
    """Whether a layer changes images at random while the network trains."""
    return isinstance(layer, AUGMENTING)


def resizing(model: Any) -> Any:
    """The layer that gives images their size before any layer with weights; None without one."""
    for layer in getattr(model, "layers", ()):
        found = layer if isinstance(layer, keras.layers.Resizing) else None
        if isinstance(layer, keras.Sequential):
            found = resizing(layer)
        if found is not None:
            return found
        if layer.weights and not isinstance(layer, keras.layers.Normalization):
            return None
    return None


@contextmanager
def prepared(model: Any, channels: int) -> Iterator[None]:
    """Let what augments an image of so many channels do in training what it does in inference,
    and what makes it as large as it is do nothing.

    Neither is part of a network, and neither computes in float64.
    """
    layers = [each for each in model._flatten_layers() if augments(each)]
    sizes = [each for each in model._flatten_layers() if isinstance(each, keras.layers.Resizing)]
    for layer in layers:
        vars(layer)["call"] = _untrained(layer.call, channels)
    for layer in sizes:
        vars(layer)["call"] = _unresized(layer, layer.call)
    try:
        yield
    finally:
        for layer in layers + sizes:
            del vars(layer)["call"]


def _untrained(call: Callable[..., Any], channels: int) -> Callable[..., Any]:
    def untrained(data: Any, training: bool | None = None) -> Any:
        """Of a map inside the network it is what it is."""
        image = not isinstance(data, Mapping) and channels in (data.shape[-1], data.shape[-3])
        return call(data, training=training and not image)

    return untrained


def _unresized(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    first = layer.data_format == "channels_first"

    def unresized(data: Any, **given: Any) -> Any:
        if isinstance(data, Mapping):
            return call(data, **given)
        has = tuple(data.shape[-2:] if first else data.shape[-3:-1])
        return data if has == (layer.height, layer.width) else call(data, **given)

    return unresized


def noted(model: Any) -> list[Fault]:
    """What is to be said of the layers that prepare images, and is nothing wrong."""
    found = []
    for layer in model._flatten_layers():
        if augments(layer):
            found.append(Fault("augmentation", None, type(layer).__name__, AUGMENTED,
                               Where(layer.name)))  # fmt: skip
        elif isinstance(layer, keras.layers.Normalization) and not _adapted(layer):
            found.append(Fault("adapted", True, False, NOT_ADAPTED, Where(layer.name)))
    return found


def resized(model: Any) -> Fault:
    """What is to be said of images that the model gives their size."""
    made = resizing(model)
    return Fault("resized", None, f"{made.height}x{made.width}", RESIZED, Where(made.name))


def _adapted(layer: Any) -> bool:
    if layer.input_mean is not None:
        return True
    with suppress(Exception):  # it has no numbers before it is built
        mean, variance = (np.asarray(each) for each in (layer.mean, layer.variance))
        return bool(mean.any() or (variance != 1).any())
    return True


def adapted_to(model: Any) -> set[int]:
    """The variables, by identity, that were constants before the model was called."""
    kinds = keras.layers.Normalization
    layers = [each for each in model._flatten_layers() if isinstance(each, kinds)]
    return {id(variable) for layer in layers for variable in layer.variables}
