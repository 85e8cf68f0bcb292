"""The rooms have one outline: a stem has the same names in the same order in every framework."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import reference

pytestmark = pytest.mark.bare

ROOT = Path(__file__).parents[1] / "implementations"
#: What several stems of a room are built from: its own, as idiom differs.
SHARED = "layers"


def rooms(root: Path) -> list[str]:
    """The frameworks that have implementations."""
    return sorted(file.parent.name for file in root.glob("[a-z]*/__init__.py"))


def stems(root: Path) -> list[str]:
    """The stems of all rooms, but for what they share."""
    files = [file.stem for room in rooms(root) for file in (root / room).glob("[a-z]*.py")]
    return sorted(set(files) - {SHARED})


def outline(file: Path) -> list[str]:
    """The functions, classes and other values of a file, and its models, in their order."""
    return list(_names(ast.parse(file.read_text(encoding="utf-8"))))


def _names(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name
                if name == "MODELS":
                    yield from _keys(value)
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _keys(value: ast.expr) -> Iterator[str]:
    assert isinstance(value, ast.Dict), "MODELS is written out, so that it can be read"
    for key in value.keys:
        assert isinstance(key, ast.Constant), "a model is named, not computed"
        yield str(key.value)


def differences(root: Path, stem: str) -> list[str]:
    """Where a room's outline of a stem departs from the first room's."""
    first, *others = rooms(root)
    expected = outline(root / first / f"{stem}.py")
    found = []
    for room in others:
        names = outline(root / room / f"{stem}.py")
        if names != expected:
            pairs = zip([*names, ""], [*expected, ""], strict=False)
            name, wanted = next(pair for pair in pairs if pair[0] != pair[1])
            place = f"{room}/{stem}.py: {name or 'the end'}"
            found.append(f"{place}, {first} has {wanted or 'no more'}")
    return found


def siblings(root: Path, stem: str) -> list[str]:
    """Imports of a stem that reach another file of the rooms than the ``layers.py`` beside it."""
    found = []
    for room in rooms(root):
        tree = ast.parse((root / room / f"{stem}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(level=1, module="layers"):
                    continue
                case ast.ImportFrom(level=level, module=module) if level or "impl" in str(module):
                    found.append(f"{room}/{stem}.py:{node.lineno}: from {'.' * level}{module}")
                case ast.Import(names=names) if any("implementations" in n.name for n in names):
                    found.append(f"{room}/{stem}.py:{node.lineno}: import")
    return found


@pytest.mark.parametrize("stem", stems(ROOT))
def test_rooms_have_one_outline(stem):
    """The names of a stem, and its models, are the same in every room, in the same order."""
    assert not differences(ROOT, stem)


@pytest.mark.parametrize("room", rooms(ROOT)[1:])
def test_what_is_shared_stands_in_one_order(room):
    """What two rooms' ``layers.py`` both have stands in the same order, whatever else they have."""
    first, *_ = rooms(ROOT)
    one, other = (outline(ROOT / each / f"{SHARED}.py") for each in (first, room))
    both = set(one) & set(other)
    assert both
    assert [name for name in one if name in both] == [name for name in other if name in both]


@pytest.mark.parametrize("stem", stems(ROOT))
def test_siblings_share_layers_only(stem):
    """A stem imports nothing of its room but ``.layers``, so that two files can be lifted out."""
    assert not siblings(ROOT, stem)


@pytest.mark.parametrize("stem", stems(ROOT))
def test_models_stand_in_the_order_of_the_reference(stem):
    """MODELS lists the networks as the reference does."""
    models = [model.name for model in reference.models().values() if model.family == stem]
    first, *_ = rooms(ROOT)
    assert outline(ROOT / first / f"{stem}.py")[-len(models) :] == models


RIGHT = """
from functools import partial
from .layers import conv_bn

WIDTH = 64

def block(x): return x

class Net: pass

MODELS = {"A": partial(Net, 1), "B": Net}
"""


@pytest.fixture
def two_rooms(tmp_path):
    """Two rooms of one outline in another idiom: a function in one is a partial in the other."""
    other = RIGHT.replace("def block(x): return x", "block = partial(conv_bn, 3)")
    for room, text in (("jax", RIGHT), ("torch", other)):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
        (tmp_path / room / "layers.py").write_text(f"def only_in_{room}(): pass\n")
        (tmp_path / room / "net.py").write_text(text)
    return tmp_path


def test_idiom_may_differ(two_rooms):
    """What differs is how a name is made, and what the rooms' ``layers.py`` have."""
    assert stems(two_rooms) == ["net"]
    assert not differences(two_rooms, "net")
    assert not siblings(two_rooms, "net")


@pytest.mark.parametrize(
    ("right", "wrong", "first"),
    [
        ("def block", "def Block", "Block"),
        ("class Net: pass", "", "MODELS"),
        ('"A": partial(Net, 1), "B": Net', '"B": Net, "A": partial(Net, 1)', "B"),
        ("WIDTH = 64\n", "", "block"),
        ('"B": Net}', '"B": Net}\nLAST = 1', "LAST"),
    ],
)
def test_another_outline_is_seen(two_rooms, right, wrong, first):
    """A name of another spelling, left out, out of order or added is named, with its file."""
    (two_rooms / "torch" / "net.py").write_text(RIGHT.replace(right, wrong))
    (difference,) = differences(two_rooms, "net")
    assert difference.startswith(f"torch/net.py: {first}, jax has ")


@pytest.mark.parametrize(
    "line",
    [
        "from .other import conv_bn",
        "from . import other",
        "from implementations.torch.layers import conv_bn",
        "import implementations.torch.other",
    ],
)
def test_another_sibling_is_seen(two_rooms, line):
    """An import of another stem, or one that is not relative, is found where it stands."""
    text = RIGHT.replace("from .layers import conv_bn", line)
    (two_rooms / "torch" / "net.py").write_text(text)
    (found,) = siblings(two_rooms, "net")
    assert found.startswith("torch/net.py:3: ")
