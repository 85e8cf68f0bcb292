"""The networks of a reference file: their rows in the paper's order, and what follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from conformance.reference.layers import (
    SHORTCUTS,
    SILENT,
    Group,
    Layer,
    Part,
    Setting,
    Size,
    depth,
    flat,
    margin,
    parse,
)
from conformance.reference.tables import Page, Record, Table, damaged

#: A place in a cell for what another column prints: ``1x1 (#3x3 reduce)``, ``[…] x (n)``.
_COLUMN = re.compile(r"\(([^()]+)\)")


@dataclass(frozen=True)
class Row:
    """A row of the paper's table for one model: its layers as they stand, and what they leave.

    ``after`` names the row at whose end an auxiliary head starts; other rows follow each other.
    """

    name: str
    output: str
    parts: tuple[Part, ...]
    size: Size
    after: str = ""
    place: str = ""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer, the projections of shortcuts included."""
        return tuple(flat(self.parts))

    @property
    def convolutions(self) -> tuple[str, ...]:
        """The convolutions, projections included, and dense layers: ``3x3/2 64``, ``fc 4096``."""
        return tuple(layer.text for layer in self.layers if layer.weighted)

    @property
    def operations(self) -> tuple[str, ...]:
        """The other layers: ``max pool 3x3/2``, ``LRN``, ``dropout 0.5``, ``rbf 10``."""
        others = (layer for layer in self.layers if not layer.weighted)
        return tuple(layer.text for layer in others if layer.kind not in SILENT)

    @property
    def dropout(self) -> float | None:
        """The share that its dropout drops; None without one."""
        rates = (layer.text.split()[1] for layer in self.layers if layer.kind == "dropout")
        return next((float(rate) for rate in rates), None)

    @property
    def branches(self) -> int:
        """How many branches its first module has; 0 without one."""
        modules = (part for part in self.parts if isinstance(part, Group) and not part.added)
        return next((len(module.branches) for module in modules), 0)


@dataclass(frozen=True)
class Model:
    """One published network: its input, its rows in the paper's order, its totals as printed.

    Auxiliary heads are the last rows.
    """

    name: str
    family: str
    aliases: tuple[str, ...]
    input: Size
    rows: list[Row]
    cells: dict[str, str] = field(default_factory=dict)

    @property
    def row_names(self) -> list[str]:
        """The names of the rows, in the paper's order."""
        return [row.name for row in self.rows]

    def row(self, name: str) -> Row:
        """The row of that name.  Raises :class:`KeyError`."""
        return {row.name: row for row in self.rows}[name]

    def count(self, convention: str, row: str = "") -> int:
        """How many layers, by a named convention, on the longest path of one row or of all."""
        rows = self._inference(row)
        if convention == "table rows":
            return len(rows)
        return sum(depth(each.parts, _LAYERS[convention]) for each in rows)

    def kernels(self, row: str = "", pooling: bool = False) -> tuple[str, ...]:
        """The different kernels of the convolutions or pools of one row or of all."""
        kinds = _LAYERS["pooling layers" if pooling else "convolutional layers"]
        layers = [layer for each in self._inference(row) for layer in each.layers]
        found = [each for each in layers if each.kind in kinds and each.text != "average pool"]
        return tuple(sorted({"x".join(map(str, each.kernel)) for each in found}))

    def total(self, convention: str, row: str = "") -> int | None:
        """Parameters or multiply-adds of one row or of all; None where the table does not tell.

        A table does not say which convolutions have biases and which are normalised, so
        ``weights + bias`` gives each of them a bias.  ``maps`` are those that convolutions make:
        as many as have a bias, or a batch norm, if all have one.
        """
        layers = [layer for each in self._inference(row) for layer in each.layers if layer.weighted]
        match convention:
            case "weights":
                return sum(layer.weights for layer in layers)
            case "weights + bias":
                return sum(layer.weights + layer.width for layer in layers)
            case "maps":
                return sum(layer.width for layer in layers if layer.kind == "conv")
            case "multiply-adds":
                return sum(layer.weights * layer.size[0] * layer.size[1] for layer in layers)
        return None

    def successions(self) -> set[tuple[str, str]]:
        """Which convolution or dense layer directly follows which, auxiliary heads apart.

        The first of the network follow ``""``.
        """
        found: set[tuple[str, str]] = set()
        before = frozenset([""])
        for row in self._inference(""):
            before = _follow(row.parts, before, found)
        return found

    def _inference(self, row: str) -> list[Row]:
        return [self.row(row)] if row else [each for each in self.rows if not each.after]


