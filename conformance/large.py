"""Matrices too large to be held, made a few rows at a time by whatever reads them.

The first dense layer of VGG has 0.8 GB of weights in float64.  The oracle multiplies with them
and a gradient is compared with them strip by strip, in what a cache holds.  For whatever else is
done with such a matrix it is an array like any other, made whole for that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from conformance.chunks import STRIP, each, packed, room, slices

#: From so many numbers on a matrix is not held: 128 MiB in float64.
HELD = 1 << 24


class Large(NDArrayOperatorsMixin, ABC):
    """A matrix of rows x columns, some of whose rows are made at a time."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.size, self.ndim = shape[0] * shape[1], 2

    @property
    def strips(self) -> list[slice]:
        """Which rows are made at a time."""
        return slices(self.shape[0], max(1, STRIP // self.shape[1]))

    @abstractmethod
    def rows(self, part: slice) -> np.ndarray:
        """Some rows."""

    def along(self, x: np.ndarray) -> tuple[np.ndarray, Large]:
        """An array of as many numbers, in the order of its axes, and this matrix: both as they are
        read fastest, which is in one order."""
        return packed(x).reshape(self.shape), self

    def write(self, place: np.ndarray) -> None:
        """Fill an array that has as many numbers, in the order of its axes."""
        lead, strips = place.shape[:-1], self.strips
        if len(lead) == 1:
            each(lambda part: np.copyto(place[part], self.rows(part)), strips)
            return
        for number, index in enumerate(np.ndindex(*lead)):
            place[index] = self.rows(slice(number, number + 1))[0]

    def before(self, x: np.ndarray) -> np.ndarray:
        """``x @ self``; summed in one order, however many threads there are."""
        strips = self.strips
        parts = np.empty((len(strips), len(x), self.shape[1]), self.dtype)

        def multiply(number: int) -> None:
            np.matmul(x[:, strips[number]], self.rows(strips[number]), out=parts[number])

        each(multiply, range(len(strips)))
        return np.asarray(parts.sum(axis=0))

    def behind(self, x: np.ndarray) -> np.ndarray:
        """``x @ self.T``."""
        result = np.empty((len(x), self.shape[0]), self.dtype)

        def multiply(part: slice) -> None:
            result[:, part] = x @ self.rows(part).T

        each(multiply, self.strips)
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = room(self.shape, dtype or self.dtype)
        self.write(whole)
        return whole

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if ufunc is np.matmul and method == "__call__" and not keywords and inputs[1] is self:
            return self.before(inputs[0])
        wholes = (np.asarray(x) if isinstance(x, Large) else x for x in inputs)
        return getattr(ufunc, method)(*wholes, **keywords)

    def __getitem__(self, place: Any) -> Any:
        return np.asarray(self)[place]

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # __array_interface__ and its like, before __array__ is tried
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


class Product(Large):
    """``x.T @ y`` of two matrices of few rows: the gradient by a dense kernel."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__((x.shape[1], y.shape[1]), x.dtype)
        self.x, self.y = x, y

    def rows(self, part: slice) -> np.ndarray:
        return np.asarray(self.x[:, part].T @ self.y)

    def along(self, x: np.ndarray) -> tuple[np.ndarray, Large]:
        """In the order in which the array lies in memory, where rows or columns are together there.

        A framework has a kernel's gradient by outputs, and each of them by channels, rows and
        columns of the map: to turn that around takes as long as all the rest.
        """
        lead, last = x.shape[:-1], x.ndim - 1
        order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
        laid = x.transpose(order)
        if x.shape[-1] != self.shape[1] or not laid.flags.c_contiguous or last not in order[::last]:
            return super().along(x)
        axes = [axis for axis in order if axis != last]
        rows = np.arange(self.shape[0]).reshape(lead).transpose(axes).reshape(-1)
        some = self.x[:, rows]
        found = Product(some, self.y) if order[-1] == last else Product(self.y, some)
        return laid.reshape(found.shape), found


class Windows(Large):
    """A matrix each of whose rows is another window of a ring of random numbers.

    Rows begin as far apart as the golden ratio leaves them, so that no two are alike and none
    follows from its neighbours.  A window is copied in a tenth of the time in which it is drawn.
    As the ring's length is a power of two and the distance odd, columns are windows as well: of
    the ring in the order in which rows begin.
    """

    #: How many numbers there are, at least; and how far rows begin apart.
    ROWS, STEP = 1 << 20, 648_057

    def __init__(self, shape: tuple[int, ...], ring: np.ndarray, step: int = STEP) -> None:
        super().__init__(shape, ring.dtype)
        self.ring, self.step = ring, step
        self.starts = np.arange(shape[0]) * step % len(ring)
        self._round = np.resize(ring, len(ring) + shape[1])

    @classmethod
    def numbers(cls, shape: tuple[int, ...]) -> int:
        """How many random numbers it takes."""
        return int(max(cls.ROWS, 1 << max(shape).bit_length()))

    @property
    def turned(self) -> Windows:
        """The transposed matrix."""
        count = len(self.ring)
        order = np.arange(count) * self.step % count
        return Windows(self.shape[::-1], self.ring[order], pow(self.step, -1, count))

    def row(self, number: int) -> np.ndarray:
        """One row, to be read."""
        start = self.starts[number]
        return self._round[start : start + self.shape[1]]

    def rows(self, part: slice) -> np.ndarray:
        numbers = range(*part.indices(self.shape[0]))
        some = np.empty((len(numbers), self.shape[1]), self.dtype)
        for place, number in zip(some, numbers, strict=True):
            place[:] = self.row(number)
        return some

    def astype(self, dtype: Any, **_: Any) -> Windows:
        return self if dtype == self.dtype else self.made(lambda ring: ring.astype(dtype))

    def made(self, other: Callable[[np.ndarray], np.ndarray]) -> Windows:
        """Another number in the place of each."""
        ring = other(self.ring)
        return self if ring is self.ring else Windows(self.shape, ring, self.step)

    def write(self, place: np.ndarray) -> None:
        """As they lie in memory: a column at a time where rows lie apart."""
        lead, whole = place.shape[:-1], self if place.strides[-1] == place.itemsize else self.turned

        def fill(part: slice) -> None:
            for number in range(*part.indices(whole.shape[0])):
                row = whole.row(number)
                if whole is self:
                    place[np.unravel_index(number, lead)] = row
                else:
                    place[..., number] = row.reshape(lead)

        each(fill, slices(whole.shape[0], 16))


def product(x: np.ndarray, y: np.ndarray) -> Any:
    """``x.T @ y``, not multiplied out where that is large."""
    return Product(x, y) if prod((x.shape[1], y.shape[1])) >= HELD else x.T @ y


def parts_of(x: Any) -> list[slice]:
    """The strips of one that is not held, and all of another."""
    return x.strips if isinstance(x, Large) else [slice(None)]


def part_of(x: Any, part: slice) -> np.ndarray:
    """Some rows of a matrix."""
    found: np.ndarray = x.rows(part) if isinstance(x, Large) else x[part]
    return found


def inner(x: Any, y: Any) -> float:
    """The sum of the products of two arrays; ``y`` may be large, and ``x`` the same then."""
    return sum(over(lambda a, b: float(np.vdot(a, b)), x, y))


def over(measure: Callable[..., Any], *arrays: Any) -> list[Any]:
    """A measure of each strip of some arrays, in order; those of the last, which may be large."""
    strips = parts_of(arrays[-1])
    found: list[Any] = [None] * len(strips)

    def of(number: int) -> None:
        found[number] = measure(*(part_of(x, strips[number]) for x in arrays))

    each(of, range(len(strips)))
    return found
