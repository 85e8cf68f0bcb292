"""The JSON Schemas of what commands write, as files beside this one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Schemas that lie in another folder.
ELSEWHERE = {"results": "reports"}


def text(name: str) -> str:
    """A schema as it is printed: ``check``, ``compare``, ``identify``, ``gate`` or ``results``."""
    folder = Path(__file__).parents[1] / ELSEWHERE.get(name, "judge")
    return (folder / f"{name}.schema.json").read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """The same, read."""
    found: dict[str, Any] = json.loads(text(name))
    return found


def breach(data: Any, whole: dict[str, Any], definition: str) -> str:
    """The first breach of a definition of a schema, in one line; empty if there is none.

    It knows the words that our schemas use, and is ten times as fast as what knows them all:
    evidence has a hundred thousand numbers.
    """
    return next(_breaches(data, whole["$defs"][definition], whole["$defs"], definition), "")


def _breaches(data: Any, rule: Any, known: dict[str, Any], at: str) -> Iterator[str]:
    if rule is True:
        return
    if "$ref" in rule:
        yield from _breaches(data, known[rule["$ref"].rpartition("/")[2]], known, at)
    if not _of(data, rule):
        yield f"{at} is {_short(data)}"
        return
    for each in rule.get("allOf", ()):
        yield from _breaches(data, each, known, at)
    if choices := rule.get("oneOf"):
        found = [next(_breaches(data, each, known, at), "") for each in choices]
        if found.count("") != 1:
            yield next(filter(None, reversed(found)), f"{at} is ambiguous")
    if isinstance(data, dict):
        yield from _object(data, rule, known, at)
    elif isinstance(data, list) and "items" in rule:
        for index, each in enumerate(data):
            yield from _breaches(each, rule["items"], known, f"{at}[{index}]")


def _object(data: Any, rule: Any, known: dict[str, Any], at: str) -> Iterator[str]:
    for name in rule.get("required", ()):
        if name not in data:
            yield f"{at} has no {name!r}"
    named, rest = rule.get("properties", {}), rule.get("additionalProperties", True)
    for name, each in data.items():
        if name not in named and rest is False:
            yield f"{at} has {_short(name)}, which nobody reads"
            continue
        yield from _breaches(each, named.get(name, rest), known, f"{at}[{_short(name)}]")


TYPES = {
    "object": lambda x: isinstance(x, dict),
    "array": lambda x: isinstance(x, list),
    "string": lambda x: isinstance(x, str),
    "boolean": lambda x: isinstance(x, bool),
    "null": lambda x: x is None,
    "integer": lambda x: isinstance(x, int) and not isinstance(x, bool),
    "number": lambda x: isinstance(x, int | float) and not isinstance(x, bool),
}


def _of(data: Any, rule: dict[str, Any]) -> bool:
    """Whether a value by itself is what a rule says."""
    types = rule.get("type", ())
    types = [types] if isinstance(types, str) else types
    return (
        (not types or any(TYPES[each](data) for each in types))
        and ("const" not in rule or data == rule["const"])
        and ("enum" not in rule or data in rule["enum"])
        and ("minimum" not in rule or not TYPES["number"](data) or data >= rule["minimum"])
        and (
            "pattern" not in rule
            or not isinstance(data, str)
            or bool(re.search(rule["pattern"], data))
        )
    )


def _short(data: Any) -> str:
    said = repr(data)
    return said if len(said) <= 40 else f"{said[:37]}..."
