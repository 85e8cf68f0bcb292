"""What the documents print: tables, claims and disputes, read from the files beside this one.

No framework and no NumPy.  A family is one file; its stem is its name everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from conformance.reference.claims import Claim, Dispute
from conformance.reference.entries import Entries
from conformance.reference.layers import Layer
from conformance.reference.models import Model, Row
from conformance.reference.models import models as _models
from conformance.reference.printed import Printed
from conformance.reference.tables import DamagedReference, Record, Table, read

__all__ = [
    "Claim",
    "DamagedReference",
    "Dispute",
    "Family",
    "Layer",
    "Model",
    "Printed",
    "Record",
    "Row",
    "Table",
    "UnknownArchitecture",
    "claims",
    "families",
    "family",
    "find",
    "models",
]

HERE = Path(__file__).parent

#: All that is no letter of a name and no digit.
OTHERS = bytes(byte for byte in range(256) if not chr(byte).isalnum() or byte > 127)


class UnknownArchitecture(LookupError):
    """No model has this name; the message offers the nearest ones."""


@dataclass(frozen=True, slots=True)
class Family:
    """One file: its title, the documents it quotes, and everything read from its tables.

    A file of claims that are about no network has neither models nor layers.
    """

    stem: str
    title: str
    sources: dict[str, str]
    models: list[Model]
    layers: list[Table]
    claims: list[Claim]
    disputed: list[Dispute]
    tables: list[Table]


def families(folder: Path = HERE) -> list[str]:
    """The stems of the reference files, in alphabetical order; capitals are about the files.

    Raises :class:`DamagedReference` where there are none.
    """
    found = sorted(path.stem for path in folder.glob("*.md") if path.stem.islower())
    if not found:
        raise DamagedReference(f"{folder}: there are no reference files")
    return found


@cache
def family(stem: str, folder: Path = HERE) -> Family:
    """Read one file.  Raises :class:`DamagedReference`."""
    page = read(folder / f"{stem}.md")
    models = list(_models(stem, page))
    entries = Entries(stem, page, {model.name: model for model in models})
    claims_ = entries.claims()
    return Family(
        stem,
        page.title,
        page.sources,
        [_decided(model, claims_) for model in models],
        page.under("Layers"),
        claims_,
        entries.disputes({claim.id: claim for claim in claims_}),
        page.tables,
    )


def models(folder: Path = HERE, stems: Iterable[str] = ()) -> dict[str, Model]:
    """Every model of every family, or of some, under its published name.

    Raises :class:`DamagedReference`.
    """
    found: dict[str, Model] = {}
    stems = stems or families(folder)
    for model in (model for stem in stems for model in family(stem, folder).models):
        if model.name in found:
            other = found[model.name].family
            raise DamagedReference(f"{model.name} is in both {other} and {model.family}")
        found[model.name] = model
    return found


def claims(*quantities: str, folder: Path = HERE) -> list[Claim]:
    """Every claim of every family, or those of the named quantities."""
    every = (claim for stem in families(folder) for claim in family(stem, folder).claims)
    return [claim for claim in every if not quantities or claim.quantity in quantities]


def find(name: str, folder: Path = HERE) -> Model:
    """The model of this name or alias, whatever its case and punctuation.

    Raises :class:`UnknownArchitecture`.
    """
    wanted = _plain(name)
    # To read every family takes as long as to trace a network: those come first that say the name.
    likely = [stem for stem in families(folder) if wanted.encode() in _said(stem, folder)]
    known = _known(folder, likely)
    if wanted not in known:
        known = _known(folder, families(folder))
    if wanted not in known:
        within = sorted((each for each in known if each in wanted), key=len, reverse=True)
        near = within + get_close_matches(wanted, known, n=3, cutoff=0)
        names = ", ".join([*dict.fromkeys(known[each].name for each in near)][:3])
        raise UnknownArchitecture(f"no architecture is called {name!r}; the nearest are {names}")
    return known[wanted]


def _known(folder: Path, stems: Iterable[str]) -> dict[str, Model]:
    return {_plain(n): model for model in models(folder, stems).values() for n in _names(model)}


@cache
def _said(stem: str, folder: Path) -> bytes:
    """The letters and digits of a file."""
    return (folder / f"{stem}.md").read_bytes().lower().translate(None, OTHERS)


def _names(model: Model) -> tuple[str, ...]:
    return (model.name, *model.aliases)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _decided(model: Model, claims_: list[Claim]) -> Model:
    """The model with the sizes that a later table prints."""
    own = [claim for claim in claims_ if claim.model == model.name]
    output = {claim.layer: claim.printed for claim in own if claim.quantity == "output"}
    rows = [replace(row, output=row.output or output.get(row.name, "")) for row in model.rows]
    return replace(model, rows=rows)
