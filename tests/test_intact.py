"""Whose fault an exception in the port's process is: what a port does to Python is the port's."""

import builtins
import inspect
import sys
from typing import Any

import pytest

from conformance.ports.intact import Interpreter

pytestmark = pytest.mark.bare


def fault(function):
    """The exception that a function raises, as our own code would see it."""
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("it raises nothing")


def ours():
    nothing: Any = None
    return Interpreter.blame(nothing, nothing)  # fails inside our own code


def handler(tmp_path):
    """A function of somebody's own file that raises."""
    place = tmp_path / "port.py"
    place.write_text("def handler():\n    raise RuntimeError('alarm')\n")
    names: dict[str, Any] = {}
    exec(compile(place.read_text(), str(place), "exec"), names)
    return names["handler"]


def test_our_own_fault_is_ours():
    """Nothing was changed, and it is our code that raises."""
    assert not Interpreter().blame(fault(ours))


def test_what_a_port_raises_from_a_handler_is_its_own(tmp_path):
    """Wherever the exception arrives, the port's line is named."""
    said = Interpreter().blame(fault(handler(tmp_path)))
    assert said == f"raises an exception in {tmp_path.name}/port.py:2"


def replace(monkeypatch):
    monkeypatch.setattr(builtins, "open", None)


def remove(monkeypatch):
    monkeypatch.delitem(sys.modules, "json.decoder")


def empty(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])


def lower(monkeypatch):
    monkeypatch.setattr(sys, "getrecursionlimit", lambda: 60)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replace, "replaces builtins.open"),
        (remove, "removes the module json.decoder"),
        (empty, "takes entries out of sys.meta_path"),
        (lower, "lowers the recursion limit to 60"),
    ],
)
def test_what_a_port_changes_is_named(change, said, monkeypatch):
    """Whatever then fails in our code."""
    before, error = Interpreter(), fault(ours)
    with monkeypatch.context() as while_it_is_asked:
        change(while_it_is_asked)
        found = before.blame(error)
    assert found == said


def test_what_a_library_puts_in_place_is_no_change(monkeypatch):
    """As PyTorch replaces inspect.getfile when it is imported."""
    before, error = Interpreter(), fault(ours)
    monkeypatch.setattr(inspect, "cleandoc", 7)
    assert before.blame(error) == "replaces inspect.cleandoc"
    monkeypatch.setattr(inspect, "cleandoc", inspect.getdoc)
    assert not before.blame(error)
