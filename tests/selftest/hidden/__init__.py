"""Ports whose structure hides what is wrong: shared layers, and operations without a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Hidden:
    """A network with a bug that its numbers alone can name.

    ``nodes`` are those that are wrong by themselves, in the paper's names, and ``cause`` is what
    makes the error of each vanish.
    """

    architecture: str
    wrong: Callable[[], Any]
    nodes: tuple[str, ...]
    cause: str


def hidden(framework: str) -> dict[str, Hidden]:
    """Such ports of a framework that is installed, by name."""
    found: dict[str, Hidden] = import_module(f"{__name__}.{framework}").HIDDEN
    return found
