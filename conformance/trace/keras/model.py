"""A Keras model without weights: built, laid out, and every layer in one precision."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from textwrap import shorten
from typing import Any

import keras

from conformance.printable import message
from conformance.trace.keras.images import augments, resizing
from conformance.trace.keras.thread import in_a_thread
from conformance.trace.places import raised_at, refusing
from conformance.trace.port import Size, UntraceableModel


def build(factory: Callable[[], Any]) -> Any:
    """The factory's model, without weights when it allows that."""

    def stateless() -> Any:
        with keras.StatelessScope(initialize_variables=False):
            return factory()

    try:
        return in_a_thread(stateless)
    except UntraceableModel:
        raise
    except Exception:  # such as one that compiles, loads weights, or makes a variable of an array
        with one_line("the model cannot be built"):
            return in_a_thread(factory)  # where made-up names count from one again


def whole(model: Any) -> bool:
    """Whether a model has all of its numbers."""
    return isinstance(model, keras.Layer) and all(v._value is not None for v in model.variables)


def frozen(variables: Mapping[str, Any], model: Any) -> frozenset[str]:
    """The weights of a layer that are set not to be trained."""
    meant = {id(v) for layer in model._flatten_layers() for v in layer._trainable_variables}
    return frozenset(h for h, v in variables.items() if id(v) in meant and not v.trainable)


def layout(model: Any, size: Size, free: bool = False) -> str:
    """Where the model wants its channels; ``free`` of the height and the width that it declares."""
    height, width, channels = size
    inputs = getattr(model, "inputs", None)  # a Sequential model has some once it is built
    if not inputs:
        return "NCHW" if keras.config.image_data_format() == "channels_first" else "NHWC"
    if len(inputs) != 1:
        raise UntraceableModel(f"the model has {len(inputs)} inputs; one image is expected")
    wanted = inputs[0].shape[1:]
    for axes, shape in (("NHWC", size), ("NCHW", (channels, height, width))):
        if len(wanted) == 3 and all(
            w in (None, n) or (free and letter != "C")
            for letter, w, n in zip(axes[1:], wanted, shape, strict=True)
        ):
            return axes
    takes = "x".join("any" if n is None else str(n) for n in wanted)
    raise UntraceableModel(f"the model takes {takes}, not {height}x{width}x{channels}")


def shaped(batch: int, size: Size, axes: str) -> tuple[int, ...]:
    """The shape of a batch of images of a size, in a layout."""
    height, width, channels = size
    return (batch, *size) if axes == "NHWC" else (batch, channels, height, width)


def declared(model: Any) -> Size | None:
    """Height, width and channels of the images that the model declares, if it declares all, or
    that it makes of them before anything else."""
    if (size := itself(model)) and (made := resizing(model)):
        return (made.height, made.width, size[2])
    return size


def itself(model: Any) -> Size | None:
    """The size of the images that the model is given."""
    shapes = [each.shape[1:] for each in getattr(model, "inputs", None) or ()]
    if len(shapes) != 1 or len(shapes[0]) != 3 or None in shapes[0]:
        return None
    first, second, last = shapes[0]
    # Images have fewer channels than rows and columns.
    return (second, last, first) if first < min(second, last) else (first, second, last)


def makes(model: Any, size: tuple[int, ...]) -> bool:
    """Whether the model makes its images as large as these, which it is not given."""
    given, made = itself(model), resizing(model)
    if made is None or given is None or (made.height, made.width) != size[:2]:
        return False
    return given[:2] != size[:2]


@contextmanager
def undeclared(model: Any) -> Iterator[None]:
    """Let a model take images of any size that its layers take, and not only those it declares."""
    models = [each for each in model._flatten_layers() if isinstance(each, keras.Model)]
    inside = (getattr(each, "_functional", None) for each in models)  # what a Sequential calls
    models += [each for each in inside if each is not None]
    before = [vars(each).get("_manual_input_spec", each) for each in models]
    try:
        for each in models:
            each._manual_input_spec = None
        yield
    finally:
        for each, spec in zip(models, before, strict=True):
            if spec is each:  # it follows from its inputs
                del each._manual_input_spec
            else:
                each._manual_input_spec = spec


def training_by_default(model: Any) -> dict[str, bool]:
    """What users pass in inference: nothing, unless the model, or a layer that augments images,
    trains by default."""
    calls = [model.call] + [each.call for each in model._flatten_layers() if augments(each)]
    switches = [inspect.signature(call).parameters.get("training") for call in calls]
    trains = any(switch is not None and switch.default is True for switch in switches)
    return {"training": False} if trains else {}


def lowered(model: Any) -> dict[str, str]:
    """The layers that compute in less than float32, by name, and in what."""
    layers = model._flatten_layers() if isinstance(model, keras.Layer) else ()
    found = {layer.name: str(layer.compute_dtype) for layer in layers}
    return {name: dtype for name, dtype in found.items() if dtype in ("float16", "bfloat16")}


def prepare(model: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Make every variable known, without a value, and every layer compute in one precision."""
    _compute_in(dtype, model)
    if not getattr(model, "_inputs", None):
        with keras.StatelessScope(initialize_variables=False):
            model(keras.KerasTensor(shape, dtype), training=False)
        _compute_in(dtype, model)


def _compute_in(dtype: str, model: Any) -> None:
    for layer in model._flatten_layers():
        if layer.compute_dtype != in_type(dtype, layer.compute_dtype):
            layer.dtype_policy = dtype


def in_type(precision: str, dtype: str) -> str:
    """A precision in the place of a type of numbers with a fraction; another type as it is."""
    return precision if keras.backend.is_float_dtype(dtype) else dtype


def by_handle(variables: Sequence[Any]) -> dict[str, Any]:
    """Each variable under its path, numbered where two layers share a name."""
    handles: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for variable in variables:
        seen[variable.path] += 1
        number = f"#{seen[variable.path]}" if seen[variable.path] > 1 else ""
        handles[variable.path + number] = variable
    return handles


def _reason(error: BaseException) -> str:
    """Keras repeats the arguments after the reason."""
    said = shorten(message(error).partition("Arguments received")[0], 300) or type(error).__name__
    place = raised_at(error)
    return f"{said} ({place})" if place else said


#: Say in one line what Keras cannot do and why.
one_line = partial(refusing, words=_reason)
