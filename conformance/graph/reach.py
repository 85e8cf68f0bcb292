"""What is reached from some numbers of a list, whichever way its entries refer to one another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable


def reached(
    starts: Iterable[int], following: Callable[[int], Iterable[int]], barred: Collection[int] = ()
) -> set[int]:
    """The numbers that the search starts from and all that follow; -1 is none.

    It does not enter those that are ``barred``.
    """
    found: set[int] = set()
    stack = [*starts]
    while stack:
        if (index := stack.pop()) >= 0 and index not in found and index not in barred:
            found.add(index)
            stack.extend(following(index))
    return found
