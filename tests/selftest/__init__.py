"""Wrong models that must be caught, each with one bug and the place where it has to be found.

``bugs.md`` lists the bugs; a framework's room here plants each by a function of its name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from conformance.reference.tables import read
from tests.selftest.rows import Wrong

#: The files of a framework's room that plant the bugs of the list, each a function of its name.
FILES = ("classics", "resnets", "inceptions", "training")

#: What shows a bug: the headings of ``bugs.md``, in small letters.
MODES = ("structure", "training", "gradient", "initialisation")


@dataclass(frozen=True, slots=True)
class Bug:
    """One row of ``bugs.md``.

    ``layer`` is the row of the paper's table where the first difference has to be found and
    ``attribute`` what has to differ there (``missing`` and ``extra`` for a whole node).
    ``numbers`` says whether a float64 forward at equal weights is run, and sees it.
    """

    name: str
    architecture: str
    layer: str
    attribute: str
    mode: str
    numbers: bool
    who: str


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
        )
        for table in page.tables
        for row in table.records
    }


@cache
def causes() -> dict[str, str]:
    """For each bug of one node that numbers see, what makes its error vanish."""
    page = read(Path(__file__).with_name("causes.md"), needed=None)
    return {row["bug"]: row["cause"] for table in page.tables for row in table.records}


@cache
def mutants(framework: str) -> dict[str, Wrong]:
    """The wrong models of a framework that is installed, in the order of the list.

    Raises :class:`KeyError` for a bug that the framework's room does not plant.
    """
    room = import_module(f"tests.selftest.{framework}")
    planted = {
        name: function
        for file in FILES
        for name, function in vars(import_module(f"{room.__name__}.{file}")).items()
    }
    return {
        name: Wrong(**asdict(bug), wrong=room.planted(bug.architecture, planted[name]))
        for name, bug in bugs().items()
    }
