"""A tensor of which a part is written over."""

from __future__ import annotations

from torch import Tensor

from conformance.trace.tape import Tape


def written_over(tape: Tape, before: int, axis: int, part: range, value: int) -> int:
    """A value with another one in a part along one axis, and around that as it was."""
    shape = tape[before].shape
    new = tape.reshape(value, (*shape[:axis], len(part), *shape[axis + 1 :]))
    around = range(part.start), range(part.stop, shape[axis])
    left, right = (_kept(tape, before, axis, each) if each else () for each in around)
    return tape.concat([*left, new, *right], axis)


def _kept(tape: Tape, before: int, axis: int, part: range) -> tuple[int, ...]:
    """A part of what was there before; of values joined, the values."""
    kept = tape.part(before, axis, part)
    joined = tape[kept]
    along = joined.name == "concat" and joined.attributes["axis"] == axis
    return joined.inputs if along else (kept,)


def part_of(base: Tensor, view: Tensor) -> tuple[int, range] | None:
    """Along which one axis, and from where to where, a view is a part of its base."""
    offset = view.storage_offset() - base.storage_offset()
    for axis, step in enumerate(base.stride()):
        whole = list(zip(base.shape, base.stride(), strict=True))
        part = list(zip(view.shape, view.stride(), strict=True))
        count = 1
        if len(part) == len(whole) and part[axis][1] == step:
            count = part.pop(axis)[0]
        del whole[axis]
        if part == whole and step and offset % step == 0:
            return axis, range(offset // step, offset // step + count)
    return None
