"""What is written as JSON and read again: a class a row, which says what its fields may be.

msgspec builds JSON from the rows, refuses what is none, and derives the JSON Schema.
"""

from __future__ import annotations

import json
from math import inf, isfinite, nan
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
#: Height x width x channels, or fewer axes.
Shape = tuple[Count, ...]
Size = Annotated[float, Meta(ge=0)]
#: SHA-256.
Checksum = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object with exactly these fields; one whose default is UNSET may be left out."""


Some = TypeVar("Some")


def read(data: Any, of: type[Some], words: bool = False) -> Some:
    """JSON as a row.  Raises :class:`ValueError`, which says which field is not what it can be.

    With ``words`` a number may be written as one, as that without end is by :func:`written`.
    """
    return msgspec.convert(data, of, strict=not words)


def written(data: Any) -> Any:
    """Rows as JSON."""
    built = msgspec.to_builtins(data, enc_hook=_number)
    try:
        return json.loads(json.dumps(built, allow_nan=False))
    except ValueError:  # a number without end
        return plain(built)


def plain(value: Any) -> Any:
    """A value that JSON has; a number without end is written as a word."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def schema(of: type) -> dict[str, Any]:
    """The JSON Schema of a row."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(of)


def _number(value: Any) -> float:
    """NumPy's float64 is a float, though msgspec does not take it for one."""
    if isinstance(value, float):
        return float(value)
    raise NotImplementedError


#: JSON has no number for these.
WORDS = {"inf": inf, "-inf": -inf, "nan": nan}


def tuples(value: Any) -> Any:
    """A value of JSON with a tuple for every list, and a number for each word that is one."""
    if isinstance(value, str):
        return WORDS.get(value, value)
    return tuple(map(tuples, value)) if isinstance(value, list) else value
