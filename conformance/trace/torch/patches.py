"""A tensor that is filled part by part."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from conformance.trace.tape import Tape


@dataclass(slots=True)
class Patches:
    """A tensor that was filled part by part along one axis: written down once it is read."""

    tape: Tape
    axis: int
    shape: tuple[int, ...]
    before: int
    parts: list[tuple[range, int]]

    def has_room(self, axis: int, part: range) -> bool:
        """Whether a part lies along the same axis, outside all others."""
        return self.axis == axis and all(
            part.stop <= old.start or old.stop <= part.start for old, _ in self.parts
        )

    def __call__(self) -> int:
        """The parts, and what was there before between them."""
        pieces: list[int] = []
        end = 0
        for part, value in sorted(self.parts, key=lambda item: item[0].start):
            if part.start > end:
                pieces += self._kept(end, part.start)
            shape = (*self.shape[: self.axis], len(part), *self.shape[self.axis + 1 :])
            pieces.append(self.tape.reshape(value, shape))
            end = part.stop
        if end < self.shape[self.axis]:
            pieces += self._kept(end, self.shape[self.axis])
        return self.tape.concat(pieces, self.axis)

    def _kept(self, start: int, stop: int) -> tuple[int, ...]:
        """A part of what was there before; of values joined, the values."""
        kept = self.tape.part(self.before, self.axis, range(start, stop))
        joined = self.tape[kept]
        along = joined.name == "concat" and joined.attributes["axis"] == self.axis
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
