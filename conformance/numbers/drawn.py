"""Slots' values, kept between the checks of one network, which all ask for the same.

A network's checks draw its weights half a dozen times: for the port and for the oracle, in
inference, in training and backwards.  What was drawn is kept until there is no room for what is
drawn after it, or none of the last few sets of weights has the place that it was drawn for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from threading import RLock

import numpy as np

#: Bytes that are kept: ResNet-50 fits in, of VGG the convolutions.
LIMIT = 1 << 28

#: Sets of weights whose values are kept: two graphs, in inference and in training.
RECENT = 4

Key = tuple[bytes, Hashable]


class Drawn:
    """Read-only arrays by the place in a network that they were drawn for, and all else."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.size = limit, 0
        self.arrays: dict[Key, np.ndarray] = {}
        self.recent: deque[frozenset[bytes]] = deque(maxlen=RECENT)
        self._lock = RLock()

    def begin(self, places: Iterable[bytes]) -> None:
        """Another set of weights, for these places; forget what no recent set has."""
        self.recent.append(frozenset(places))
        needed = frozenset[bytes]().union(*self.recent)
        self.arrays = {key: each for key, each in self.arrays.items() if key[0] in needed}
        self.size = sum(each.nbytes for each in self.arrays.values())

    def __call__(self, key: Key, draw: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of a key, drawn if need be."""
        with self._lock:  # of two threads that ask for the same, one draws
            if (array := self.arrays.pop(key, None)) is None:
                array = draw()
                array.flags.writeable = False
                if array.nbytes > self.limit:
                    return array
                self.size += array.nbytes
            self.arrays[key] = array
            while self.size > self.limit:
                self.size -= self.arrays.pop(next(iter(self.arrays))).nbytes
        return array


DRAWN = Drawn()
