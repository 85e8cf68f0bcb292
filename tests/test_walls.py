"""The rooms keep to themselves: who imports whom, and what may be mentioned where."""

from pathlib import Path

import pytest

from tests import walls

pytestmark = pytest.mark.bare

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("wall", walls.FILE_WALLS, ids=lambda wall: wall.__name__)
@pytest.mark.parametrize("path", walls.python_files(ROOT), ids=str)
def test_file_keeps_to_its_room(path, wall):
    """A file imports and mentions only what its place in the tree allows."""
    breaches = list(wall(ROOT, path))
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize("wall", walls.TREE_WALLS, ids=lambda wall: wall.__name__)
def test_tree_is_whole(wall):
    """Every room has every family, and nothing points out of the tree."""
    breaches = list(wall(ROOT))
    assert not breaches, "\n".join(breaches)


def test_nothing_to_check_is_no_pass():
    """There are families and rooms to compare, and frameworks to keep out."""
    assert walls.families(ROOT)
    assert walls.implementation_rooms(ROOT)
    assert walls.frameworks(ROOT)
