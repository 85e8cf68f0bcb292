"""TensorFlow modules: a ``tf.Module`` called on images, with the variables that it made itself.

Its variables are built in float64, since TensorFlow multiplies nothing of two precisions, under
names of their own: a module may call two of them alike.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from conformance.trace import tensorflow as graphs
from conformance.trace.port import (
    NO_DRAWS,
    PLAIN,
    CannotExecute,
    Execution,
    Own,
    Size,
    UntraceableModel,
)
from conformance.trace.tape import Tape

#: How a call is told whether this is training.
FLAGS = ("training", "is_training", "train")


def port(factory: Callable[[], Any]) -> ModulePort:
    """The ``tf.Module`` that ``factory()`` makes."""
    return ModulePort(factory)


class ModulePort:
    """One TensorFlow module; see :class:`conformance.trace.port.Port`."""

    framework = "keras"
    #: What a step leaves in its own variables is assigned, which a graph of shapes does not show.
    trains = False

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory
        self.module: Any = None

    def trace(self, size: Size, training: bool = False) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        return self._record(2 if training else 1, size)

    def run(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        wanted: frozenset[int],
        observe: Callable[[int, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
        how: Execution = PLAIN,
    ) -> dict[str, np.ndarray]:
        """See :class:`conformance.trace.port.Port`."""
        if how.precision != PLAIN.precision:
            raise CannotExecute("a tf.Module's variables are float64 here, and so is its run")
        with graphs.computing(how):
            return graphs.execute(tape, values, image, wanted, observe, draws, how)  # type: ignore[arg-type]

    def gradient(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        cotangents: Sequence[np.ndarray],
        wanted: frozenset[str],
        observe: Callable[[str | None, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
    ) -> None:
        """See :class:`conformance.trace.port.Port`."""
        graphs.differentiate(tape, values, image, cotangents, wanted, observe, draws)  # type: ignore[arg-type]

    def own(self) -> Own:
        """What the variables hold: the module is built with its weights to be traced at all."""
        return Own({v.name: v.numpy() for v in self.module.variables if v.dtype.is_floating})

    def _record(self, batch: int, size: Size) -> Tape:
        shape = (batch, *size)
        called = "x".join(map(str, size))
        with graphs.computing():
            if self.module is None:
                self.module = _build(self.factory, shape)
            flags = {
                name: False
                for name in inspect.signature(self.module.__call__).parameters
                if name in FLAGS
            }
            try:
                return graphs.record(
                    lambda image: self.module(image, **flags), shape, "NHWC", {}, frozenset(), ""
                )
            except UntraceableModel:
                raise
            except Exception as error:
                said = " ".join(str(error).split())[:300]
                raise UntraceableModel(
                    f"the module cannot be called on an image of {called}: {said}"
                ) from error


def _build(factory: Callable[[], Any], shape: tuple[int, ...]) -> Any:
    """The module, with all of its variables."""
    try:
        with _double_variables():
            module = factory()
            if isinstance(module, tf.Module) and not module.variables:
                module(tf.zeros(shape, tf.float64))
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UntraceableModel(f"the factory does not build a module: {said}") from error
    if not isinstance(module, tf.Module) or not callable(module):
        raise UntraceableModel(
            f"the factory returns {type(module).__name__}, not a tf.Module that can be called"
        )
    return module


@contextmanager
def _double_variables() -> Iterator[None]:
    taken: Counter[str] = Counter()

    def create(following: Callable[..., Any], **options: Any) -> Any:
        value = options["initial_value"]
        value = tf.convert_to_tensor(value() if callable(value) else value)
        if value.dtype.is_floating:
            value = tf.cast(value, tf.float64)
        name = options.get("name") or "variable"
        taken[name] += 1
        if taken[name] > 1:
            name = f"{name}_{taken[name]}"
        return following(**options | {"initial_value": value, "dtype": value.dtype, "name": name})

    with tf.variable_creator_scope(create):
        yield
