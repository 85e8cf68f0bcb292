"""Keras's tracer: whatever Keras computes with here, that library's tracer reads it.

This module builds the model without weights, says which placeholder stands for which variable,
and gives everything one precision.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any
from weakref import WeakValueDictionary

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402

from conformance.trace.fresh import SAME, Fresh  # noqa: E402
from conformance.trace.keras.images import adapted_to, noted, prepared, resized  # noqa: E402
from conformance.trace.keras.model import (  # noqa: E402
    build,
    by_handle,
    declared,
    frozen,
    in_type,
    layout,
    lowered,
    makes,
    one_line,
    prepare,
    shaped,
    training_by_default,
    undeclared,
    whole,
)
from conformance.trace.keras.thread import in_a_thread, in_precision  # noqa: E402
from conformance.trace.port import (  # noqa: E402
    PLAIN,
    Arrays,
    Backend,
    Call,
    CannotExecute,
    Execution,
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
from conformance.trace.tape import Tape  # noqa: E402

#: The tracer of each library that Keras can compute with.
BACKENDS = {
    "tensorflow": "conformance.trace.tensorflow.backend",
    "jax": "conformance.trace.keras.jax",
    "torch": "conformance.trace.keras.torch",
}


def port(factory: Callable[[], Any]) -> KerasPort:
    """A model of Keras 3: Functional, Sequential or subclassed."""
    return KerasPort(factory)


def gpu() -> str:
    """The name of the GPU that Keras can compute on here; empty if there is none."""
    return backend(keras.backend.backend()).gpu()


def versions() -> dict[str, str]:
    """The versions of Keras and of what it computes with."""
    name = keras.backend.backend()
    return {"keras": keras.__version__, **backend(name).versions()}


def backend(name: str) -> Backend:
    """The tracer of what Keras computes with.  Raises :class:`UntraceableModel`."""
    if name not in BACKENDS:
        raise UntraceableModel(
            f"Keras computes with {name} here: set KERAS_BACKEND to tensorflow, jax or torch"
        )
    found: Any = import_module(BACKENDS[name])
    return found


class KerasPort:
    """One Keras model, built when it is first traced."""

    framework = "keras"
    trains = True

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = Fresh(factory, whole)
        self.backend = backend(keras.backend.backend())
        self._made: Any = None
        self._lowered: dict[str, str] = {}
        #: A model with its weights whose values have been looked at.
        self._whole: Any = None
        self._size: Size | None = None
        #: The last traces of inference and of training, as long as somebody has them.
        self._traced: WeakValueDictionary[bool, Tape] = WeakValueDictionary()

    def built(self) -> object:
        """What the factory returns, without weights where it allows that."""
        return in_precision(PLAIN, self._build)

    def _build(self) -> Any:
        if self._made is None:
            with self.backend.computing():
                self._made = build(self.factory)
            self._lowered = lowered(self._made)
        return self._made

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        self._size = size
        count = images(training, batch)
        tape = checked(in_precision(PLAIN, partial(self._record, count, size, training)))
        if count == images(training):
            self._traced[training] = tape
        return tape

    def declared(self) -> Size | None:
        """See :class:`conformance.trace.port.Port`."""
        return declared(self.built())

    def resized(self, size: Size, training: bool = False) -> Tape:
        """The same on images of another size than the model declares, if it declares one.

        Where the backend has the operations of an earlier trace, it is these again.
        """
        if training in self._traced and hasattr(self.backend, "resized"):
            tape = self._traced[training]
            shape = shaped(tape[0].shape[0], size, tape[0].attributes["axes"])
            with suppress(UntraceableModel):
                return checked(self.backend.resized(tape, shape))
        record = partial(self._record, images(training), size, training, free=True)
        return checked(in_precision(PLAIN, record))

    def run(self, run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
        """See :class:`conformance.trace.port.Port`; compiled as the backend does it."""
        run = _laid_out(self._typed(run))
        return in_precision(run.how, partial(self.backend.execute, run, wanted, observe))

    def _typed(self, run: Run) -> Run:
        """A run of a tape with its own batch and precision.

        Shapes and types are written into a graph, so this is another graph, built alike.
        """
        batch, *size = run.image.shape
        larger = batch != run.tape[0].shape[0]
        if not larger and not (self.backend.TYPED and run.how.dtype != PLAIN.dtype):
            return run
        alike = in_precision(
            run.how, partial(self._record, batch, tuple(size), run.training, run.how)
        )
        if [o.name for o in alike.operations] != [o.name for o in run.tape.operations]:
            when = "the batch is larger" if larger else f"it is {run.how.precision}"
            kind = UntraceableModel if larger else CannotExecute
            raise kind(f"the model computes otherwise when {when}")
        return replace(run, tape=alike)

    def gradient(self, run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
        """See :class:`conformance.trace.port.Port`."""
        run = _laid_out(run)
        work = partial(self.backend.differentiate, run, cotangents, wanted)
        return in_precision(PLAIN, work)

    def inside(self, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
        """See :class:`conformance.trace.port.Port`."""
        work = partial(self.backend.inside, _laid_out(run), cotangents, wanted)
        return in_precision(PLAIN, work)

    def own(self) -> Own:
        """What the model stores when it is built with its weights, in Keras's own precision."""
        return in_a_thread(self._stored)

    def _stored(self) -> Own:
        with one_line("the model cannot be built with its weights"):
            model = self._whole = self.factory()
            if not getattr(model, "_inputs", None) and self._size:
                height, width, channels = self._size
                first = keras.config.image_data_format() == "channels_first"
                size = (channels, height, width) if first else self._size
                model(np.zeros((1, *size), "float32"), training=False)
            return Own(
                {
                    handle: keras.ops.convert_to_numpy(variable)
                    for handle, variable in by_handle(model.variables).items()
                    if keras.backend.is_float_dtype(variable.dtype)
                }
            )

    def plain(self, values: Mapping[str, np.ndarray], images: np.ndarray) -> list[np.ndarray]:
        """See :class:`conformance.trace.port.Port`."""
        return in_a_thread(partial(self._plain, values, images))

    def _plain(self, values: Mapping[str, np.ndarray], images: np.ndarray) -> list[np.ndarray]:
        # PyTorch moves a parameter to cpu:0, and what has moved is a parameter no longer.
        device = "cpu" if keras.backend.backend() == "torch" else "cpu:0"
        with keras.device(device), one_line("called plainly the model fails"):
            made, self._whole = self._whole, None
            model = self.factory() if made is None else made
            if model is self._made:
                raise CannotExecute(SAME)
            anew = makes(model, images.shape[1:])
            first = layout(model, images.shape[1:], anew) == "NCHW"
            batch = images.transpose(0, 3, 1, 2) if first else images
            batch = keras.ops.convert_to_tensor(np.ascontiguousarray(batch, "float32"))
            given = training_by_default(model)
            if not getattr(model, "_inputs", None):
                model(batch[:1], **given)
            variables = by_handle(model.variables)
            for handle, array in values.items():
                variables[handle].assign(array)
            with undeclared(model) if anew else nullcontext():
                found = keras.tree.flatten(model(batch, **given))
            results = [keras.ops.convert_to_numpy(each) for each in found]
            return [r.transpose(0, 2, 3, 1) if first and r.ndim == 4 else r for r in results]

    def _record(
        self, batch: int, size: Size, training: bool, how: Execution = PLAIN,
        free: bool = False,
    ) -> Tape:  # fmt: skip
        height, width, channels = size
        called = f"the model cannot be called on an image of {height}x{width}x{channels}"
        with self.backend.computing(how):
            # Operations without weights keep the precision that they were built in.
            model = self._build() if how.dtype == PLAIN.dtype else build(self.factory)
            if not isinstance(model, keras.Layer):
                raise UntraceableModel(
                    f"the factory returns {type(model).__name__}, not a Keras 3 model"
                )
            anew = makes(model, size)
            free = free or anew
            axes = layout(model, size, free)
            shape = shaped(batch, size, axes)
            sizes = partial(undeclared, model) if free else nullcontext
            with sizes(), one_line(called):
                prepare(model, shape, how.dtype)
            variables = by_handle(model.variables)
            replaced: list[str] = []

            def function(image: Any, *arrays: Any) -> Any:
                scope = keras.StatelessScope(initialize_variables=False)
                scope.state_mapping.update(zip(map(id, variables.values()), arrays, strict=True))
                with scope, sizes(), prepared(model, channels), one_line(called):
                    result = model(image, training=training)
                given = dict(zip(variables, arrays, strict=True))
                current = {h: scope.get_current_value(v) for h, v in variables.items()}
                # The state of a random stream is replaced as well, and is integers.
                floats = {h for h, v in variables.items() if keras.backend.is_float_dtype(v.dtype)}
                replaced[:] = [h for h in current if h in floats and current[h] is not given[h]]
                return result, [current[handle] for handle in replaced]

            parameters = {
                handle: (tuple(v.shape), in_type(how.dtype, v.dtype))
                for handle, v in variables.items()
            }
            modules = frozenset(layer.name for layer in model._flatten_layers())
            call = Call(function, shape, axes, parameters, modules, model.name)
            tape = self.backend.record(call, how)
            kept = len(tape.outputs) - len(replaced)
            tape.updates = dict(zip(replaced, tape.outputs[kept:], strict=True))
            tape.outputs = tape.outputs[:kept]
            tape.frozen = frozen(variables, model)
            tape.noted = [*noted(model), *([resized(model)] if anew else [])]
            constants = adapted_to(model)
            tape.stored = {
                handle: tuple(v.shape)
                for handle, v in variables.items()
                if keras.backend.is_float_dtype(v.dtype) and id(v) not in constants
            }
            for value, operation in enumerate(tape.operations):
                inner = operation.where.path.rpartition("/")[2]
                if inner in self._lowered:
                    tape.lowered[value] = self._lowered[inner]
            return tape


def _laid_out(run: Run) -> Run:
    """A run with the image in the tape's own layout."""
    if run.tape[0].attributes["axes"] == "NHWC":
        return run
    return replace(run, image=run.image.transpose(0, 3, 1, 2))
