"""The kinds of layers: one row each, which holds all that the suite knows about it.

A file of this folder holds the rows of one kind or of a few that are alike; a row is found by
being there.  A primitive that is of no kind stays in the graph as ``unknown:<primitive>``.
"""

from importlib import import_module
from pkgutil import iter_modules

from conformance.kinds.kind import KINDS, Kind, Spread, counted_as, having

__all__ = ["KINDS", "Kind", "Spread", "counted_as", "having"]

for _module in iter_modules(__path__):
    _found = vars(import_module(f"{__name__}.{_module.name}")).values()
    KINDS.update({row.name: row for row in _found if isinstance(row, Kind)})
