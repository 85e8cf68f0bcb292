"""Wrong models that must be caught, each with one bug and the place where it has to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """A network with one bug.

    ``wrong`` builds it; ``layer`` is the row of the paper's table where the first difference has
    to be found and ``attribute`` what has to differ there (``missing`` and ``extra`` for a whole
    node).  ``numbers`` says whether a float64 forward at equal weights can see it.
    """

    architecture: str
    wrong: Callable[..., Any]
    layer: str
    attribute: str
    numbers: bool


def mutants(framework: str) -> dict[str, Mutant]:
    """The wrong models of a framework that is installed."""
    found: dict[str, Mutant] = import_module(f"conformance.selftest.{framework}").MUTANTS
    return found
