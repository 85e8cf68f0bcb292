"""Known variants of the published networks: which differences each of them explains, and why.

One file a family in ``profiles/``, and ``any.md`` for what is done to networks of every family.
A profile is a heading, notes, and a table whose rows each describe one kind of finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conformance.reference.models import Model
from conformance.reference.tables import Table, damaged, read

HERE = Path(__file__).parent / "profiles"

#: The columns of a profile's table, and one that it may have.
COLUMNS = ("layer", "node", "attribute", "paper", "variant", "how many")
WITH = "with"

#: The variant of a port that takes away the mean of its own images.
PREPARED = "preprocessing inside the model"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of a profile: findings that it explains, as patterns, and how many there are.

    ``layer`` names rows of the paper's table (``*`` for any) or, with a slash, nodes as they are
    named in findings (``inception_b/*/c/*``); or it is ``input``, ``output`` (the last layer with
    weights), ``top`` (what follows the last map) or ``auxiliary`` (heads of training).
    ``node`` is a layer as the reference writes it, behind its kind: ``conv 3x3/2 128``; for an
    extra node it is that node.  ``*`` stands for anything.  ``count`` is a number, ``all`` (each
    expected node that the row describes), ``each KIND`` (as many as there are nodes of that kind
    in those layers) or ``any`` (also none).  ``having`` are attributes that an extra node has.
    """

    layer: str
    node: str
    attribute: str
    paper: str
    variant: str
    count: str
    place: str
    having: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A known variant: its name, whom it belongs to, what is said of it, and its differences.

    ``images`` are the only heights and widths for which it holds, where the note says so;
    ``another`` is True for a network of its own that only bears the name.
    """

    name: str
    family: str
    models: tuple[str, ...]
    says: str
    source: str
    found_in: str
    differences: tuple[Difference, ...]
    place: str
    another: bool = False
    images: tuple[str, ...] = ()

    def speaks_of(self, model: Model) -> bool:
        """Whether a port of this network can be this variant."""
        return self.family in ("any", model.family) and (
            not self.models or model.name in self.models
        )

    def takes(self, height: int, width: int) -> bool:
        """Whether a port that is given images of this size can be this variant."""
        return not self.images or f"{height}x{width}" in self.images


@cache
def profiles(folder: Path = HERE) -> tuple[Profile, ...]:
    """Every known variant, family by family.  Raises :class:`DamagedReference`."""
    found: list[Profile] = []
    for path in sorted(folder.glob("*.md")):
        for table in read(path, needed=None).tables:
            profile = _profile(path.stem, table)
            if any((p.name, p.family) == (profile.name, profile.family) for p in found):
                raise damaged(table.place, f"the profile {profile.name!r} is listed twice")
            found.append(profile)
    return tuple(found)


def of(model: Model, folder: Path = HERE) -> list[Profile]:
    """The variants in which a network is known."""
    return [profile for profile in profiles(folder) if profile.speaks_of(model)]


def _profile(stem: str, table: Table) -> Profile:
    if table.header not in (COLUMNS, (*COLUMNS, WITH)):
        columns = ", ".join(COLUMNS)
        raise damaged(table.place, f"a profile's columns are {columns} and, if needed, {WITH}")
    if not table.records:
        raise damaged(table.place, f"the profile {table.heading!r} explains nothing: it has no row")
    for note in ("says", "source"):
        if note not in table.notes:
            raise damaged(table.place, f"the profile {table.heading!r} has no note {note!r}")
    rows = tuple(
        Difference(
            record["layer"], record["node"], record["attribute"], record["paper"],
            record["variant"], record["how many"], record.place,
            _having(record[WITH] if WITH in table.header else "", record.place),
        )
        for record in table.records
    )  # fmt: skip
    for row in rows:
        _check(row)
    return Profile(
        table.heading,
        stem,
        _listed(table.notes.get("models", "")),
        table.notes["says"],
        table.notes["source"],
        table.notes.get("found in", ""),
        rows,
        table.place,
        table.notes.get("verdict") == "another network",
        _listed(table.notes.get("images", "")),
    )


def _having(text: str, place: str) -> tuple[tuple[str, str], ...]:
    """Attributes and their values, as ``padding (0, 0), bias no``."""
    pairs = [each.strip().partition(" ") for each in re.split(r",(?![^(]*\))", text) if each]
    if any(not value for _, _, value in pairs):
        raise damaged(place, f"the column {WITH} lists attributes, each with its value")
    return tuple((name, value) for name, _, value in pairs)


def _check(row: Difference) -> None:
    counted = row.count.isdecimal() or row.count in ("all", "any") or row.count[:5] == "each "
    if not counted:
        raise damaged(row.place, f"how many is a number, all, any or each KIND, not {row.count!r}")
    if row.having and row.attribute != "extra":
        raise damaged(row.place, f"the column {WITH} is for nodes that are extra")
    for column, value in zip(COLUMNS[:3], (row.layer, row.node, row.attribute), strict=True):
        if not value:
            raise damaged(row.place, f"the column {column} is empty; * stands for anything")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def of_the_image(name: str) -> bool:
    """Whether this is what follows from the image alone, of which there are as many as images."""
    return re.fullmatch(rf"other channels|for \d+x\d+ images|{PREPARED}", name) is not None


def names(found: Iterable[Profile]) -> str:
    """Several variants at once, as one name."""
    return " + ".join(profile.name for profile in found)
