"""Models that are right in inference and wrong in training or in the gradient, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Backward:
    """A network whose gradient was altered in one place, in a STEP only that of training.

    ``layer`` is the row of the slot closest to the output that has to be wrong, and ``slot`` its
    name where no other of that node may be.  ``share`` is what is left of the right gradient
    there: 0 of one that was cut, 2 of one that was doubled; None where it is another gradient.
    """

    architecture: str
    wrong: Callable[..., Any]
    layer: str
    share: float | None
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """A network that trains in another way than its paper's.

    ``layer`` is the row where that first shows: in a result, or only in what the running
    statistics have become after a step, as ``statistics`` says.
    """

    architecture: str
    wrong: Callable[..., Any]
    layer: str
    statistics: bool


def wrong_models(framework: str, what: str) -> dict[str, Any]:
    """The wrong models of a framework that is installed: its BACKWARD, TRAINING or STEP."""
    found: dict[str, Any] = getattr(import_module(f"{__name__}.{framework}"), what)
    return found
