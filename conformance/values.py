"""How a value is written, in messages, profiles, pages and files alike."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

#: A list of more than these is only counted.
LONGEST = 8


def text(value: Any) -> str:
    """``2x2`` for a size, ``yes``, ``1e-05``; nothing for None.

    A padding is ``(1, 1)``, vertical and horizontal, or ``(0, 1, 0, 1)``, top, bottom, left and
    right, where two sides differ.
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() | Fraction():
            return f"{float(value):g}"
        case ((int(), int()), (int(), int())):
            (top, bottom), (left, right) = value
            sides = (top, left) if (top, left) == (bottom, right) else (top, bottom, left, right)
            return f"({', '.join(map(str, sides))})"
        case (str(), *_):
            return ", ".join(map(text, value))
        case (_, *_) if len(value) > LONGEST:
            return f"a list of {len(value)}"
        case (*_,):
            return "x".join(map(text, value))
    return str(value)
