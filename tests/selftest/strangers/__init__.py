"""Networks that libraries ship, and what each of them is: the proof of the known variants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True, slots=True)
class Stranger:
    """A network of a library: what it is called there, what it is, and as which variants.

    ``build`` makes it; ``package`` has to be installed.  ``variants`` are all that the gate has to
    find, in any order; ``another`` is the name of the network that it is instead.  With ``numbers``
    it is run, and what it starts from is looked at.  ``size`` is that of its images, if it takes
    others than the network's.
    """

    package: str
    build: Callable[[], Any]
    architecture: str
    variants: tuple[str, ...] = ()
    another: str = ""
    numbers: bool = False
    size: tuple[int, int, int] | None = None

    @property
    def missing(self) -> str:
        """Why it cannot be built here; empty if it can."""
        return "" if find_spec(self.package) else f"{self.package} is not installed"


def strangers(framework: str) -> dict[str, Stranger]:
    """The networks of a framework that is installed, by their names in their libraries."""
    return _listed(framework, "STRANGERS")


def others(framework: str) -> dict[str, Stranger]:
    """Networks that resemble one of the papers' and are not it: each has to deviate."""
    return _listed(framework, "OTHERS")


def _listed(framework: str, name: str) -> dict[str, Stranger]:
    module = f"{__name__}.{framework}"
    return getattr(import_module(module), name, {}) if find_spec(module) else {}
