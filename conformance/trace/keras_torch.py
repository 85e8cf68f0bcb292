"""Keras on PyTorch: a model is called on hollow tensors, and PyTorch's own recorder looks on.

A run is the same call with real tensors, checked line by line against the tape.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import keras
import numpy as np
import torch
from keras.src.backend.common import global_state
from keras.src.backend.torch import nn as convolutions
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from conformance.graph.model import Where
from conformance.trace import torch as aten
from conformance.trace import torch_execution
from conformance.trace.port import (
    NO_DRAWS,
    PLAIN,
    CannotExecute,
    Execution,
    UntraceableModel,
    drawn,
)
from conformance.trace.tape import Tape
from conformance.trace.torch_execution import as_array

versions = aten.versions

#: Whether what was recorded computes in one precision only.
TYPED = True

#: Where nothing is a port's own source.
_LIBRARIES = (aten.TORCH, *(str(Path(file).parent) for file in (keras.__file__, __file__)))


def gpu() -> str:
    """Keras moves tensors by itself where PyTorch sees a GPU, so it is not given one."""
    return ""


@contextmanager
def computing(how: Execution = PLAIN) -> Iterator[None]:
    """The execution's precision and device, and convolutions that have a gradient in float64.

    PyTorch's own in float64 has none by a kernel whose memory has the channels last, which
    Keras prefers; the order of memory is no part of a result.
    """
    if how.device == "gpu":
        raise CannotExecute("Keras on PyTorch is run on the CPU only: set KERAS_BACKEND=jax")
    with (
        torch.no_grad(),
        torch_execution.computing(how),
        mock.patch.object(convolutions, "_maybe_convert_to_channels_last", lambda tensor: tensor),
    ):
        yield


class CallTape(Tape):
    """A tape that remembers the call it was recorded from, to make it once more."""

    call: Callable[..., Any]
    parameters: Mapping[str, tuple[tuple[int, ...], str]]
    names: tuple[frozenset[str], str]

    def arrays(self, known: Mapping[str, Tensor]) -> list[Tensor]:
        """What the call takes after the image; a random stream's state is zeros."""
        return [
            known[handle]
            if handle in known
            else torch.zeros(shape, dtype=getattr(torch, dtype.replace("uint32", "int64")))
            for handle, (shape, dtype) in self.parameters.items()
        ]


class InKeras(aten.Recorder):
    """A recorder that asks Keras where it is."""

    names: tuple[frozenset[str], str]

    def place(self) -> Where:
        """The layers whose calls are under way, and the line outside the libraries."""
        modules, root = self.names
        scopes = global_state.get_global_attribute("name_scope_stack") or ()
        path = [scope.name for scope in scopes if scope.name in modules]
        return Where("/".join(path[1:] if path[:1] == [root] else path), _line())


class Replay(InKeras, aten.Replay):
    """Makes a call again, with numbers."""


def record(
    call: Callable[..., Any],
    image: tuple[int, ...],
    axes: str,
    parameters: Mapping[str, tuple[tuple[int, ...], str]],
    modules: frozenset[str],
    root: str,
    how: Execution = PLAIN,
) -> CallTape:
    """Write down what ``call(image, *parameters)`` computes, from shapes and types alone.

    ``modules`` are the names of the model's layers, the only scopes that are part of a path;
    ``root`` is the name of the model itself, which is not.
    """
    tape = CallTape()
    tape.call, tape.parameters, tape.names = call, parameters, (modules, root)
    state = {
        handle: _hollow(shape)
        for handle, (shape, dtype) in parameters.items()
        if getattr(torch, dtype, torch.uint8).is_floating_point
    }
    recorder = InKeras(nn.Module(), state)
    recorder.tape = tape
    _follow(recorder, tape, axes, _hollow(image), state, how)
    return tape


