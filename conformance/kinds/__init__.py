"""The kinds of layers: one row each, which holds all that the suite knows about it.

A file of this folder holds the rows of one kind or of a few that are alike; a row is found by
being there.  A primitive that is of no kind stays in the graph as ``unknown:<primitive>``.
"""

from importlib import import_module
from pkgutil import iter_modules

from conformance.kinds.kind import (
    ACTIVATION,
    END,
    JOIN,
    KEEPS_SIGN,
    KINDS,
    NON_NEGATIVE,
    NORM,
    PASSING,
    POOLING,
    RESIZING,
    UNORDERED,
    WEIGHTED,
    WHOLE,
    Kind,
    Spread,
    counted_as,
    having,
)

__all__ = [
    "ACTIVATION", "END", "JOIN", "KEEPS_SIGN", "KINDS", "NON_NEGATIVE", "NORM", "PASSING",
    "POOLING", "RESIZING", "UNORDERED", "WEIGHTED", "WHOLE", "Kind", "Spread", "counted_as",
    "having",
]  # fmt: skip

for _module in iter_modules(__path__):
    _found = vars(import_module(f"{__name__}.{_module.name}")).values()
    KINDS.update({row.name: row for row in _found if isinstance(row, Kind)})
