"""What every tracer offers: one live model, traced without weights, run with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from conformance.graph.model import Where
from conformance.trace.tape import Operation, Tape

Size = tuple[int, int, int]
Arrays = Sequence[np.ndarray]

#: Takes a value of the tape and its result, as float32 or float64 in the framework's own layout.
Observer = Callable[[int, np.ndarray], None]
#: Gradients by stored arrays, under their handles, and by the image, under None.
Gradients = dict[str | None, np.ndarray]
#: Gradients by values of the tape, in the framework's layout; several where the framework has made
#: the same value several times, one from the other, such as by stopping its gradient.
Inside = dict[int, list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Execution:
    """How a port is executed: in what precision, on which device, step by step or compiled.

    ``precision`` is a name of :data:`.PRECISIONS`, ``device`` cpu or gpu.
    """

    precision: str = "float64"
    device: str = "cpu"
    compiled: bool = False

    @property
    def dtype(self) -> str:
        """The type that numbers are stored in."""
        return "float32" if self.precision == "tf32" else self.precision

    def possible(self, library: str, gpu: Callable[[], str]) -> None:
        """Raises :class:`CannotExecute` where a library has no such precision or device here."""
        if self.precision == "tf32" and self.device == "cpu":
            raise CannotExecute("tf32 is a precision of GPUs: leave it out, or add --device gpu")
        if self.device == "gpu" and not gpu():
            raise CannotExecute(f"{library} sees no GPU here")

    def __str__(self) -> str:
        return f"{self.precision}, compiled" if self.compiled else self.precision


#: On the processor, in the precision that decides.
PLAIN = Execution()


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a port: the tape, the numbers and how they are computed.

    ``values(handle)`` is asked once for each stored array that the tape reads.  ``image`` is
    batch x height x width x channels.  In training, on a tape of training, every number of a
    random value in ``draws`` is the one given there; other randomness is left to the framework.
    ``returns`` says that its gradients are asked for next: a port may remember the way back.
    ``came`` takes gradients by stored arrays on the way back, as soon as they are there.
    """

    tape: Tape
    values: Callable[[str], np.ndarray]
    image: np.ndarray
    training: bool = False
    draws: Mapping[int, float] = field(default_factory=dict)
    how: Execution = PLAIN
    returns: bool = False
    came: Callable[[str, np.ndarray], None] | None = None

    def drawn(self) -> Iterator[float | None]:
        """For each random value of the tape, in order, the number that is drawn; None for any."""
        for index, operation in enumerate(self.tape.operations):
            if operation.name == "random":
                yield self.draws.get(index)


class UntraceableModel(Exception):
    """The model cannot be built or traced; the message says what was wrong and what to do."""


class Unfinished(UntraceableModel):
    """The model can be called on the images, and does not compute anything of them."""


class Unfollowed(UntraceableModel):
    """The model can be called as it is, and cannot be followed: no fault of its own."""


class Chance(UntraceableModel):
    """What the model does, and not only what it computes, depends on a random draw."""

    where: Where = Where()


class NoGradient(UntraceableModel):
    """The model runs and cannot go backward; the message says where and why."""

    #: Where something was written over that the way back needs, if that is known.
    where: Where | None = None


class CannotExecute(Exception):
    """It cannot be executed in this way here, whatever the model; the message says why."""


@dataclass(frozen=True)
class Own:
    """What a port stores, as its factory built it: arrays by handle, in their stored layout.

    Everything that holds floating-point numbers is here, whether inference reads it or not.
    What is ``unset`` means nothing before the first batch of training has been seen.
    """

    arrays: Mapping[str, np.ndarray]
    unset: frozenset[str] = frozenset()

    def __call__(self, handle: str) -> np.ndarray:
        """A copy in float64.  Raises :class:`KeyError` where nothing is stored by this name."""
        return np.array(self.arrays[handle], np.float64, order="C")

    def held(self, handle: str) -> np.ndarray:
        """The array itself, to be read; in float64 where NumPy has no arithmetic for its type."""
        array = self.arrays[handle]
        return array if array.dtype in (np.float32, np.float64) else self(handle)


