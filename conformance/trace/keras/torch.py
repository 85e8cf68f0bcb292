"""Keras on PyTorch: a model is called on hollow tensors, and PyTorch's own recorder looks on.

A run is the same call with real tensors, checked line by line against the tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from keras.src.backend.common import global_state
from keras.src.backend.torch import nn as convolutions
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from conformance.graph.model import Where
from conformance.trace.places import calls_the_port, executing, refusing
from conformance.trace.port import (
    PLAIN,
    Arrays,
    Call,
    CannotExecute,
    Execution,
    Gradients,
    Inside,
    NoGradient,
    Observer,
    Run,
    UntraceableModel,
)
from conformance.trace.tape import Tape
from conformance.trace.torch import execution
from conformance.trace.torch.execution import as_array, pulled
from conformance.trace.torch.hollow import Hollow, Widening, filled, hollow, tensor
from conformance.trace.torch.port import versions
from conformance.trace.torch.recorder import Recorder
from conformance.trace.torch.replay import Before, Replay, Watch

__all__ = ["TYPED", "computing", "differentiate", "execute", "gpu", "inside", "record", "versions"]

#: Whether what was recorded computes in one precision only.
TYPED = True


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
        execution.computing(how),
        mock.patch.object(convolutions, "_maybe_convert_to_channels_last", lambda tensor: tensor),
    ):
        yield


class InKeras(Recorder):
    """A recorder that asks Keras where it is."""

    call: Call

    def place(self) -> Where:
        """The layers whose calls are under way, and the line outside the libraries."""
        scopes = global_state.get_global_attribute("name_scope_stack") or ()
        path = [scope.name for scope in scopes if scope.name in self.call.modules]
        path = path[1:] if path[:1] == [self.call.root] else path
        return Where("/".join(path), executing())


class ReplayInKeras(InKeras, Replay):
    """Makes a call again, with numbers."""


class WatchInKeras(InKeras, Watch):
    """Makes a call again, and sees what comes back through it."""


def record(call: Call, how: Execution = PLAIN) -> Tape:
    """What a call computes, from shapes and types alone."""
    state = _hollow_state(call)
    recorder = InKeras(nn.Module(), state)
    _follow(recorder, call, hollow(call.image), state, how)
    recorder.tape.source = call
    return recorder.tape


def execute(run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
    """Make the recorded call on numbers, and hand over what is wanted as it goes."""
    if run.how.compiled:
        raise CannotExecute("Keras on PyTorch is run step by step only")
    with computing(run.how):
        state, picture = filled(_hollow_state(run.tape.source), run), tensor(run.image)
    replay = ReplayInKeras(nn.Module(), state, run, wanted, observe)
    results = _follow(replay, run.tape.source, picture, state, run.how)
    replay.finish("the model")
    kept = len(results) - len(run.tape.updates)
    return {h: as_array(x) for h, x in zip(run.tape.updates, results[kept:], strict=True)}


def differentiate(run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
    """The gradients of the recorded call by PyTorch's own reverse mode."""
    call = run.tape.source
    with computing():
        state, picture = filled(_hollow_state(run.tape.source), run), tensor(run.image)
    leaves: dict[str | None, Tensor] = {None: picture}
    leaves |= {handle: state[handle] for handle in sorted(wanted)}
    with (
        refusing("the model cannot go backward", NoGradient),
        computing(),
        torch.enable_grad(),
        Widening(run.drawn()),
    ):
        for leaf in leaves.values():
            leaf.requires_grad_()
        outputs = tree_leaves(call.function(picture, *_arrays(call, state)))
        return pulled(outputs, cotangents, leaves)


def inside(run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
    """The gradients by the tensors that the recorded call makes."""
    with computing():
        state, picture = filled(_hollow_state(run.tape.source), run), tensor(run.image)
    watch = WatchInKeras(nn.Module(), state, run, wanted)
    for leaf in (picture, *state.values()):
        if not isinstance(leaf, Hollow):
            leaf.requires_grad_()
    with torch.enable_grad(), Before(watch):
        outputs = _follow(watch, run.tape.source, picture, state, run.how, returns=True)
    watch.hang()
    with refusing("the model cannot go backward", NoGradient), Widening(run.drawn()):
        pulled(outputs, cotangents, {})
    return watch.gradients


@calls_the_port
def _follow(
    recorder: InKeras, call: Call, image: Tensor, state: Mapping[str, Tensor], how: Execution,
    returns: bool = False,
) -> list[Tensor]:  # fmt: skip
    """Make the call under a recorder; what the recorder's observer raises comes out as it is."""
    recorder.call = call
    recorder.begin(image, call.axes)
    try:
        with computing(how), torch.set_grad_enabled(returns), recorder:
            results = tree_leaves(call.function(image, *_arrays(call, state)))
    except UntraceableModel as error:
        if recorder.interrupted is not None:
            raise recorder.interrupted from None
        raise error
    recorder.tape.outputs = tuple(recorder.of(result) for result in results)
    return results


def _arrays(call: Call, known: Mapping[str, Tensor]) -> list[Tensor]:
    """What the call takes after the image; a random stream's state is zeros."""
    return [
        known[handle]
        if handle in known
        else torch.zeros(shape, dtype=getattr(torch, dtype.replace("uint32", "int64")))
        for handle, (shape, dtype) in call.parameters.items()
    ]


def _hollow_state(call: Call) -> dict[str, Tensor]:
    """The stored arrays, without values."""
    return {
        handle: hollow(shape)
        for handle, (shape, dtype) in call.parameters.items()
        if getattr(torch, dtype, torch.uint8).is_floating_point
    }
