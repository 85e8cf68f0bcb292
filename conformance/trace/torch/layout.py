"""The aten operators that move numbers and compute none; see :mod:`.operators`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from torch import Tensor

from conformance.trace.torch.hollow import Hollow

if TYPE_CHECKING:
    from conformance.trace.torch.recorder import Recorder, Value


def reshape(recorder: Recorder, outputs: list[Tensor], x: Tensor, *_: Any, **__: Any) -> int:
    """Another shape, axes of length 1 come or gone included."""
    return recorder.tape.reshape(recorder.of(x), outputs[0].shape)


def permute(recorder: Recorder, outputs: list[Tensor], x: Tensor, dims: Sequence[int]) -> int:
    """The axes in another order."""
    return recorder.tape.transpose(recorder.of(x), dims)


def matrix_transpose(recorder: Recorder, outputs: list[Tensor], x: Tensor) -> int:
    """All axes in the opposite order."""
    return permute(recorder, outputs, x, range(x.ndim)[::-1])


def transpose(recorder: Recorder, outputs: list[Tensor], x: Tensor, a: int, b: int) -> int:
    """Two axes exchanged."""
    dims = list(range(x.ndim))
    dims[a], dims[b] = dims[b], dims[a]
    return permute(recorder, outputs, x, dims)


def expand(recorder: Recorder, outputs: list[Tensor], x: Tensor, *_: Any, **__: Any) -> int:
    """Repeated along axes of length 1, or new ones."""
    return recorder.tape.broadcast(recorder.of(x), outputs[0].shape)


def copy(recorder: Recorder, outputs: list[Tensor], x: Tensor, source: Tensor, *_: Any) -> int:
    """Another tensor's numbers in the place of a tensor's own."""
    return recorder.tape.broadcast(recorder.of(source), x.shape)


def fill(recorder: Recorder, outputs: list[Tensor], x: Tensor, number: Any) -> int:
    """One number everywhere."""
    return recorder.tape.broadcast(recorder.of(number), x.shape)


def zero(recorder: Recorder, outputs: list[Tensor], x: Tensor) -> int:
    """Zero everywhere."""
    return fill(recorder, outputs, x, 0.0)


def flip(recorder: Recorder, outputs: list[Tensor], x: Tensor, dims: Sequence[int]) -> int:
    """Some axes backwards."""
    return recorder.tape.reverse(recorder.of(x), dims)


def cat(recorder: Recorder, outputs: list[Tensor], xs: Sequence[Tensor], dim: int = 0) -> int:
    """Tensors one after the other."""
    return recorder.tape.concat([recorder.of(x) for x in xs], dim)


def stack(recorder: Recorder, outputs: list[Tensor], xs: Sequence[Tensor], dim: int = 0) -> int:
    """Tensors one after the other along a new axis."""
    return recorder.tape.stack([recorder.of(x) for x in xs], dim)


def part(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: int = 0,
    start: int | None = None, stop: int | None = None, step: int = 1,
) -> int:  # fmt: skip
    """A slice of one axis."""
    indices = range(x.shape[dim])[start:stop:step]
    return recorder.tape.part(recorder.of(x), dim % x.ndim, indices)


def select(recorder: Recorder, outputs: list[Tensor], x: Tensor, dim: int, index: int) -> int:
    """What one index selects on one axis."""
    return recorder.tape.row(recorder.of(x), dim % x.ndim, index)


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


def constant_pad(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, pad: Sequence[int], value: float = 0
) -> int:
    """Cells of one number around the last axes, or a crop."""
    return recorder.tape.pad(recorder.of(x), _pairs(pad), float(value))


def replication_pad(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, pad: Sequence[int]
) -> int | None:
    """The outermost cells repeated."""
    return None if min(pad) < 0 else recorder.tape.pad(recorder.of(x), _pairs(pad), "edge")


def _pairs(pad: Sequence[int]) -> list[tuple[int, int]]:
    """PyTorch lists the last axis first."""
    return list(zip(pad[-2::-2], pad[-1::-2], strict=True))


LAYOUTS: dict[str, Callable[..., int | list[Value] | None]] = {
    "view _unsafe_view reshape _reshape_alias unsqueeze squeeze flatten unflatten": reshape,
    "permute": permute,
    "t": matrix_transpose,
    "transpose": transpose,
    "expand": expand,
    "copy": copy,
    "fill": fill,
    "zero": zero,
    "flip": flip,
    "cat": cat,
    "stack": stack,
    "slice": part,
    "select": select,
    "split split_with_sizes": split,
    "unbind": unbind,
    "index": index,
    "index_select": index_select,
    "constant_pad_nd": constant_pad,
    "replication_pad1d replication_pad2d replication_pad3d": replication_pad,
}
