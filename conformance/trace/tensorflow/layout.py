"""The operations of TensorFlow that move numbers and compute none; see :mod:`.operators`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conformance.trace.tape import Tape

if TYPE_CHECKING:
    from conformance.trace.tensorflow.recorder import Recorder

Translation = Callable[["Recorder", Any], "int | list[int]"]


class Unreadable(Exception):
    """An operation in a mode that the tape does not support."""


def shaped(function: Callable[..., int]) -> Translation:
    """An operation of one tensor, by a function of the tape, its value and the result's shape."""
    return lambda recorder, operation: function(
        recorder.tape, recorder.of(operation.inputs[0]), operation.outputs[0].shape
    )


def by_axes(function: Callable[..., int]) -> Translation:
    """An operation of a tensor and a list of axes, by a function of the tape, value and axes."""
    return lambda recorder, operation: function(
        recorder.tape, recorder.of(operation.inputs[0]), recorder.static(operation.inputs[1])
    )


def concat(recorder: Recorder, operation: Any) -> int:
    """Tensors one after the other."""
    *tensors, axis = operation.inputs
    values = [recorder.of(tensor) for tensor in tensors]
    return recorder.tape.concat(values, int(recorder.static(axis)))


def tile(recorder: Recorder, operation: Any) -> int:
    """Repeated as a whole along some axes."""
    value = recorder.of(operation.inputs[0])
    for axis, copies in enumerate(map(int, recorder.static(operation.inputs[1]))):
        shape = list(recorder.tape[value].shape)
        if copies != 1 and shape[axis] == 1:
            shape[axis] = copies
            value = recorder.tape.broadcast(value, shape)
        elif copies != 1:
            value = recorder.tape.concat([value] * copies, axis)
    return value


def pad(recorder: Recorder, operation: Any) -> int:
    """Cells of one number around a tensor."""
    fill = recorder.static(operation.inputs[2]) if operation.type == "PadV2" else 0.0
    padding = [(int(before), int(after)) for before, after in recorder.static(operation.inputs[1])]
    return recorder.tape.pad(recorder.of(operation.inputs[0]), padding, float(fill))


def part(recorder: Recorder, operation: Any) -> int:
    """A slice of every axis, by where it begins."""
    tensor, begin, _ = operation.inputs
    starts, sizes = map(int, recorder.static(begin)), operation.outputs[0].shape
    ranges = [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return recorder.tape.slice(recorder.of(tensor), ranges)


def strided_part(recorder: Recorder, operation: Any) -> int:
    """A slice as it is written in brackets, with its masks."""
    tensor = operation.inputs[0]
    begin, end, step = (recorder.static(t).tolist() for t in operation.inputs[1:])
    kinds = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    masks = {kind: operation.get_attr(f"{kind}_mask") for kind in kinds}
    index: list[slice | int | None] = []
    missing = tensor.shape.rank - len(begin) + masks["new_axis"].bit_count()
    for position, (start, stop, stride) in enumerate(zip(begin, end, step, strict=True)):
        chosen = {kind: bool(mask >> position & 1) for kind, mask in masks.items()}
        if chosen["ellipsis"]:
            index.extend([slice(None)] * (missing + 1))
        elif chosen["new_axis"]:
            index.append(None)
        elif chosen["shrink_axis"]:
            index.append(start)
        else:
            index.append(
                slice(None if chosen["begin"] else start, None if chosen["end"] else stop, stride)
            )
    existing = [i for i in index if i is not None]
    existing.extend([slice(None)] * (tensor.shape.rank - len(existing)))
    ranges = []
    for size, i in zip(tensor.shape, existing, strict=True):
        ranges.append(range(size)[i] if isinstance(i, slice) else range(i % size, i % size + 1))
    result = recorder.tape.slice(recorder.of(tensor), ranges)
    return recorder.tape.reshape(result, operation.outputs[0].shape)


def split(recorder: Recorder, operation: Any) -> list[int]:
    """The parts of one axis."""
    if operation.type == "Split":
        tensor, axis = operation.inputs[1], int(recorder.static(operation.inputs[0]))
    else:  # SplitV
        tensor, axis = operation.inputs[0], int(recorder.static(operation.inputs[2]))
    axis %= tensor.shape.rank
    value, results, start = recorder.of(tensor), [], 0
    for output in operation.outputs:
        stop = start + output.shape[axis]
        results.append(recorder.tape.part(value, axis, range(start, stop)))
        start = stop
    return results


def unstack(recorder: Recorder, operation: Any) -> list[int]:
    """Every index of one axis."""
    tensor = operation.inputs[0]
    axis = operation.get_attr("axis") % tensor.shape.rank
    value = recorder.of(tensor)
    return [recorder.tape.row(value, axis, i) for i in range(len(operation.outputs))]


def gather(recorder: Recorder, operation: Any) -> int:
    """The places of one axis that are listed."""
    tensor, indices, axis = operation.inputs
    if operation.get_attr("batch_dims"):
        raise Unreadable("a batch of look-ups")
    along = int(recorder.static(axis)) % tensor.shape.rank
    chosen = tuple(int(i) for i in recorder.static(indices).flat)
    value = recorder.tape.take(recorder.of(tensor), along, chosen)
    return recorder.tape.reshape(value, operation.outputs[0].shape)


def roll(recorder: Recorder, operation: Any) -> int:
    """Axes of which each place is taken from some places before it, or from the other end."""
    tensor, shifts, axes = operation.inputs
    value = recorder.of(tensor)
    moves = zip(recorder.static(axes).flat, recorder.static(shifts).flat, strict=True)
    for axis, shift in ((int(axis) % tensor.shape.rank, int(shift)) for axis, shift in moves):
        size = tensor.shape[axis]
        value = recorder.tape.take(value, axis, tuple((i - shift) % size for i in range(size)))
    return value


LAYOUTS: dict[str, Translation] = {
    "Reshape ExpandDims Squeeze": shaped(Tape.reshape),
    "Transpose": by_axes(Tape.transpose),
    "BroadcastTo": shaped(Tape.broadcast),
    "ConcatV2": concat,
    "Tile": tile,
    "Pack": lambda recorder, operation: recorder.tape.stack(
        [recorder.of(tensor) for tensor in operation.inputs], operation.get_attr("axis")
    ),
    "Pad PadV2": pad,
    "Slice": part,
    "StridedSlice": strided_part,
    "Split SplitV": split,
    "Unpack": unstack,
    "GatherV2": gather,
    "ReverseV2": by_axes(Tape.reverse),
    "Roll": roll,
}
