"""Pairs of models that have weights of their own: the same, or with one mistake between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models of one framework and the size of the images that both take.

    Where they differ, ``node`` is the layer of the first, ``attribute`` the attribute or slot and
    ``found`` what is found there; ``parts`` is the layer whose results are the first to differ.
    ``stops`` is the place that a refusal to carry the one's values over to the other names, and
    ``open`` what keeps results from being compared.
    """

    one: Callable[[], Any]
    other: Callable[[], Any]
    size: tuple[int, int, int]
    node: str = ""
    attribute: str = ""
    found: Any = None
    parts: str = ""
    stops: str = ""
    open: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """A model at its initial values; where they are wrong, at which layer and in what words."""

    model: Callable[[], Any]
    size: tuple[int, int, int]
    node: str = ""
    said: str = ""


def pairs(framework: str) -> dict[str, Pair]:
    """The pairs of a framework that is installed."""
    found: dict[str, Pair] = import_module(f"{__name__}.{framework}").PAIRS
    return found


def taught(framework: str) -> dict[str, Pair]:
    """Pairs that are alike in inference, whatever they are in training."""
    found: dict[str, Pair] = import_module(f"{__name__}.{framework}").TAUGHT
    return found


def starts(framework: str) -> dict[str, Start]:
    """The initial values, right and wrong, of a framework that is installed."""
    found: dict[str, Start] = import_module(f"{__name__}.{framework}").STARTS
    return found
