"""Text that a terminal shows and does not obey: names, paths and messages of somebody else's."""

from __future__ import annotations

import re
from typing import Any

#: No message of anybody is longer, and no name in one; the result for programs has all of it.
MESSAGE, NAME = 1500, 300


def line(text: str, longest: int = MESSAGE) -> str:
    """One line without what moves a cursor, sets a colour or turns the direction of writing."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else _escaped(each) for each in text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def message(error: BaseException) -> str:
    """What an exception says; empty where it cannot even say it.

    Keras sets what it says in bold, and says first what it could not infer for that reason.
    """
    try:
        return re.sub(r"\x1b\[\d*m|Could not automatically infer .*? encountered:\s*", "",
                      str(error), flags=re.S)  # fmt: skip
    except Exception:
        return ""


def names(data: Any) -> Any:
    """A result in which every text is one line that can be printed."""
    if isinstance(data, str):
        return line(data, MESSAGE)
    if isinstance(data, dict):
        return {line(key, NAME): names(each) for key, each in data.items()}
    return [names(each) for each in data] if isinstance(data, list) else data


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
