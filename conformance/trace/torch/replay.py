"""A run: the same traversal with real tensors, checked line by line against the tape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conformance.trace.evaluation import evaluate
from conformance.trace.port import Observer, Run, UntraceableModel
from conformance.trace.tape import Operation, Tape
from conformance.trace.torch.execution import as_array
from conformance.trace.torch.recorder import Recorder


class Followed(Tape):
    """A tape on which each line has to be what another tape, of fewer images, has in its place."""

    def __init__(self, traced: Tape) -> None:
        super().__init__()
        self._traced = traced

    def _append(self, operation: Operation) -> int:
        index = super()._append(operation)
        here, there = operation, Operation("nothing", (), ())
        if index < len(self._traced):
            there = self._traced[index]
        more = self[0].shape[0] // self._traced[0].shape[0]
        if (here.name, len(here.shape)) != (there.name, len(there.shape)) or any(
            now not in (then, then * more)
            for now, then in zip(here.shape, there.shape, strict=True)
        ):
            raise UntraceableModel(
                f"line {index} of the tape was {there.name} {there.shape} and is now {here.name}"
                f" {here.shape} in {here.where}; a model to be compared must compute the same"
                " steps every time"
            )
        return index


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
        super().__init__(module, state, Followed(run.tape))
        self._draws = run.draws
        self.wanted = set(wanted)
        self._observe = observe
        self._before = torch.empty(0)

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
            self._before = args[0].clone()
        return func(*args, **kwargs)

    def _made(self, value: int, x: Tensor) -> None:
        if value in self.wanted:
            self._show(value, as_array(x))

    def _passed(self, lines: range, operands: list[tuple[int, Tensor]], result: Any) -> None:
        for value in sorted(self.wanted.intersection(lines)):
            known = {i: as_array(self._before if x is result else x) for i, x in operands}
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
            self.interrupted = error  # the observer's own affair, not the model's
            raise
