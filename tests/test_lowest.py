"""The lower bounds that are promised are the ones that are tested."""

import re
import tomllib
from pathlib import Path

import pytest

from conformance.reports.cells import table

pytestmark = pytest.mark.bare

ROOT = Path(__file__).parents[1]


def test_lowest_are_the_bounds():
    """lowest.txt has every dependency, at the version that pyproject.toml begins with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = [tuple(each.split(">=")) for each in project["dependencies"]]
    lines = (ROOT / "lowest.txt").read_text(encoding="utf-8").splitlines()
    found = dict(each.split("==") for each in lines if not each.startswith("#"))
    assert {name: re.sub(r"(\.0)+$", "", found[name]) for name in found} == {
        name: re.sub(r"(\.0)+$", "", bound) for name, bound in bounds
    }


def test_a_table_without_rows_is_a_header():
    """In every version of what draws it."""
    assert table(["a", "b"], [], ["b"]).splitlines()[0].split() == ["|", "a", "|", "b", "|"]
