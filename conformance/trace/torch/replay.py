"""A run: the same traversal with real tensors, checked line by line against the tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from conformance.graph.model import Where
from conformance.trace.evaluation import evaluate
from conformance.trace.port import Inside, Observer, Retraced, Run, UntraceableModel
from conformance.trace.torch.execution import as_array
from conformance.trace.torch.recorder import Recorder, laid


class Replay(Recorder):
    """A recorder on real tensors that hands out what is wanted."""

    def __init__(
        self,
        module: nn.Module,
        state: Mapping[str, Tensor],
        run: Run,
        wanted: frozenset[int],
        observe: Observer,
    ) -> None:
        super().__init__(module, state, Retraced(run.tape))
        self._draws = run.draws
        self.wanted = set(wanted)
        self._observe = observe
        self._before = torch.empty(0)
        #: What is stored, as far as it has been read.
        self._stored: dict[int, Tensor] = {}

    def finish(self, name: str) -> None:
        """Raises :class:`UntraceableModel` where something wanted was never computed."""
        if self.wanted:
            raise UntraceableModel(
                f"{name}: the run did not produce values {sorted(self.wanted)} of the tape; a model"
                " to be compared must compute the same steps every time"
            )

    def _noise(self, made: Tensor, share: float | Tensor | None) -> int:
        if (draw := self._draws.get(len(self.tape))) is not None:
            made.copy_(torch.as_tensor(draw if share is None else draw < share))
        return super()._noise(made, share)

    def _execute(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func._schema.is_mutable:
            self._before = kwargs.get("out", args[0]).clone()
        return laid(func, func(*args, **kwargs))

    def _first_seen(self, x: Tensor) -> int:
        value = super()._first_seen(x)
        self._stored[value] = x
        return value

    def _made(self, value: int, x: Tensor) -> None:
        if value in self.wanted:
            self._show(value, as_array(x))

    def _passed(self, lines: range, operands: list[tuple[int, Tensor]], result: Any) -> None:
        for value in sorted(self.wanted.intersection(lines)):
            known = {i: as_array(x) for i, x in self._stored.items()}
            known |= {i: as_array(self._before if x is result else x) for i, x in operands}
            try:
                array = evaluate(self.tape, value, known)
            except KeyError:  # a convolution without its bias, say
                continue
            self._show(value, array)

    def _show(self, value: int, array: np.ndarray) -> None:
        self.wanted.discard(value)
        try:
            self._observe(value, array)
        except Exception as error:
            self.interrupted = error  # raised by the observer, not by the model
            raise


class Watch(Replay):
    """A replay that sees what comes back to the values that are wanted, before any hook of theirs.

    An operator's result is part of the way back only when the operator is over, and a hook of its
    own may be hung on it at once: so each is watched before anything else is done.
    """

    def __init__(
        self, module: nn.Module, state: Mapping[str, Tensor], run: Run, wanted: frozenset[int]
    ) -> None:
        super().__init__(module, state, run, wanted, lambda value, array: None)
        self.gradients: Inside = {}
        self._waiting: list[tuple[int, Tensor]] = []
        #: What has made the tensors that were written over, and where that was.
        self._written: list[tuple[Any, Where]] = []

    def hang(self) -> None:
        """Watch what has become part of the way back since the last call."""
        waiting, self._waiting = self._waiting, []
        for value, x in waiting:
            if self._known.get(x) != (x._version, value):
                continue  # it has been written over
            if x.requires_grad:
                x.register_hook(partial(self._came, value))
            else:
                self._waiting.append((value, x))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.hang()
        if func._schema.is_mutable and args and args[0].grad_fn is not None:
            self._written.append((args[0].grad_fn, self.place()))
        return super().__torch_dispatch__(func, types, args, kwargs)

    def overwritten(self, outputs: Sequence[Tensor], back: Callable[[], Any]) -> Where | None:
        """Where something was written over that the way back needs; None if nothing was."""
        steps: list[Any] = []
        seen: set[Any] = set()
        stack = [output.grad_fn for output in outputs]
        while stack:
            if (step := stack.pop()) is not None and step not in seen:
                seen.add(step)
                step.register_prehook(partial(_note, steps, step))
                stack += [before for before, _ in step.next_functions]
        with suppress(RuntimeError):
            back()
        near = [steps[-1], *(before for before, _ in steps[-1].next_functions)] if steps else []
        places = [place for made, place in self._written if made in near]
        return places[-1] if places else None

    def _came(self, value: int, gradient: Tensor) -> None:
        self.gradients.setdefault(value, []).append(as_array(gradient).copy())

    def _made(self, value: int, x: Tensor) -> None:
        if value in self.wanted:
            self._waiting.append((value, x))

    def _passed(self, lines: range, operands: list[tuple[int, Tensor]], result: Any) -> None:
        """What has no tensor has no gradient."""


def _note(steps: list[Any], step: Any, gradients: Any) -> None:
    steps.append(step)


class Before(TorchFunctionMode):
    """Has a :class:`Watch` hang its hooks before each function of PyTorch, such as for a hook."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._watch.hang()
        return func(*args, **(kwargs or {}))
