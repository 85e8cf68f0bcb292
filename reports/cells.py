"""How things look in a Markdown table: escaped text, numbers as people read them, powers of ten."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from html import escape
from math import floor, log10
from typing import Any

from tabulate import tabulate

#: Characters that would begin Markdown; a star or underscore between blanks or letters does not.
_MARKDOWN = re.compile(r"[\\`~|\[\]]|(?<! )\*|\*(?! )|(?<![^\W_])_|_(?![^\W_])")


def text(value: object) -> str:
    """Any text as it is, with nothing in it that Markdown or HTML would obey."""
    plain = " ".join(str(value).split())
    return _MARKDOWN.sub(r"\\\g<0>", escape(plain, quote=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> str:
    """A Markdown table of finished cells; columns whose header is in ``right`` end alike."""
    rows = list(rows)
    # Without rows there is nothing to align, and tabulate 0.9 fails where it is told how.
    aligned = ["right" if name in right else "left" for name in header] if rows else None
    return tabulate(
        rows, headers=list(header), tablefmt="pipe", colalign=aligned, disable_numparse=True
    )


def number(found: Any, printed: str = "") -> str:
    """A found value: 25,557,032, 28x28x512, 5.98% where the print has per cent, 3x3 64 x 6."""
    if isinstance(found, int):
        return f"{found:,}"
    if isinstance(found, str):
        value = float(Fraction(found))
        return f"{100 * value:.4g}%" if printed.endswith("%") else f"{value:.6g}"
    if all(isinstance(each, str) for each in found):
        counts = Counter(found)
        parts = (each if times == 1 else f"{each} × {times}" for each, times in counts.items())
        return ", ".join(parts) or "nothing"
    return "x".join(map(str, found))


def below(value: float | None) -> str:
    """The power of ten above a number, which two machines are likely to share."""
    if value is None:
        return "not a number"
    return f"< 1e{floor(log10(value)) + 1}" if value else "0"


def above(value: float | None) -> str:
    """The power of ten below a number."""
    if value is None:
        return "not a number"
    return f"> 1e{floor(log10(value))}" if value else "0"


def listed(words: Iterable[str]) -> str:
    """``flax, keras``."""
    return ", ".join(words)
