"""Floating-point precisions: what each keeps of a number, and how far off its results may be.

The bound is one rule for all of them and no number in it is chosen.  A *cost* is what computing in
a precision costs a network up to a node: the oracle computes in that precision and in float64, and
the difference is it.  A result is accepted while it is nearer, on a logarithmic scale, to the cost
of the precision that was asked for than to that of the next coarser one, which in these rounding
errors is their ratio of unit roundoffs away.  So a float32 result must not be off by what TF32
costs, and a float64 result not by what float32 costs.

Float64 has no finer precision to be compared with.  Its cost is float32's, brought down by the
ratio of the two unit roundoffs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

#: Binary digits of the significands that hardware multiplies, the leading 1 included: float64,
#: float32, TF32 and float16, bfloat16 (IEEE 754-2019; NVIDIA, Ampere architecture, 2020) and
#: below them the finer of the 8-bit formats, E4M3 (Open Compute Project, OFP8, 2023).
LADDER = (53, 24, 11, 8, 4)


@dataclass(frozen=True, slots=True)
class Precision:
    """A format of numbers: binary digits of what is stored and of what a product reads.

    Sums inside a product are kept in ``dtype``, which is also what the oracle's arrays are.
    """

    name: str
    stored: int
    multiplied: int
    dtype: Any = np.float32

    @property
    def unit(self) -> float:
        """The largest relative error of rounding a number once."""
        return 2.0**-self.multiplied

    @property
    def coarser(self) -> float:
        """The same of the next coarser precision."""
        return 2.0 ** -LADDER[LADDER.index(self.multiplied) + 1]

    @property
    def between(self) -> float:
        """Halfway, on a logarithmic scale, from its unit roundoff to that of the next coarser."""
        return float((self.unit * self.coarser) ** 0.5)

    @property
    def oracle(self) -> Precision:
        """The precision in which the oracle measures costs."""
        return FLOAT32 if self is FLOAT64 else self

    @property
    def margin(self) -> float:
        """The bound over the cost that the oracle measures; see the module."""
        return self.between / self.oracle.unit

    def unused(self, error: float, bound: float) -> bool:
        """Whether the result nearest to its bound is still nearer to the next finer precision.

        Then nothing was computed in this one: a GPU may have no TF32 for a network's shapes.
        """
        if self is FLOAT64:
            return False
        finer = 2.0 ** -LADDER[LADDER.index(self.multiplied) - 1]
        return error < bound / self.margin * float((finer * self.unit) ** 0.5 / self.oracle.unit)

    def round(self, x: np.ndarray) -> np.ndarray:
        """Numbers as they are stored: to the nearest, of two the even one."""
        if self.stored >= 24:
            return x.astype(self.dtype, copy=False)
        if self.stored == 11:
            with np.errstate(over="ignore"):  # infinity, as a framework has it
                return x.astype(np.float16).astype(self.dtype)
        x = np.ascontiguousarray(x, self.dtype)
        bits = x.view(np.uint32)
        odd = (bits >> 16) & 1
        odd += 0x7FFF
        odd += bits
        odd &= 0xFFFF0000
        return np.where(np.isfinite(x), odd.view(np.float32), x)

    def read(self, x: np.ndarray) -> np.ndarray:
        """Numbers as a product reads them.

        Where that is fewer digits than are stored, the rest is cut off: hardware may round, and
        costs less then, or may take the word as it is and ignore its end (NVIDIA, PTX ISA, mma).
        """
        if self.multiplied == self.stored:
            return x
        cut = np.uint32(0xFFFFFFFF << (self.stored - self.multiplied) & 0xFFFFFFFF)
        return (np.ascontiguousarray(x, np.float32).view(np.uint32) & cut).view(np.float32)


FLOAT64 = Precision("float64", 53, 53, np.float64)
FLOAT32 = Precision("float32", 24, 24)
PRECISIONS = {
    each.name: each
    for each in (
        FLOAT64,
        FLOAT32,
        Precision("tf32", 24, 11),
        Precision("float16", 11, 11),
        Precision("bfloat16", 8, 8),
    )
}

#: The names of precisions, and of devices, in a file.
Named = Annotated[str, Meta(pattern=f"^({'|'.join(PRECISIONS)})$")]
Device = Annotated[str, Meta(pattern="^(cpu|gpu)$")]

#: What a network is compared in besides float64, on each device.
ON = {"cpu": ("float32",), "gpu": ("float32", "tf32", "bfloat16")}

#: What a network can be kept in whole numbers in; the range of float16 is too small.
EXACT = frozenset({"float64", "float32", "tf32", "bfloat16"})