def execute(
    tape: CallTape,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    wanted: frozenset[int],
    observe: Callable[[int, np.ndarray], None],
    draws: Mapping[int, float] = NO_DRAWS,
    how: Execution = PLAIN,
) -> dict[str, np.ndarray]:
    """Make the recorded call on numbers, and hand over what is wanted as it goes.

    Returned is what a training step replaces, by handle.
    """
    if how.compiled:
        raise CannotExecute("Keras on PyTorch is run step by step only")
    with computing(how):
        state, picture = _filled(tape, values), _tensor(image)
    replay = Replay(nn.Module(), state, tape, wanted, observe, draws)
    results = _follow(replay, tape, tape[0].attributes["axes"], picture, state, how)
    if replay.wanted:
        raise UntraceableModel(
            f"the run did not produce values {sorted(replay.wanted)} of the tape; a model to be"
            " compared must compute the same steps every time"
        )
    kept = len(results) - len(tape.updates)
    return {h: as_array(x) for h, x in zip(tape.updates, results[kept:], strict=True)}


def differentiate(
    tape: CallTape,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    cotangents: Sequence[np.ndarray],
    wanted: frozenset[str],
    observe: Callable[[str | None, np.ndarray], None],
    draws: Mapping[int, float] = NO_DRAWS,
) -> None:
    """Hand out the gradients of the recorded call by PyTorch's own reverse mode."""
    with computing():
        state, picture = _filled(tape, values), _tensor(image)
    handles = sorted(wanted)
    leaves = [picture, *(state[handle] for handle in handles)]
    try:
        with computing(), torch.enable_grad(), aten.Widening(drawn(tape, draws)):
            for leaf in leaves:
                leaf.requires_grad_()
            outputs = tree_leaves(tape.call(picture, *tape.arrays(state)))
            found = aten._pulled(outputs, cotangents, leaves)
    except UntraceableModel:
        raise
    except Exception as error:
        raise UntraceableModel(f"the model has no gradient: {aten._told(error)}") from error
    for handle, leaf, gradient in zip([None, *handles], leaves, found, strict=True):
        known = torch.zeros_like(leaf) if gradient is None else gradient
        observe(handle, known.detach().numpy())


def _follow(
    recorder: aten.Recorder,
    tape: CallTape,
    axes: str,
    image: Tensor,
    state: dict[str, Tensor],
    how: Execution,
) -> list[Tensor]:
    """Make the call under a recorder; what the recorder's observer raises comes out as it is."""
    recorder.names = tape.names
    recorder.begin(image, axes)
    try:
        with computing(how), recorder:
            results = tree_leaves(tape.call(image, *tape.arrays(state)))
    except UntraceableModel as error:
        if recorder.interrupted is not None:
            raise recorder.interrupted from None
        raise error
    outputs = tuple(recorder.of(result) for result in results)
    recorder.tape.outputs = outputs
    return results


def _hollow(shape: tuple[int, ...]) -> Tensor:
    """Nothing, in the type that numbers have without one."""
    return aten.Hollow(torch.empty(shape, device="meta"))


def _tensor(array: np.ndarray) -> Tensor:
    """An array in the type that numbers have without one."""
    return torch.from_numpy(np.require(array, np.float64, ["C", "W"])).to(torch.get_default_dtype())


def _filled(tape: CallTape, values: Callable[[str], np.ndarray]) -> dict[str, Tensor]:
    """Numbers for all that the tape reads; the rest has none."""
    state = {
        handle: _hollow(shape)
        for handle, (shape, dtype) in tape.parameters.items()
        if getattr(torch, dtype, torch.uint8).is_floating_point
    }
    for operation in tape.operations:
        if operation.name == "parameter":
            handle = operation.attributes["handle"]
            array = _tensor(values(handle))
            if tuple(array.shape) != operation.shape:
                raise ValueError(f"{handle} is {operation.shape}, given {tuple(array.shape)}")
            state[handle] = array
    return state


def _line() -> str:
    """The line outside the libraries that is being executed, as ``folder/file.py:41``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _follow.__code__:
        file = frame.f_code.co_filename
        if not file.startswith(_LIBRARIES):
            return aten._short(file, frame.f_lineno)
        frame = frame.f_back
    return ""
