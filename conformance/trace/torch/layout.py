"""The aten operators that move numbers and compute none; see :mod:`.operators`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from torch import Tensor

from conformance.trace.tape import Tape
from conformance.trace.torch.hollow import Hollow

if TYPE_CHECKING:
    from conformance.trace.torch.recorder import Recorder, Value

Translation = Callable[..., "int | list[Value] | None"]


def shaped(function: Callable[..., int]) -> Translation:
    """An operator of one tensor, by a function of the tape, its value and the result's shape."""
    return lambda recorder, outputs, x, *_, **__: function(
        recorder.tape, recorder.of(x), outputs[0].shape
    )


def of_one(function: Callable[..., int | None]) -> Translation:
    """An operator of one tensor, by a function of the tape, its value and the other arguments."""
    return lambda recorder, outputs, x, *rest: function(recorder.tape, recorder.of(x), *rest)


def of_several(function: Callable[..., int]) -> Translation:
    """An operator of a list of tensors."""
    return lambda recorder, outputs, xs, axis=0: function(
        recorder.tape, [recorder.of(x) for x in xs], axis
    )


def transpose(tape: Tape, x: int, a: int, b: int) -> int:
    """Two axes exchanged."""
    order = list(range(len(tape[x].shape)))
    order[a], order[b] = order[b], order[a]
    return tape.transpose(x, order)


def overwrite(recorder: Recorder, outputs: list[Tensor], x: Tensor, new: Any = 0.0, *_: Any) -> int:
    """Another tensor's numbers, or one number, in the place of a tensor's own."""
    return recorder.tape.broadcast(recorder.of(new), x.shape)


def replication_pad(tape: Tape, x: int, pad: Sequence[int]) -> int | None:
    """The outermost cells repeated."""
    return None if min(pad) < 0 else tape.pad(x, _pairs(pad), "edge")


def part(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: int = 0,
    start: int | None = None, stop: int | None = None, step: int = 1,
) -> int:  # fmt: skip
    """A slice of one axis."""
    indices = range(x.shape[dim])[start:stop:step]
    return recorder.tape.part(recorder.of(x), dim % x.ndim, indices)


def split(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, sizes: int | list[int], dim: int = 0
) -> list[Value]:
    """The parts of one axis, each written down only if it is read."""
    axis, tape = dim % x.ndim, recorder.tape
    ends = [0, *accumulate(output.shape[axis] for output in outputs)]
    spans = [range(start, end) for start, end in zip(ends, ends[1:], strict=False)]
    return [partial(_later, recorder, x, tape.part, axis, span) for span in spans]


def unbind(recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: int = 0) -> list[Value]:
    """Every index of one axis, each written down only if it is read."""
    axis, tape = dim % x.ndim, recorder.tape
    return [partial(_later, recorder, x, tape.row, axis, i) for i in range(len(outputs))]


def _later(recorder: Recorder, x: Tensor, write: Callable[..., int], *rest: Any) -> int:
    return write(recorder.of(x), *rest)


def index(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, indices: Sequence[Tensor | None]
) -> int | None:
    """The places of one axis that a list of indices selects."""
    given = [(axis, places) for axis, places in enumerate(indices) if places is not None]
    return index_select(recorder, outputs, x, *given[0]) if len(given) == 1 else None


def index_select(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: int, places: Tensor
) -> int | None:
    """The places of one axis that are listed, where they are known."""
    if places.ndim != 1 or isinstance(places, Hollow):
        return None
    axis = dim % x.ndim
    chosen = tuple(place % x.shape[axis] for place in places.tolist())
    return recorder.tape.take(recorder.of(x), axis, chosen)


def strided(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, size: Sequence[int],
    stride: Sequence[int], offset: int | None = None,
) -> int | None:  # fmt: skip
    """The same numbers in the same places, as an average in the other layout has its pixel."""
    steps = zip(size, stride, x.stride(), strict=False)
    same = tuple(size) == tuple(x.shape) and offset in (None, x.storage_offset())
    return recorder.of(x) if same and all(n == 1 or s == t for n, s, t in steps) else None


def _pairs(pad: Sequence[int]) -> list[tuple[int, int]]:
    """PyTorch lists the last axis first."""
    return list(zip(pad[-2::-2], pad[-1::-2], strict=True))


LAYOUTS: dict[str, Translation] = {
    "view _unsafe_view _reshape_alias unsqueeze squeeze": shaped(Tape.reshape),
    "permute": of_one(Tape.transpose),
    "t": of_one(lambda tape, x: tape.transpose(x, range(len(tape[x].shape))[::-1])),
    "transpose": of_one(transpose),
    "expand": shaped(Tape.broadcast),
    "copy fill zero": overwrite,
    "flip": of_one(Tape.reverse),
    "cat": of_several(Tape.concat),
    "stack": of_several(Tape.stack),
    "slice": part,
    "select": of_one(lambda tape, x, dim, i: tape.row(x, dim % len(tape[x].shape), i)),
    "split split_with_sizes": split,
    "as_strided": strided,
    "unbind": unbind,
    "index": index,
    "index_select": index_select,
    "constant_pad_nd": of_one(lambda tape, x, pad, value=0: tape.pad(x, _pairs(pad), float(value))),
    "replication_pad1d replication_pad2d replication_pad3d": of_one(replication_pad),
}
