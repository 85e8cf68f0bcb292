"""A factory that remembers what it made is made to forget it."""

import functools
import sys
from importlib import import_module

import numpy as np
import pytest

from conformance.trace.fresh import Fresh
from conformance.trace.port import UntraceableModel

pytestmark = pytest.mark.bare

NAME = "remembers"
MODULE = """
class Model:
    pass

MADE = []

def remembering():
    if not MADE:
        MADE.append(Model())
    return MADE[0]
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module(NAME)
    sys.modules.pop(NAME)


def test_a_cache_is_cleared():
    """functools.cache and its like say how."""
    factory = Fresh(functools.cache(lambda: object()), lambda model: False)
    assert factory() is not factory()


def test_a_global_is_left_behind(module):
    """The factory's module is run once more, where it has made nothing yet."""
    factory = Fresh(module.remembering, lambda model: False)
    assert factory() is not factory()


def test_a_whole_model_will_do_twice(module):
    """One with all of its numbers need not be built again."""
    factory = Fresh(module.remembering, lambda model: True)
    assert factory() is factory()


def test_what_cannot_be_forgotten_is_one_sentence():
    """An object that stands nowhere but in the function's own memory."""
    one = object()
    factory = Fresh(lambda: one, lambda model: False)
    factory()
    with pytest.raises(UntraceableModel, match="same object in every call"):
        factory()


def test_what_a_port_asks_of_numpy_ends_with_it():
    """Errors that it wants raised are not raised in what judges it."""
    before = np.geterr()
    Fresh(lambda: np.seterr(all="raise"), lambda model: True)()
    assert np.geterr() == before
