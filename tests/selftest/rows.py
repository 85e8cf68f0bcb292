"""The rows of wrong models and of right ones, and where a framework's room keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from conformance.ports import implementations as frameworks

#: The size of the images that a model of one layer takes, and the channels that its layer reads.
SIZE, CHANNELS = (6, 6, 3), 8


@dataclass(frozen=True, slots=True)
class Wrong:
    """A model with one bug: what it is held against, where the bug has to show, and in what.

    ``architecture`` is the network, or the layer, that it would be; ``wrong`` builds it.  ``layer``
    is the row of the paper's table where the bug shows first, or the nodes that are wrong by
    themselves.  ``attribute`` has to differ there: ``missing`` and ``extra`` for a whole node, a
    slot of a gradient, ``statistics`` of what a training step leaves behind.  ``found`` is what is
    there instead; of a gradient the share of the right one that is left: 0 of one that was cut,
    2 of one that was doubled, None where it is another gradient.  ``cause`` is what makes the
    error vanish.  ``right`` builds the same thing done rightly, ``form`` by name, where that is not
    the network as it stands.  ``parts`` is the layer whose results are the first to differ, or the
    slot of a gradient that alone is wrong; ``stops`` the place that a refusal to carry values over
    names, and ``open`` what keeps results from being compared.  The rest is as in
    :class:`tests.selftest.Bug`.
    """

    architecture: str
    wrong: Callable[..., Any]
    layer: str = ""
    attribute: str = ""
    found: Any = None
    cause: str = ""
    name: str = ""
    mode: str = ""
    numbers: bool = True
    who: str = ""
    right: Callable[..., Any] | None = None
    form: str = ""
    parts: str = ""
    stops: str = ""
    open: str = ""

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that are wrong by themselves."""
        return tuple(self.layer.split(", "))


@dataclass(frozen=True, slots=True)
class Stranger:
    """A network of a library: what it is called there, what it is, and as which variants.

    It is no wrong model, and in no list of bugs.
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


def beside(one: Callable[[], Any], other: Callable[[], Any], layer: str = "", **what: Any) -> Wrong:
    """A row of two models of a room's ``pairs.py``; without ``layer`` they are the same."""
    return Wrong("small", other, layer, right=one, **what)


def rows(framework: str, file: str, name: str) -> dict[str, Any]:
    """Rows of a framework that is installed, by name: ``PAIRS`` of its ``pairs.py``, say."""
    found: dict[str, Any] = getattr(import_module(f"tests.selftest.{framework}.{file}"), name, {})
    return found


def parametrize(metafunc: Any, argument: str, listed: Callable[[str], dict[str, Any]]) -> None:
    """Give a test every row that the chosen frameworks have, each with the framework's name."""
    chosen = metafunc.config.getoption("framework") or frameworks.frameworks()
    cases = [
        pytest.param((room, each), id=f"{room}-{name}")
        for room in chosen
        if not frameworks.missing(room)
        for name, each in listed(room).items()
    ]
    none = pytest.param(None, marks=pytest.mark.skip("no framework is installed"), id="none")
    metafunc.parametrize(argument, cases or [none])
