"""Oracles that compute ahead of what is asked of them, while a port is being built and run.

Building a port, giving it its weights and going through its Python take one processor; meanwhile
the other one computes what the port is going to be compared with.  Results are the same numbers:
only when they are computed is another matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import copy_context
from threading import Condition, Thread

import numpy as np

from conformance.chunks import each
from conformance.numbers.oracle import Oracle

#: Bytes of results that may wait until somebody asks for them.
WAITING = 1 << 28


class Lookahead:
    """A walk through the graph of some oracles, node by node, in a thread of its own.

    Each of the oracles takes from it what it is asked to compute.  The walk has oracles of its own,
    so that what the others forget, and when, does not depend on how far it is.
    """

    def __init__(self, oracles: Sequence[Oracle]) -> None:
        self._graph = oracles[0].graph
        self._walking = [oracle.anew() for oracle in oracles]
        self._ready: dict[int, list[np.ndarray | None]] = {}
        self._size, self._next, self._wanted, self._ended = 0, 0, -1, False
        self._changed = Condition()
        for place, oracle in enumerate(oracles):
            oracle.ahead = lambda index, place=place: self._taken(index, place)
        self._oracles = oracles
        self._thread = Thread(target=copy_context().run, args=(self._walk,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop walking; what has not been taken is forgotten."""
        for oracle in self._oracles:
            oracle.ahead = None
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def _walk(self) -> None:
        for oracle in self._walking:
            for index in range(len(self._graph)):
                oracle.release(index)  # as soon as all that reads it has been computed
        try:
            for index in sorted(self._graph.ancestors(*self._graph.outputs)):
                if not self._may(index):
                    return
                each(lambda oracle: oracle.result(index), self._walking)  # noqa: B023  done at once
                self._has([oracle.result(index) for oracle in self._walking], index)
        except Exception:
            pass  # whoever asks for that computes it, and is told
        finally:
            with self._changed:
                self._next = len(self._graph)
                self._changed.notify_all()

    def _may(self, index: int) -> bool:
        """Wait until there is room for a result, or somebody waits for it; False at the end."""
        with self._changed:
            self._next = index
            self._changed.wait_for(
                lambda: self._ended or self._size < WAITING or index <= self._wanted
            )
            return not self._ended

    def _has(self, results: list[np.ndarray], index: int) -> None:
        with self._changed:
            self._ready[index] = [*results]
            self._size += sum(result.nbytes for result in results)
            self._next = index + 1
            self._changed.notify_all()

    def _taken(self, index: int, place: int) -> np.ndarray | None:
        """A result, once; None where it is not on the way ahead."""
        with self._changed:
            if index > self._wanted:
                self._wanted = index
                self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._ended or index in self._ready or index < self._next
            )
            results = self._ready.get(index)
            if results is None or (found := results[place]) is None:
                return None
            results[place] = None
            self._size -= found.nbytes
            self._changed.notify_all()
            return found
