"""What pytest loads wherever this package is installed: the decorator's tests, and no option.

It runs in everybody's test runs, beside projects that may have a package of our name.  So it is a
module of its own, claims no option's name, and imports ``conformance`` only for a test file that
did so itself.  The suite's own options come with ``pytest --pyargs conformance``.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any

import pytest

#: Where the decorator's options are defined; whatever else a function carries is its own affair.
DECORATOR = "conformance.pytest.decorator"


def pytest_load_initial_conftests(early_config: pytest.Config, args: Sequence[str]) -> None:
    """Bring the suite's options along when the suite itself is asked for."""
    asked = any(each.partition("::")[0].split(".")[0] == "conformance" for each in args)
    if asked and early_config.known_args_namespace.pyargs:
        early_config.pluginmanager.import_plugin("conformance.pytest.suite")


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of the decorator's tests."""
    config.addinivalue_line("markers", "conformance: a check of a port against a published network")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item] | None:
    """One item a check for a factory under ``conformance.port``."""
    if type(obj) is not FunctionType:
        return None
    options: Any = obj.__dict__.get("conformance")
    if type(options).__module__ != DECORATOR:
        return None
    from conformance.pytest import items

    return items.decorated(collector, name, options, obj)