def _follow(
    parts: Iterable[Part], before: frozenset[str], found: set[tuple[str, str]]
) -> frozenset[str]:
    """What a layer behind the parts follows, given what their first layers do."""
    for part in parts:
        if isinstance(part, Group):
            ends = [_follow(branch, before, found) for branch in part.branches]
            before = frozenset().union(*ends)
        elif part.weighted:
            found.update((each, part.text) for each in before)
            before = frozenset([part.text])
    return before


_LAYERS = {
    "weight layers": ("conv", "fc"),
    "convolutional layers": ("conv",),
    "dense layers": ("fc",),
    "pooling layers": ("max pool", "average pool", "subsample"),
}


def models(stem: str, page: Page) -> Iterator[Model]:
    """The models of one file.  Raises :class:`DamagedReference`."""
    records = [record for table in page.under("Models") for record in table.records]
    known = [record["model"] for record in records]
    decided = {
        record["claim"]: record["counted"]
        for table in page.under("Disputed")
        for record in table.records
    }
    for index, record in enumerate(records):
        name = record["model"]
        sides = re.fullmatch(r"(\d+)x(\d+)x(\d+)", record["input"])
        if not sides:
            raise damaged(record.place, "the input is no height x width x channels")
        if name in known[:index] or not name:
            raise damaged(record.place, f"the model {name!r} is listed twice or has no name")
        aliases = tuple(each.strip() for each in record["aliases"].split(",") if each.strip())
        height, width, maps = (int(side) for side in sides.groups())
        model = Model(name, stem, aliases, (height, width, maps), [], dict(record.cells))
        for table in defining(page, name, known):
            _extend(model, table, decided)
        yield model


def defining(page: Page, model: str, known: list[str]) -> list[Table]:
    """The tables whose rows a model has: that of its layers, and those of its auxiliary heads.

    Its layers stand in the first table that speaks of it, with a column or a note, or of none.
    """
    tables = [table for table in page.under("Layers") if model in spoken(table, known)]
    layers = [table for table in tables if "after" not in table.header]
    if not layers:
        raise damaged(page.name, f"no table has the layers of {model}")
    return [layers[0], *(table for table in tables if "after" in table.header)]


def spoken(table: Table, known: Iterable[str]) -> list[str]:
    """The models that a table speaks of: its note's, those with columns, or else all."""
    noted = [each.strip() for each in table.notes.get("model", "").split(",") if each.strip()]
    return noted or [name for name in known if name in table.header] or [*known]


def _extend(model: Model, table: Table, decided: Mapping[str, str]) -> None:
    shortcut = table.notes.get("shortcut", "")
    if shortcut not in SHORTCUTS:
        raise damaged(table.place, f"unknown shortcut {shortcut!r}")
    for record in table.records:
        name, after = record["layer"], record["after"]
        rows = {row.name: row for row in model.rows}
        if name in rows:
            raise damaged(record.place, f"the layer {name!r} is listed twice")
        if "after" in table.header and after not in rows:
            raise damaged(record.place, f"{model.name} has no layer {after!r}")
        start = rows[after].size if after else _end(model)
        said = f"{model.family}/{model.name}/{name}"
        texts = [cell(table, record, column, model) for column in ("operation", model.name)]
        text = ", ".join(filter(None, texts))
        for quantity in ("convolutions", "operations"):
            text = decided.get(f"{said}/{quantity}", text)
        padding = record["padding"] or table.notes.get("padding", "0")
        padding = decided.get(f"{said}/padding", padding)
        try:
            margin(padding, kernel=1)
            setting = Setting(padding, int(record["stride"] or 1), shortcut)
            parts, size = setting.place(parse(text) if text else (), start)
        except ValueError as error:
            raise damaged(record.place, str(error)) from error
        model.rows.append(Row(name, record["output"], tuple(parts), size, after, record.place))


def _end(model: Model) -> Size:
    straight = [row.size for row in model.rows if not row.after]
    return straight[-1] if straight else model.input


def cell(table: Table, record: Record, column: str, model: Model) -> str:
    """What a cell writes: a word that a note explains, with the columns it refers to filled in.

    A reference is to a column of the row, or of the model's own row in *Models*.
    """
    text = record[column]
    text = table.notes.get(text, text)
    try:
        return _COLUMN.sub(lambda name: _filled(record, model, name[1]), text)
    except KeyError as error:
        raise damaged(record.place, f"there is no column {error}") from None


def _filled(record: Record, model: Model, name: str) -> str:
    return record.cells[name] if name in record.cells else model.cells[name]


def referred(page: Page) -> set[str]:
    """The columns that cells of layers refer to: parts of a layer, not counts of their own."""
    tables = page.under("Layers")
    texts = [text for table in tables for text in table.notes.values()]
    texts += [text for table in tables for each in table.records for text in each.cells.values()]
    return {name for text in texts for name in _COLUMN.findall(text)}
