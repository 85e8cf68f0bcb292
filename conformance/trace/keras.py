"""Keras models on the tape, whichever backend Keras computes with here.

The backend's own tracer reads the computation; this module builds the model without weights,
says which placeholder stands for which variable, and gives everything one precision.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from textwrap import shorten
from typing import Any
from unittest import mock

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras.src.backend.common import dtypes  # noqa: E402

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

#: Calls inside one another, and bytes of stack for them, that suffice for thousands of layers.
DEPTH, STACK = 100_000, 1 << 29


def port(factory: Callable[[], Any]) -> KerasPort:
    """A model of Keras 3: Functional, Sequential or subclassed."""
    return KerasPort(factory)


def gpu() -> str:
    """The name of the GPU that Keras can compute on here; empty if there is none."""
    found: str = _tracer(keras.backend.backend()).gpu()
    return found


def versions() -> dict[str, str]:
    """The versions of Keras and of what it computes with."""
    backend = keras.backend.backend()
    return {"keras": keras.__version__, **_tracer(backend).versions()}


class KerasPort:
    """One Keras model, built when it is first traced."""

    framework = "keras"
    trains = True

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory
        self.tracer = _tracer(keras.backend.backend())
        self.model: Any = None
        self.size: Size | None = None

    def trace(self, size: Size, training: bool = False) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        self.size = size
        return _apart(PLAIN, self._record, 2 if training else 1, size, training)

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
        """See :class:`conformance.trace.port.Port`; compiled as the backend does it."""
        batch, *size = image.shape
        larger = batch != tape[0].shape[0]
        other = self.tracer.TYPED and how.dtype != PLAIN.dtype
        if larger or other:
            # Shapes and types are written into a graph, so this is another graph, built alike.
            alike = _apart(how, self._record, batch, tuple(size), training, how)
            if [o.name for o in alike.operations] != [o.name for o in tape.operations]:
                when = "the batch is larger" if larger else f"it is {how.precision}"
                kind = UntraceableModel if larger else CannotExecute
                raise kind(f"the model computes otherwise when {when}")
            tape = alike
        if tape[0].attributes["axes"] == "NCHW":
            image = image.transpose(0, 3, 1, 2)
        replaced: dict[str, np.ndarray] = _apart(
            how, self.tracer.execute, tape, values, image, wanted, observe, draws, how
        )
        return replaced

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
        if tape[0].attributes["axes"] == "NCHW":
            image = image.transpose(0, 3, 1, 2)
        _apart(
            PLAIN, self.tracer.differentiate,
            tape, values, image, cotangents, wanted, observe, draws,
        )  # fmt: skip

    def own(self) -> Own:
        """What the model stores when it is built with its weights, in Keras's own precision."""
        return _in_a_thread(self._stored)

    def _stored(self) -> Own:
        with _one_line("the model cannot be built with its weights"):
            model = self.factory()
            if not getattr(model, "_inputs", None) and self.size:
                height, width, channels = self.size
                first = keras.config.image_data_format() == "channels_first"
                size = (channels, height, width) if first else self.size
                model(np.zeros((1, *size), "float32"), training=False)
            return Own(
                {
                    handle: keras.ops.convert_to_numpy(variable)
                    for handle, variable in _by_handle(model.variables).items()
                    if keras.backend.is_float_dtype(variable.dtype)
                }
            )

    def _record(self, batch: int, size: Size, training: bool, how: Execution = PLAIN) -> Tape:
        height, width, channels = size
        called = f"the model cannot be called on an image of {height}x{width}x{channels}"
        with self.tracer.computing(how):
            if self.model is None:
                self.model = _build(self.factory)
            # Operations without weights keep the precision that they were built in.
            model = self.model if how.dtype == PLAIN.dtype else _build(self.factory)
            axes = _layout(model, size)
            shape = (batch, *size) if axes == "NHWC" else (batch, channels, height, width)
            with _one_line(called):
                _prepare(model, shape, how.dtype)
            variables = _by_handle(model.variables)
            replaced: list[str] = []

            def call(image: Any, *arrays: Any) -> Any:
                scope = keras.StatelessScope(initialize_variables=False)
                scope.state_mapping.update(zip(map(id, variables.values()), arrays, strict=True))
                with scope, _one_line(called):
                    result = model(image, training=training)
                given = dict(zip(variables, arrays, strict=True))
                current = {h: scope.get_current_value(v) for h, v in variables.items()}
                # The state of a random stream is replaced as well, and is integers.
                floats = {h for h, v in variables.items() if keras.backend.is_float_dtype(v.dtype)}
                replaced[:] = [h for h in current if h in floats and current[h] is not given[h]]
                return result, [current[handle] for handle in replaced]

            tape: Tape = self.tracer.record(
                call,
                shape,
                axes,
                {
                    handle: (tuple(v.shape), _in(how.dtype, v.dtype))
                    for handle, v in variables.items()
                },
                frozenset(layer.name for layer in model._flatten_layers()),
                model.name,
                how,
            )
            kept = len(tape.outputs) - len(replaced)
            tape.updates = dict(zip(replaced, tape.outputs[kept:], strict=True))
            tape.outputs = tape.outputs[:kept]
            return tape