class Port(Protocol):
    """One factory and the model that it builds.

    A port may have three members more: ``declared()``, the size of image that its model is made
    for or None, ``resized``, which is :meth:`trace` on an image of another size than that, and
    ``untrained``, why nothing is seen of its training.
    """

    framework: str

    @property
    def trains(self) -> bool:
        """Whether the model has a training mode that can be switched on."""

    def built(self) -> object:
        """What the factory returns, built once and where possible without weights.

        Raises :class:`UntraceableModel`.
        """

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape:
        """What the model computes for images of height, width, channels.

        ``batch`` is their number: without it one, and two in training.

        Float64 throughout, so that constants are exact; no weight is allocated.  In training
        mode dropout and batch statistics are seen, auxiliary outputs follow the main one, and
        the tape's ``updates`` hold the new values of the running statistics.
        Raises :class:`UntraceableModel`.
        """

    def run(self, run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
        """Execute the real model.

        ``observe`` receives each value of the tape in ``wanted``, in order of execution; arrays
        are not kept.  Of a compiled model only outputs can be observed.  Returned are, in
        training, the arrays that the step replaces, by handle.
        Raises :class:`UntraceableModel`, and :class:`CannotExecute` where the model is not at
        fault.
        """

    def gradient(self, run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
        """Differentiate the real model by the framework's own means, in float64.

        The loss is the sum of ``output * cotangent`` over the first outputs, as many as there
        are cotangents, each in the shape and the layout of its output.  Returned is the gradient
        by every stored array in ``wanted``, shaped as it is stored, and by the image, in the
        framework's layout.  Where the framework sees no dependence it is zero.

        A port may hand some over as they come and keep none of these: they are not returned.  Where
        that cannot be done after all, everything is returned, and what was handed over is void.
        Raises :class:`NoGradient`.
        """

    def inside(self, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
        """The gradients of the same loss by values of the tape, as far as the framework has them.

        Raises :class:`UntraceableModel`.
        """

    def own(self) -> Own:
        """The port's own values: the model is built once more, with its weights, and let go.

        Two calls agree where the factory is seeded or loads what it holds.  A model that makes
        its weights on the first call needs a size: trace it first.  The arrays hold until the
        port is run plainly.
        Raises :class:`UntraceableModel`.
        """

    def plain(self, values: Mapping[str, np.ndarray], images: np.ndarray) -> list[np.ndarray]:
        """The outputs of the factory's own model, called as its users call it, unobserved.

        In inference and the model's own precision, on the processor, without compiling it.
        ``values`` has the stored arrays that the tape reads, by handle, each made when it is asked
        for: once.  Images, and outputs
        that are images, are batch x height x width x channels.
        Raises :class:`UntraceableModel`, and :class:`CannotExecute` where this cannot be had.
        """


@dataclass(frozen=True, slots=True)
class Call:
    """A model as a function of one batch of images and its stored arrays, in this order.

    ``parameters`` has each array's shape and type by its handle, ``axes`` the layout of the
    image.  ``modules`` are the names of the model's layers, the only scopes that are part of an
    operation's path; ``root`` is the name of the model itself, which is not.
    """

    function: Callable[..., Any]
    image: tuple[int, ...]
    axes: str = "NHWC"
    parameters: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    root: str = ""


class Backend(Protocol):
    """A library that others compute with: it records their calls, and makes them again.

    In a tape that it records everything that the call returned is an output.
    """

    #: Whether what was recorded computes in one precision only.
    TYPED: bool

    def versions(self) -> dict[str, str]:
        """The releases that decide what is recorded."""

    def gpu(self) -> str:
        """The name of the GPU that the library sees; empty if it sees none."""

    def computing(self, how: Execution = PLAIN) -> AbstractContextManager[Any]:
        """The precision and the device of an execution.  Raises :class:`CannotExecute`."""

    def record(self, call: Call, how: Execution = PLAIN) -> Tape:
        """What a call computes, from shapes and types alone.

        Raises :class:`UntraceableModel`.
        """

    def execute(self, run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
        """As :meth:`Port.run`, of a tape that :meth:`record` made; the image in its layout."""

    def differentiate(self, run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
        """As :meth:`Port.gradient`, of a tape that :meth:`record` made."""

    def inside(self, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
        """As :meth:`Port.inside`, of a tape that :meth:`record` made."""


class Retraced(Tape):
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
        alike = [each.inputs + (each.name, len(each.shape)) for each in (here, there)]
        if alike[0] != alike[1] or any(
            now not in (then, then * more)
            for now, then in zip(here.shape, there.shape, strict=True)
        ):
            raise UntraceableModel(
                f"line {index} of the tape was {there.name} {there.shape} and is now {here.name}"
                f" {here.shape}{f' in {here.where}' if str(here.where) else ''}; a model to be"
                " compared must compute the same steps every time"
            )
        return index


def images(training: bool, batch: int | None = None) -> int:
    """How many images are traced: one, or two for the statistics of a batch."""
    return batch or (2 if training else 1)


def checked(tape: Tape) -> Tape:
    """The tape, if its outputs depend on the image.  Raises :class:`Unfinished`."""
    if not tape.outputs:
        raise Unfinished("the model returns nothing: it has to return the logits")
    for number, output in enumerate(tape.outputs, 1):
        if 0 not in tape.behind([output]):
            which = f"output {number}" if len(tape.outputs) > 1 else "the output"
            where = str(tape[output].where).strip("()")
            raise Unfinished(
                f"{which} does not depend on the image{f' ({where})' if where else ''}: the"
                " model is unfinished, or returns a constant or a parameter"
            )
    return tape
