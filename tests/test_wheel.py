"""What the package reads beside its code is in the wheel."""

import os
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

pytestmark = pytest.mark.bare

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUP = PROJECT["tool"]["setuptools"]
#: What a reader of the repository looks at, and the package does not.
FOR_READERS = {"published"}


def data_files(package):
    """Every file of the package, through its links, that is no Python."""
    for place, folders, files in os.walk(package, followlinks=True):
        folders[:] = [name for name in folders if name not in {"__pycache__", *FOR_READERS}]
        yield from (Path(place) / name for name in files if not name.endswith((".py", ".pyc")))


def packed(file, patterns):
    """Whether a pattern of the package that a file lies in, or of all, takes it in."""
    package = next(place for place in file.parents if (place / "__init__.py").exists())
    name = ".".join(package.relative_to(ROOT).parts)
    inside = file.relative_to(package).as_posix()
    allowed = [*patterns.get("*", ()), *patterns.get(name, ())]
    return any(fnmatchcase(inside, p) and inside.count("/") == p.count("/") for p in allowed)


def test_every_data_file_is_packed():
    """Tables, profiles, templates and the published graphs."""
    found = list(data_files(ROOT / "conformance"))
    assert {".md", ".gz", ".html"} <= {file.suffix for file in found}
    assert not [str(file) for file in found if not packed(file, SETUP["package-data"])]


def test_a_pattern_that_is_missing_is_seen():
    """Without its pattern a published graph stays behind."""
    graph = next((ROOT / "conformance/judge/graphs").iterdir())
    assert not packed(graph, {"*": ["*.md", "*.gz"]})


def test_one_name_is_installed():
    """The package, and the module that pytest loads."""
    assert SETUP["packages"]["find"]["include"] == ["conformance*"]
    assert SETUP["py-modules"] == list(PROJECT["project"]["entry-points"]["pytest11"].values())
