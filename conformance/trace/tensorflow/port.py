"""TensorFlow's tracer: a ``tf.Module`` called on images, with the variables that it made itself.

A model of Keras 2 is one, with layers that name its parts.

Its variables are built in float64, since TensorFlow multiplies nothing of two precisions, under
names of their own: a module may call two of them alike.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from conformance.trace.fresh import SAME, Fresh
from conformance.trace.places import refusing
from conformance.trace.port import (
    PLAIN,
    Arrays,
    Call,
    CannotExecute,
    Gradients,
    Inside,
    Observer,
    Own,
    Run,
    Size,
    UntraceableModel,
    checked,
    images,
)
from conformance.trace.tape import Tape
from conformance.trace.tensorflow import backend
from conformance.trace.tensorflow.execution import computing, gpu, versions

__all__ = ["ModulePort", "gpu", "port", "versions"]

#: The arguments that switch a call to training.
FLAGS = ("training", "is_training", "train")


#: The library that Keras 2 has become; its layers and models are modules of TensorFlow's.
LEGACY = "tf_keras"


def port(factory: Callable[[], Any]) -> ModulePort:
    """The ``tf.Module`` that ``factory()`` makes."""
    return ModulePort(factory)


class ModulePort:
    """One TensorFlow module; see :class:`conformance.trace.port.Port`."""

    framework = "keras"
    #: What a step leaves in its own variables is assigned, which a graph of shapes does not show.
    trains = False
    untrained = "training mode (what a step leaves in the variables of a tf.Module is not seen)"

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = Fresh(factory, lambda made: True)
        self._made: Any = None

    def built(self) -> object:
        """What the factory returns, its variables in float64."""
        if self._made is None:
            before = LEGACY in sys.modules
            try:
                self._made = self._double()
            except UntraceableModel:
                if before or LEGACY not in sys.modules:
                    raise
            if LEGACY in sys.modules and not before:  # imported meanwhile, in its own precision
                self._made = self._double()
        return self._made

    def _double(self) -> object:
        with refusing("the factory does not build a module"), _double_variables():
            return self.factory()

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        shape = (images(training, batch), *size)
        with computing():
            module = self._ready(shape)
            flags = _flags(module)
            with refusing(f"the module cannot be called on an image of {'x'.join(map(str, size))}"):
                call = _unsigned(module)
                called = Call(
                    lambda image: call(image, **flags),
                    shape,
                    modules=frozenset(each.name for each in (module, *module.submodules)),
                    root=module.name,
                )
                tape = checked(backend.record(called))
            floating = (v for v in module.variables if v.dtype.is_floating)
            tape.stored = {v.name: tuple(v.shape) for v in floating}
            return tape

    def declared(self) -> Size | None:
        """See :class:`conformance.trace.port.Port`; a model of Keras 2 may say it."""
        shape = getattr(self.built(), "input_shape", None)
        if isinstance(shape, tuple) and len(shape) == 4 and all(shape[1:]):
            return shape[1], shape[2], shape[3]
        return None

    def run(self, run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
        """See :class:`conformance.trace.port.Port`."""
        if run.how.precision != PLAIN.precision:
            raise CannotExecute("a tf.Module's variables are float64 here, and so is its run")
        with computing(run.how):
            return backend.execute(run, wanted, observe)

    def gradient(self, run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
        """See :class:`conformance.trace.port.Port`."""
        return backend.differentiate(run, cotangents, wanted)

    def inside(self, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
        """See :class:`conformance.trace.port.Port`."""
        return backend.inside(run, cotangents, wanted)

    def own(self) -> Own:
        """What the variables hold: the module is built with its weights to be traced at all."""
        variables = self._made.variables
        return Own({v.name: v.numpy() for v in variables if v.dtype.is_floating})

    def plain(self, values: Mapping[str, np.ndarray], images: np.ndarray) -> list[np.ndarray]:
        """See :class:`conformance.trace.port.Port`."""
        with tf.device("/CPU:0"), refusing("called plainly the module fails"):
            module: Any = self.factory()
            if module is self._made:
                raise CannotExecute(SAME)
            batch = tf.constant(images, tf.float32)
            given = _flags(module)
            if not module.variables:
                module(batch[:1], **given)
            # Made in one order: only the traced one's variables have names of their own.
            for there, here in zip(self._made.variables, module.variables, strict=True):
                if there.name in values:
                    here.assign(values[there.name])
            return [each.numpy() for each in tf.nest.flatten(module(batch, **given))]

    def _ready(self, shape: tuple[int, ...]) -> Any:
        """The module, with all of its variables."""
        module: Any = self.built()
        if not isinstance(module, tf.Module) or not callable(module):
            raise UntraceableModel(
                f"the factory returns {type(module).__name__}, not a tf.Module that can be called"
            )
        if not module.variables:
            with refusing("the factory does not build a module"), _double_variables():
                module(tf.zeros(shape, tf.float64))
        return module


def _unsigned(module: Any) -> Any:
    """The module, or the function of it that a signature of float32 keeps from float64."""
    call: Any = type(module).__call__
    if getattr(call, "input_signature", None) is None:
        return module
    return partial(call.python_function, module)


def _flags(module: Any) -> dict[str, bool]:
    """The arguments that switch a module's call to inference."""
    parameters = inspect.signature(module.__call__).parameters
    return {name: False for name in parameters if name in FLAGS}


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

    with tf.variable_creator_scope(create), _double_layers():
        yield


@contextmanager
def _double_layers() -> Iterator[None]:
    """Keras 2 keeps a precision in every layer: in here that is float64."""
    keras = sys.modules.get(LEGACY)
    if keras is None:
        yield
        return
    before = keras.backend.floatx()
    keras.backend.set_floatx("float64")
    try:
        yield
    finally:
        keras.backend.set_floatx(before)
