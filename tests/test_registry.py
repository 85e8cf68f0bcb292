"""Tracers by name, ours and others', and whose model an object is."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from conformance.errors import Refused
from conformance.ports import loading
from conformance.trace import registry

pytestmark = pytest.mark.bare


class Layer:
    """The base class of somebody's library."""


class Stacked(Layer):
    """A model of a library that builds on it."""


class OnTop(Stacked):
    """Somebody's model."""


class Port:
    """A port that knows what it was built from."""

    def __init__(self, factory):
        self.factory = factory

    def built(self):
        return self.factory()


def tracer(name, library, base):
    """A package with a tracer, as another distribution has one."""
    package, port = ModuleType(name), ModuleType(f"{name}.port")
    vars(package).update(
        LIBRARY=library, base=lambda model: base if isinstance(model, base) else None
    )
    vars(port)["port"] = Port
    return package, port


@pytest.fixture
def others(monkeypatch):
    """Two more tracers, registered by entry points; one library builds on the other."""
    points = []
    for name, library, base in (("below", "lower", Layer), ("above", "upper", Stacked)):
        package, port = tracer(f"tracer_{name}", library, base)
        monkeypatch.setitem(sys.modules, package.__name__, package)
        monkeypatch.setitem(sys.modules, port.__name__, port)
        monkeypatch.setitem(sys.modules, library, ModuleType(library))
        points.append(EntryPoint(name, package.__name__, registry.GROUP))
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry.tracers.cache_clear()
    yield
    registry.tracers.cache_clear()


def test_others_stand_beside_ours(others):
    """A tracer of another package is found by the name that it registers."""
    assert registry.find("Above").library == "upper"
    assert {"torch", "keras", "flax", "jax", "tensorflow", "below"} <= set(registry.tracers())


def test_one_that_cannot_be_imported_is_named(others, monkeypatch):
    """It is neither the port's fault nor ours."""
    broken = [EntryPoint("broken", "no_such_package", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: broken)
    registry.tracers.cache_clear()
    with pytest.raises(Refused, match=r"'broken' \(no_such_package\).*No module named"):
        registry.ready()


def test_a_name_that_is_none_is_guessed(others):
    """The message has the nearest name, and all."""
    with pytest.raises(registry.UnknownFramework, match="did you mean above.*torch"):
        registry.find("abov")


@pytest.mark.parametrize(("model", "name"), [(OnTop, "above"), (Layer, "below")])
def test_a_model_belongs_to_the_nearest_base(others, model, name):
    """A library that builds on another owns what is derived from its own classes."""
    owner = registry.owner(model())
    assert owner and owner.name == name


def test_what_is_nobodys(others):
    """An object of no library's has no owner."""
    assert registry.owner(object()) is None


def test_no_library_is_imported_to_find_out(others, monkeypatch):
    """What is not imported cannot have made the model."""
    monkeypatch.delitem(sys.modules, "upper")
    owner = registry.owner(OnTop())
    assert owner and owner.name == "below"


@pytest.mark.parametrize("model", [OnTop, Layer])
def test_a_factory_is_read_by_the_tracer_of_what_it_builds(others, monkeypatch, model):
    """Whichever of the libraries are imported."""
    for each in registry.tracers().values():
        if each.name not in ("above", "below"):
            monkeypatch.delitem(sys.modules, each.library, raising=False)
    port = loading.opened(lambda: model())
    assert type(port.built()) is model


def test_a_factory_of_something_else_is_refused(others, monkeypatch):
    """In one line that lists what it may return."""
    with pytest.raises(loading.BadPort, match="returns dict: it has to return a torch.nn.Module"):
        loading.opened(dict)