def _apart(how: Execution, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do some work of Keras in the precision of an execution, in a thread of its own."""
    # Outside TensorFlow the promotion of types has float32 for its widest.
    widest = mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, float64="float64")
    before = keras.config.floatx()
    keras.config.set_floatx(how.dtype)
    try:
        with widest:
            return _in_a_thread(work, *arguments)
    finally:
        keras.config.set_floatx(before)


def _in_a_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do some work of Keras in a new thread, and with a deep stack.

    Keras keeps made-up names, the policy and unfinished variables for each thread: a new
    thread finds none, so that names count from one in every trace, and leaves none behind
    that would be allocated later.
    """
    before = sys.getrecursionlimit(), threading.stack_size()
    # Keras walks a functional model by recursion, a call or two for each layer of its depth.
    sys.setrecursionlimit(max(before[0], DEPTH))
    threading.stack_size(STACK)
    try:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work, *arguments).result()
    finally:
        sys.setrecursionlimit(before[0])
        threading.stack_size(before[1])


def _tracer(backend: str) -> Any:
    """The module that reads and runs what this backend of Keras computes."""
    name = {"tensorflow": "tensorflow", "jax": "keras_jax", "torch": "keras_torch"}.get(backend)
    if name is None:
        raise UntraceableModel(
            f"Keras computes with {backend} here: set KERAS_BACKEND to tensorflow, jax or torch"
        )
    return importlib.import_module(f"conformance.trace.{name}")


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Say in one line what cannot be done and why."""
    try:
        yield
    except UntraceableModel:
        raise
    except Exception as error:
        # Keras emphasises the reason, and repeats the arguments after it.
        reason = re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received")[0]
        reason = shorten(reason, 300) or type(error).__name__
        raise UntraceableModel(f"{what}: {reason}") from error


def _build(factory: Callable[[], Any]) -> Any:
    """The factory's model, without weights when it allows that."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = factory()
    except Exception:  # such as a factory that loads weights, or makes a variable from an array
        with _one_line("the model cannot be built"):
            model = factory()
    if not isinstance(model, keras.Layer):
        raise UntraceableModel(
            f"the factory returns {type(model).__name__}, not a Keras 3 model (a tf.Module is read"
            " with --framework tensorflow)"
        )
    return model


def _layout(model: Any, size: Size) -> str:
    """Where the model wants its channels."""
    height, width, channels = size
    if not getattr(model, "_inputs", None):
        return "NCHW" if keras.config.image_data_format() == "channels_first" else "NHWC"
    if len(model.inputs) != 1:
        raise UntraceableModel(f"the model has {len(model.inputs)} inputs; one image is expected")
    wanted = model.inputs[0].shape[1:]
    for axes, shape in (("NHWC", size), ("NCHW", (channels, height, width))):
        if len(wanted) == 3 and all(w in (None, n) for w, n in zip(wanted, shape, strict=True)):
            return axes
    takes = "x".join("any" if n is None else str(n) for n in wanted)
    raise UntraceableModel(f"the model takes {takes}, not {height}x{width}x{channels}")


def _prepare(model: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Make every variable known, without a value, and every layer compute in one precision."""
    _compute_in(dtype, model)
    if not getattr(model, "_inputs", None):
        with keras.StatelessScope(initialize_variables=False):
            model(keras.KerasTensor(shape, dtype), training=False)
        _compute_in(dtype, model)


def _compute_in(dtype: str, model: Any) -> None:
    for layer in model._flatten_layers():
        if layer.compute_dtype != _in(dtype, layer.compute_dtype):
            layer.dtype_policy = dtype


def _in(precision: str, dtype: str) -> str:
    """A precision in the place of a type of numbers with a fraction; another type as it is."""
    return precision if keras.backend.is_float_dtype(dtype) else dtype


def _by_handle(variables: Sequence[Any]) -> dict[str, Any]:
    """Each variable under its path, numbered where two layers share a name."""
    handles: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for variable in variables:
        seen[variable.path] += 1
        number = f"#{seen[variable.path]}" if seen[variable.path] > 1 else ""
        handles[variable.path + number] = variable
    return handles
