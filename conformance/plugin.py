"""What pytest loads wherever this package is installed: the decorator's tests, and no option.

It is loaded in everybody's test runs, so it imports nothing heavy and claims no option's name.  The
suite's own options come with ``pytest --pyargs conformance``, which loads ``conformance.suite``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conformance.porting.ported import options_of


def pytest_load_initial_conftests(early_config: pytest.Config, args: Sequence[str]) -> None:
    """Bring the suite's options along when the suite itself is asked for."""
    asked = any(each.partition("::")[0].split(".")[0] == "conformance" for each in args)
    if asked and early_config.known_args_namespace.pyargs:
        early_config.pluginmanager.import_plugin("conformance.suite")


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of the decorator's tests."""
    config.addinivalue_line("markers", "conformance: a check of a port against a published network")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item] | None:
    """One item a check for a factory under ``conformance.port``."""
    options = options_of(obj)
    if options is None:
        return None
    from conformance.porting import items

    return items.decorated(collector, name, options, obj)
