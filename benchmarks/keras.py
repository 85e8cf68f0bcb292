"""Keras' own summary of the same models, and its own forward."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import keras

from benchmarks.probe import Figures, measured
from conformance import reference
from conformance.ports import implementations as frameworks


def summary(name: str) -> dict[str, Figures]:
    """``model.summary()`` of a model with weights, from its factory on."""
    factory = frameworks.factory("keras", reference.find(name))

    def check() -> Figures:
        model = factory()
        model.summary(print_fn=lambda line: None)
        return {"parameters": sum(prod(weight.shape) for weight in model.trainable_weights)}

    counts, figures = measured(check)
    return {"model.summary()": figures | counts}


def forward(factory: Callable[[], Any], size: tuple[int, int, int]) -> Callable[[], object]:
    """A float64 forward, step by step, of the model as Keras initialises it."""
    keras.config.set_floatx("float64")
    model = factory()
    image = keras.random.uniform((1, *size))
    return lambda: keras.ops.convert_to_numpy(model(image, training=False))
