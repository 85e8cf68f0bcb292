"""Matrices too large to be held, made a few rows at a time by whatever reads them.

The first dense layer of VGG has 0.8 GB of weights in float64.  The oracle multiplies with them
and a gradient is compared with them strip by strip, in what a cache holds.  For whatever else is
done with such a matrix it is an array like any other, made whole for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from conformance.chunks import STRIP, each, fill, slices

#: From so many numbers on a matrix is not held: 256 MiB in float64.
HELD = 1 << 25


class Large(NDArrayOperatorsMixin):
    """A matrix of rows x columns; ``make`` gives some of its rows, the same in every call."""

    def __init__(
        self, shape: tuple[int, int], make: Callable[[slice], np.ndarray], dtype: Any = np.float64
    ) -> None:
        self.shape, self.make, self.dtype = shape, make, np.dtype(dtype)
        self.size, self.ndim = shape[0] * shape[1], 2

    @property
    def strips(self) -> list[slice]:
        """Which rows are made at a time; a multiple of four of them but at the end."""
        return slices(self.shape[0], max(4, STRIP // self.shape[1] // 4 * 4))

    def rows(self, part: slice) -> np.ndarray:
        """Some rows, those of a strip or of several that follow each other."""
        return self.make(part).astype(self.dtype, copy=False)

    def astype(self, dtype: Any, **_: Any) -> Large:
        return Large(self.shape, self.make, dtype)

    def write(self, place: np.ndarray) -> None:
        """Fill an array that has as many numbers, in the order of its axes."""
        *before, rows, columns = place.shape
        lead = int(np.prod(before))

        def band(part: slice) -> None:
            some = np.empty((*before, *place[..., part, :].shape[-2:]), self.dtype)
            flat = some.reshape(lead, -1, columns)
            for number in range(lead):
                start = number * rows + part.start
                flat[number] = self.rows(slice(start, start + flat.shape[1]))
            fill(place[..., part, :], some)

        # A band has everything that lies side by side in the place.
        each(band, slices(rows, max(4, STRIP // columns // 4 * 4)))

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
        whole = np.empty(self.shape, dtype or self.dtype)
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


def product(x: np.ndarray, y: np.ndarray) -> Any:
    """``x.T @ y``, the gradient by a dense kernel."""
    shape = x.shape[1], y.shape[1]
    if shape[0] * shape[1] < HELD:
        return x.T @ y
    return Large(shape, lambda part: x[:, part].T @ y, x.dtype)


def parts_of(x: Any) -> list[slice]:
    """The strips of one that is not held, and all of another."""
    return x.strips if isinstance(x, Large) else [slice(None)]


def part_of(x: Any, part: slice) -> np.ndarray:
    """Some rows of a matrix."""
    found: np.ndarray = x.rows(part) if isinstance(x, Large) else x[part]
    return found


def inner(x: Any, y: Any) -> float:
    """The sum of the products of two arrays; ``y`` may be large, and ``x`` the same then."""
    strips = parts_of(y)
    sums = [0.0] * len(strips)

    def add(number: int) -> None:
        part = strips[number]
        sums[number] = float(np.vdot(part_of(x, part), part_of(y, part)))

    each(add, range(len(strips)))
    return sum(sums)
