"""The batch axis, followed through a tape: every image has to keep its own place.

What is computed for one image must not depend on the others, and must not take another shape
when it is alone.  So a model is traced for one image and for several, the two tapes are compared,
and the axis of the images is followed from the input to every output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod
from typing import Protocol

from conformance.graph.model import Where
from conformance.trace.evaluation import BINARY, LAYOUT, UNARY
from conformance.trace.port import Size, UntraceableModel
from conformance.trace.tape import Fault, Operation, Tape

#: How many images stand for any number of them.
SEVERAL = 3

ONE_BY_ONE = "what a model returns for an image must not depend on the others in its batch"
#: What a mean over the images usually is.
STATISTICS = f"{ONE_BY_ONE}: if this is a batch norm, put the model into inference mode"

#: What it is in training, where it is not read as one.
NO_NORM = (
    "a batch norm divides by sqrt(variance + epsilon), by the variance of the batch itself, over n:"
    " torch.var is over n - 1, and running averages are for inference"
)

#: Operations that may give a value another shape.
MOVES = LAYOUT | {"slice", "take", "reduce"}

#: What leaves images where they are, even merged with another axis.
ALONG = frozenset({"softmax", "lrn", "batch_norm"})

#: What picks indices of the axes that it names, what works along these, what changes their length,
#: and all that images along an axis of their own are followed through.
PICKS = {"concat", "take", "reverse"}
WORKS = ALONG | PICKS | {"reduce"}
RESIZES = {"slice", "pad", "upsample", "adaptive_avg_pool"}
FOLLOWED = WORKS | RESIZES | {"conv", "window", "transpose", "broadcast"}

#: The attributes of a slice.
_ENDS = ("start", "stop", "step")

#: The place of the images in a value read as a vector: how many numbers of other axes stand
#: before and after, so that a reshape changes nothing; None where it has no images.
Place = tuple[int, int] | None


class Traced(Protocol):
    """What can be traced for several images; see :class:`~conformance.trace.port.Port`."""

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape: ...


def faults(port: Traced, size: Size, one: Tape | None = None) -> list[Fault]:
    """Where a model's images do not stay apart in inference; nothing for a right one.

    ``one`` is the tape of a single image.  Raises :class:`.UntraceableModel` if that fails.
    """
    one = one or port.trace(size)
    try:
        several = port.trace(size, batch=SEVERAL)
    except UntraceableModel as refused:
        return [
            Fault("batch", f"takes {SEVERAL} images", f"fails: {refused}", "one image passes: a"
                  " shape is written for one image only, such as view(1, -1)")
        ]  # fmt: skip
    if found := list(_shapes(one, several)):
        return found
    met, lost = list(Followed(several).faults()), list(_outputs(one, several))
    # An output that has lost its images says so last: where they meet is the place.
    return met if any(fault.value not in several.outputs for fault in met) else lost or met


def taught(port: Traced, size: Size, one: Tape, several: Tape, unread: set[int]) -> list[Fault]:
    """Where a model's images do not stay apart in training, from its tapes of inference and of
    training: norms mean them, and what is ``unread`` does not."""
    moved = [{op.where for op in tape.operations if op.name in MOVES} for tape in (one, several)]
    if moved[1] - moved[0]:  # another shape than in inference, perhaps of a single image
        with suppress(UntraceableModel):  # a norm of one image may have nothing to norm
            alone = port.trace(size, training=True, batch=1)
            if found := list(_shapes(alone, several)) or list(_outputs(alone, several)):
                return found
    met = Followed(several, unread).faults()
    return [replace(each, hint=NO_NORM) if each.hint == STATISTICS else each for each in met]


def _shapes(one: Tape, several: Tape) -> Iterator[Fault]:
    """The first operation that has another number of axes for a single image."""
    pairs = zip(one.operations, several.operations, strict=False)
    for value, (alone, among) in enumerate(pairs):
        if alone.name != among.name:
            return  # a step that moves nothing for one image, say: the outputs tell
        if len(alone.shape) != len(among.shape) and alone.name not in ("constant", "parameter"):
            yield _lost(alone, among, _count(several), value)
            return


def _outputs(one: Tape, several: Tape) -> Iterator[Fault]:
    for a, b in zip(one.outputs, several.outputs, strict=False):
        alone, among = one[a], several[b]
        if (_count(several), *alone.shape[1:]) != among.shape or alone.shape[:1] != (1,):
            yield _lost(alone, among, _count(several), a)
            return


def _count(tape: Tape) -> int:
    """How many images a tape is of."""
    return tape[0].shape[tape[0].attributes["axes"].index("N")]


def _lost(alone: Operation, among: Operation, count: int, value: int) -> Fault:
    want = (1, *among.shape[1:]) if among.shape[:1] == (count,) else "a batch axis"
    return Fault(
        "batch", want, alone.shape, f"for {count} images it is {among.shape}: the batch axis has"
        " to come through for a single image too (squeeze() takes it away)", among.where, value,
    )  # fmt: skip


def one_by_one(tape: Tape) -> list[Where] | None:
    """Where norms see one image only, of a model that takes its images one by one and puts its
    results together; None of any other."""
    followed = Followed(tape)
    list(followed.faults())
    alone = [i for i, images in enumerate(followed.images) if len(images) == 1]
    some = any(i in alone for i in tape.outputs)  # and the others are left out
    if some or _count(tape) == 1 or tape.behind(tape.outputs).isdisjoint(alone):
        return None
    return [
        op.where for op in map(tape.__getitem__, alone)
        if op.attributes.get("momentum") is not None
        or (op.name == "reduce" and 0 in op.attributes["axes"])
    ]  # fmt: skip


class Followed:
    """Where the images stand in every value of a tape, and which of them.

    Only operations that are ``held`` have to keep them apart; None stands for all.
    """

    def __init__(self, tape: Tape, held: set[int] | None = None) -> None:
        self.tape, self.held = tape, held
        #: How many images the operands of an operation are of.
        self.count = 1
        self.places: list[Place] = []
        self.images: list[tuple[int, ...]] = []
        self.found: list[Fault] = []

    def faults(self) -> Iterator[Fault]:
        """The first operation at which images meet, or an output without them."""
        read = self.tape.behind(self.tape.outputs)
        held = read if self.held is None else self.held & read
        for number, operation in enumerate(self.tape.operations):
            place, images = self._place(operation)
            self.places.append(place)
            self.images.append(images)
            if number not in held:
                self.found.clear()
            if self.found:
                yield self.found[0]
                return
        self.count = count = _count(self.tape)
        for output in self.tape.outputs:
            operation, place = self.tape[output], self.places[output]
            images = self.images[output]
            some = place is not None and len(images) < count
            # Where images have met in a norm they are not followed any further.
            lost = self.held is None and (self._axis(operation.shape, place) != 0 or not images)
            if some or lost:
                have = f"{operation.shape} for {count} images"
                if some:
                    have += f", of image {images[0] + 1} alone"
                yield Fault("batch", "images along the first axis", have, ONE_BY_ONE,
                            operation.where, output)  # fmt: skip
                return

    def _place(self, operation: Operation) -> tuple[Place, tuple[int, ...]]:
        """Where the images are, and which they are; a place of one alone means nothing."""
        if operation.name == "input":
            axis = operation.attributes["axes"].index("N")
            return _around(operation.shape, axis), tuple(range(operation.shape[axis]))
        read = [i for i in operation.inputs if i >= 0 and self.places[i] is not None]
        given = list(dict.fromkeys(self.images[i] for i in read))
        if not read:
            return None, ()
        if len(given) > 1:
            return self._together(operation)
        (images,) = given
        self.count = len(images)
        if self.count == 1 < _count(self.tape):  # whatever is done with it, it is alone
            return (1, 1), images
        operands = [(self.tape[i].shape, self.places[i]) for i in read]
        axis = self._axis(*operands[0])
        if operation.name == "slice" and axis is not None:
            some = images[slice(*(operation.attributes[end][axis] for end in _ENDS))]
            if len(some) < self.count:
                return _around(operation.shape, axis), some
        return self._moved(operation, operands), images

    def _together(self, operation: Operation) -> tuple[Place, tuple[int, ...]]:
        """Results of different images, which may be put one after the other."""
        everything = tuple(range(_count(self.tape)))
        joined = sum((self.images[i] if i >= 0 else () for i in operation.inputs), ())
        if operation.name != "concat":
            return self._meet(operation, f"{operation.name} of different images"), everything
        axis, shape = operation.attributes["axis"], operation.shape
        each = shape[axis] // len(joined)
        for i in operation.inputs:
            apart = len(self.images[i]) == 1 or self._along(i) == axis
            if self.tape[i].shape[axis] != each * len(self.images[i]) or not apart:
                return self._meet(operation, "different images side by side"), everything
        if list(joined) != sorted({*joined}):
            numbers = ", ".join(str(image + 1) for image in joined)
            return self._meet(operation, f"images {numbers} one after the other"), everything
        return (prod(shape[:axis]), prod(shape[axis:]) // len(joined)), joined

    def _along(self, value: int) -> int | None:
        self.count = len(self.images[value])
        return self._axis(self.tape[value].shape, self.places[value])

    def _moved(self, operation: Operation, operands: list[tuple[tuple[int, ...], Place]]) -> Place:
        """Where an operation leaves the images of its operands, which are the same."""
        if operation.attributes.get("unknown"):
            return self._unread(operation, self._axis(*operands[0]))
        if operation.name in UNARY or operation.name in BINARY or operation.name == "select":
            return self._elementwise(operation, operands)
        shape, place = operands[0]
        if operation.name in ("reshape", "dropout"):
            return place
        if operation.name == "dot":
            return self._dot(operation, shape, place)
        axis = self._axis(shape, place)
        if operation.name == "reduce" and axis is None and place:
            return self._reduce_beside(operation, shape, place)
        if operation.name in FOLLOWED and (axis is not None or operation.name == "conv"):
            return self._follow(operation, axis)
        return place if operation.name in ALONG else self._guess(operation)

    def _meet(self, operation: Operation, what: str) -> Place:
        """The images do not stay apart here."""
        mean = operation.attributes.get("reduce") in ("sum", "mean")
        why = STATISTICS if operation.name == "reduce" and mean else ONE_BY_ONE
        here = len(self.places)
        self.found.append(Fault("batch", "images apart", what, why, operation.where, here))
        return None

    def _guess(self, operation: Operation) -> Place:
        """What cannot be read is taken to keep the first axis, if it has one as long."""
        return _around(operation.shape, 0) if operation.shape[:1] == (self.count,) else None

    def _unread(self, operation: Operation, axis: int | None) -> Place:
        """What cannot be read may say where its axes come from; else they stay where they are."""
        kept: Sequence[int] = range(len(operation.shape))
        if origin := operation.attributes.get("origin"):
            read = (n for n, i in enumerate(operation.inputs) if self.places[i] is not None)
            kept = origin[next(read)]
        if axis in kept and operation.shape[kept.index(axis)] == self.count:
            return _around(operation.shape, kept.index(axis))
        return self._guess(operation)

    def _axis(self, shape: tuple[int, ...], place: Place) -> int | None:
        """The axis that is the images', and nothing else."""
        if place is None:
            return None
        for axis, size in enumerate(shape):
            if size == self.count and prod(shape[:axis]) == place[0]:
                return axis
        return None

    def _elementwise(
        self, operation: Operation, operands: list[tuple[tuple[int, ...], Place]]
    ) -> Place:
        places: set[Place] = set()
        for shape, place in operands:
            axis = self._axis(shape, place)
            if axis is None:  # merged with another axis: only its equal fits
                places.add(place)
            else:
                places.add(_around(operation.shape, axis + len(operation.shape) - len(shape)))
        if len(places) > 1:
            return self._meet(operation, f"{operation.name} along two different axes")
        return places.pop()

    def _dot(self, operation: Operation, shape: tuple[int, ...], place: Place) -> Place:
        left, right = operation.inputs
        on_left, on_right = operation.attributes["contract"]
        first = self.places[left] is not None
        if first and self.places[right] is not None:
            return self._guess(operation)
        axis, gone = self._axis(shape, place), on_left if first else on_right
        if axis == gone:
            return self._meet(operation, "a product over the images")
        if axis is None and place and first and on_left == len(shape) - 1 and place[1] % shape[-1]:
            return self._meet(operation, "a product over numbers of several images")
        if axis is None:  # rows of pixels of every image
            return place and (place[0], prod(operation.shape) // (place[0] * self.count))
        before = 0 if first else len(self.tape[left].shape) - 1
        return _around(operation.shape, before + axis - (gone < axis))

    def _follow(self, operation: Operation, axis: int | None) -> Place:
        """Where an operand's images, along an axis of their own, are in the result."""
        name, given, shape = operation.name, operation.attributes, operation.shape
        if name == "conv":
            if axis != given["lhs"][0]:
                return self._meet(operation, "a convolution reads the images as another axis")
            return _around(shape, given["out"][0])
        assert axis is not None
        along = given["axes"] if "axes" in given else (given.get("axis", -1),)
        if name in WORKS and axis in (i % len(shape) if i < 0 else i for i in along):
            how = f"{name} along" if name in PICKS else f"{given.get('reduce', name)} over"
            return self._meet(operation, f"{how} the images")
        if name == "window" and (given["size"][axis], given["stride"][axis]) != (1, 1):
            return self._meet(operation, f"windows of {given['size']} reach over the images")
        if name in RESIZES and shape[axis] != self.count:
            return self._meet(operation, f"{name} along the images")
        if name == "transpose":
            axis = along.index(axis)
        elif name == "broadcast":
            axis = along[axis]
        elif name == "reduce" and not given["keep"]:
            axis -= sum(1 for i in along if i < axis)
        return _around(shape, axis)

    def _reduce_beside(self, operation: Operation, shape: tuple[int, ...], place: Place) -> Place:
        """Of images that have no axis of their own only what lies before or after them goes."""
        assert place is not None
        before, after = place
        for axis in operation.attributes["axes"]:
            if prod(shape[axis:]) <= place[1]:
                after //= shape[axis]
            elif prod(shape[: axis + 1]) <= place[0]:
                before //= shape[axis]
            else:
                return self._meet(operation, f"{operation.attributes['reduce']} over axis {axis},"
                                  " which numbers of several images share")  # fmt: skip
        return before, after


def _around(shape: tuple[int, ...], axis: int) -> Place:
    return prod(shape[:axis]), prod(shape[axis + 1 :])
