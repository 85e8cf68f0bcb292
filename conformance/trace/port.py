"""What every framework's tracer offers: one live model, traced without weights, run with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from conformance.trace.tape import Tape

Size = tuple[int, int, int]


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

    def __str__(self) -> str:
        return f"{self.precision}, compiled" if self.compiled else self.precision


#: On the processor, in the precision that decides.
PLAIN = Execution()

#: Randomness is left to the framework.
NO_DRAWS: Mapping[int, float] = {}


def drawn(tape: Tape, draws: Mapping[int, float]) -> Iterator[float | None]:
    """For each random value of a tape, in order, the number that is drawn; None for any."""
    for index, operation in enumerate(tape.operations):
        if operation.name == "random":
            yield draws.get(index)


class UntraceableModel(Exception):
    """The model cannot be built or traced; the message says what was wrong and what to do."""


class CannotExecute(Exception):
    """It cannot be executed in this way here, whatever the model; the message says why."""


@dataclass(frozen=True)
class Own:
    """What a port stores, as its factory built it: arrays by handle, in their stored layout.

    Everything that holds floating-point numbers is here, whether inference reads it or not.
    """

    arrays: Mapping[str, np.ndarray]

    def __call__(self, handle: str) -> np.ndarray:
        """A copy in float64.  Raises :class:`KeyError` where nothing is stored by this name."""
        return np.array(self.arrays[handle], np.float64, order="C")


class Port(Protocol):
    """One factory in one framework.

    A tracer module has ``port(factory) -> Port`` and ``versions() -> dict[str, str]``.
    """

    framework: str

    @property
    def trains(self) -> bool:
        """Whether the model can be told that it is training, so that training can be judged."""

    def trace(self, size: Size, training: bool = False) -> Tape:
        """What the model computes for one image of height, width, channels.

        Float64 throughout, so that constants are exact; no weight is allocated.  In training
        mode dropout and batch statistics are seen, auxiliary outputs follow the main one, and
        the tape's ``updates`` say what becomes of the running statistics.
        Raises :class:`UntraceableModel`.
        """

    def run(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        wanted: frozenset[int],
        observe: Callable[[int, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
        how: Execution = PLAIN,
    ) -> dict[str, np.ndarray]:
        """Execute the real model, with ``values(handle)`` as its parameters.

        ``image`` is batch x height x width x channels.  For each value of the tape in
        ``wanted``, in order of execution, ``observe(value, array)`` receives the result in the
        framework's own layout, as float32 or float64; the array is not kept.  ``values`` is
        asked once a handle.  A ``compiled`` model has no values but its outputs.  Raises
        :class:`CannotExecute` where the model is not at fault.

        In training mode, on a tape of training, every number of a random value in ``draws`` is
        the one given there.  Returned is what the step puts in the place of stored arrays, the
        running statistics, by handle; in inference nothing.
        """

    def gradient(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        cotangents: Sequence[np.ndarray],
        wanted: frozenset[str],
        observe: Callable[[str | None, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
    ) -> None:
        """Differentiate the real model by the framework's own means, in float64.

        The loss is the sum of ``output * cotangent`` over the first outputs, as many as there are
        cotangents, each in the shape and the layout of its output.  ``observe(handle, array)``
        receives the gradient with respect to every stored array in ``wanted``, shaped as it is
        stored, and ``observe(None, array)`` that with respect to the image, in the framework's
        layout.  Where the framework knows of no dependence the gradient is zero.  ``training``
        and ``draws`` are as in :meth:`run`.  Raises :class:`UntraceableModel`.
        """

    def own(self) -> Own:
        """The port's own values: the model is built once more, with its weights, and let go.

        Two calls agree where the factory is seeded or loads what it holds.  A model that makes
        its weights on the first call needs a size: trace it first.
        Raises :class:`UntraceableModel`.
        """
