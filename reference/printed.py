"""A number as printed: its value, and how precisely it was meant."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property

from conformance.reference.arithmetic import evaluate

Value = int | Fraction | tuple[int, ...]

_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]

_UNITS = {
    "": Fraction(1),
    "%": Fraction(1, 100),
    "M": Fraction(10**6),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "MB": Fraction(10**6),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
    "us": Fraction(1, 10**6),
}

#: Words before a number that bound a count instead of giving it.
_BOUNDS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "under": operator.lt,
    "at most": operator.le,
    "at least": operator.ge,
    "over": operator.gt,
}

_BOUND = re.compile(rf"({'|'.join(_BOUNDS)}) (.*)")

_SIZE = re.compile(r"\d+(?: ?[x×] ?\d+)+")
_NUMBER = re.compile(
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<part>\d+))?"
    r"(?:(?:e| ?[x×] ?10\^)(?P<exponent>-?\d+))?"
    r" ?(?P<unit>[^\d\s]*)"
)
_FORMULA = re.compile(r"[\d\s.+*/^()-]*[+*/^()-][\d\s.+*/^()-]*")


class Printed:
    """A printed count, share, size or formula.

    ``3.8e9``, ``1.8×10^9``, ``128M``, ``62.3 million``, ``159K``, ``60,000``, ``6%``, ``seven``,
    ``28x28x512``, ``28 * 28 * 6``, ``under 25 million``.  Raises
    :class:`ValueError` naming the text it cannot read.
    """

    #: Whether the digits are the whole number, so that a count agrees only by being equal.
    exact = True
    #: Whether the value depends on what K stands for.
    thousands = False

    def __init__(self, text: str, k: int | None = None) -> None:
        """``k`` is what a K stands for, 1000 or 1024; only a text with a K needs it."""
        self.text, self._k = text, k
        self._scale = Fraction(1)
        self._parsed: Fraction | tuple[int, ...]
        self._bound = None
        if bound := _BOUND.fullmatch(text):
            self._bound, text = _BOUNDS[bound[1]], bound[2]
        if text in _WORDS:
            self._parsed = Fraction(_WORDS.index(text))
        elif number := _NUMBER.fullmatch(text):
            self._parsed = self._number(**number.groupdict())
        elif _SIZE.fullmatch(text):
            self._parsed = tuple(int(side) for side in re.findall(r"\d+", text))
        elif _FORMULA.fullmatch(text):
            self._parsed = evaluate(text)
        else:
            raise ValueError(f"{text!r} is not a number, a size or a formula")

    def _number(self, whole: str, part: str | None, exponent: str | None, unit: str) -> Fraction:
        if unit != "K" and unit not in _UNITS:
            raise ValueError(f"{self.text!r} has the unknown unit {unit!r}")
        self.exact = not (part or exponent or unit)
        self.thousands = unit == "K"
        self._scale = Fraction(10) ** (int(exponent or 0) - len(part or "")) * _UNITS.get(unit, 1)
        return Fraction(whole.replace(",", "") + (part or ""))

    @property
    def _unit(self) -> Fraction:
        """What one more in the last printed digit would mean."""
        if not self.thousands:
            return self._scale
        if self._k not in (1000, 1024):
            raise ValueError(f"{self.text!r} does not say whether K is 1000 or 1024")
        return self._scale * self._k

    @cached_property
    def value(self) -> Value:
        """An exact integer or fraction, or a size as a tuple."""
        if isinstance(self._parsed, tuple):
            return self._parsed
        value = self._parsed * self._unit
        return int(value) if value.denominator == 1 else value

    def agrees_with(self, count: Value) -> bool:
        """Whether ``count`` may have been printed like this: less than one last digit away.

        A number printed in full agrees with itself only.  A size agrees with a shape that
        starts with it, or with one number for all its sides; a vector is a 1x1 map.  A bound
        agrees with what keeps to it.
        """
        return self._near(count, Fraction(1), inclusive=False)

    def rounds(self, count: Value) -> bool:
        """Whether this is ``count`` properly rounded to the printed digits."""
        return self._near(count, Fraction(1, 2), inclusive=True)

    def _near(self, count: Value, units: Fraction, inclusive: bool) -> bool:
        if isinstance(self._parsed, tuple):
            if not isinstance(count, tuple):
                return all(side == count for side in self._parsed)
            shape = (1, 1, *count) if len(count) == 1 else count
            return shape[: len(self._parsed)] == self._parsed
        if isinstance(count, tuple):
            *sides, count = count
            if any(side != 1 for side in sides):
                return False
        if self._bound:
            return self._bound(Fraction(count), self._parsed * self._unit)
        distance = abs(Fraction(count) - self._parsed * self._unit)
        if self.exact:
            return distance == 0
        allowed = units * self._unit
        return distance < allowed or (inclusive and distance == allowed)
