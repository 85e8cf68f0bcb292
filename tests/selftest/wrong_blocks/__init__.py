"""Residual blocks that are not the identity where the residual is nothing, in each framework."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def wrong_blocks(framework: str) -> dict[str, Callable[..., Any]]:
    """The wrong blocks of a framework that is installed, on 14x14x64, each with what is wrong."""
    found: dict[str, Callable[..., Any]] = import_module(f"{__name__}.{framework}").WRONG
    return found
