"""Wrong models that must be caught, each with one bug and the place where it has to be found.

``bugs.md`` lists the bugs; a framework's room here plants each by a function of its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from conformance.reference.tables import read
from tests.selftest import mistakes
from tests.selftest.rows import Wrong

#: The files of a framework's room that plant the bugs of the list, each a function of its name.
FILES = ("classics", "resnets", "inceptions", "training", "ports")

#: What shows a bug: the headings of ``bugs.md``, in small letters.
MODES = (
    "structure",
    "training",
    "gradient",
    "step",
    "initialisation",
    "gate",
    "remarks",
    "compare",
)


@dataclass(frozen=True, slots=True)
class Bug:
    """One row of ``bugs.md``.

    ``layer`` is the row of the paper's table where the first difference has to be found and
    ``attribute`` what has to differ there (``missing`` and ``extra`` for a whole node).
    ``numbers`` says whether a float64 forward at equal weights is run, and sees it.  ``form`` is
    the function of the right form, where that is not the network as it stands, and ``rooms`` are
    the frameworks that can express the bug, if not all can.  The others are as in :class:`.Wrong`.
    """

    name: str
    architecture: str
    layer: str
    attribute: str
    mode: str
    numbers: bool
    who: str
    form: str = ""
    found: str = ""
    parts: str = ""
    stops: str = ""
    rooms: tuple[str, ...] = ()


@cache
def bugs() -> dict[str, Bug]:
    """Every bug of the list, by name.  Raises :class:`~reference.tables.DamagedReference`."""
    headings = {mode.capitalize(): mode for mode in MODES}
    page = read(Path(__file__).with_name("bugs.md"), needed=tuple(headings))
    return {
        row["bug"]: Bug(
            row["bug"],
            row["network"],
            row["row"],
            row["attribute"],
            headings[table.heading],
            row["numbers"] == "yes",
            row["who makes it"],
            row["right form"],
            row["found"],
            row["parts at"],
            row["stops"],
            tuple(row["in"].split()),
        )
        for table in page.tables
        for row in table.records
    }


@cache
def causes() -> dict[str, str]:
    """For each bug of one node that numbers see, what makes its error vanish."""
    page = read(Path(__file__).with_name("causes.md"), needed=None)
    tables = [table for table in page.tables if "cause" in table.header]
    return {row["bug"]: row["cause"] for table in tables for row in table.records}


@cache
def words() -> dict[str, str]:
    """For each bug in what a network starts from, what is said of it."""
    page = read(Path(__file__).with_name("causes.md"), needed=None)
    tables = [table for table in page.tables if "words" in table.header]
    return {row["bug"]: row["words"] for table in tables for row in table.records}


@cache
def mutants(framework: str) -> dict[str, Wrong]:
    """The wrong models of a framework that is installed, in the order of the list.

    Raises :class:`KeyError` for a bug that the framework's room does not plant, and should.
    """
    room = import_module(f"tests.selftest.{framework}")
    pairs = import_module(f"{room.__name__}.pairs")
    planted: dict[str, Any] = {}
    for file in FILES:
        planted |= vars(import_module(f"{room.__name__}.{file}"))

    def made(bug: Bug, name: str) -> Callable[..., Any]:
        if bug.mode != "compare":
            factory: Callable[..., Any] = room.planted(bug.architecture, planted[name])
            return factory
        own = vars(pairs).get(name)
        return own or partial(pairs.mistaken, getattr(mistakes, name))

    return {
        name: Wrong(
            **{key: value for key, value in asdict(bug).items() if key != "rooms"},
            wrong=made(bug, name),
            right=made(bug, bug.form) if bug.form else None,
        )
        for name, bug in bugs().items()
        if not bug.rooms or framework in bug.rooms
    }
