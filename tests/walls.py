"""The walls between the rooms: who may import whom, and what a room may not mention.

A wall is a function from the root of the tree (and a file in it) to its breaches, each a
sentence that begins with the place.  Files are read as syntax trees, never imported.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

#: What a room may import beside the standard library and the frameworks its paths name.
ROOMS = {
    "reference": {"conformance.reference"},
    "implementations": {"implementations"},
    "conformance": set(
        "conformance msgspec numpy psutil pytest rich safetensors threadpoolctl".split()
    ),
    "reports": set("conformance jinja2 markupsafe msgspec numpy rich tabulate".split()),
    "tests": set(
        "benchmarks conformance tests jsonschema msgspec numpy psutil pytest rich safetensors"
        " selenium threadpoolctl yaml".split()
    ),
    "benchmarks": set("benchmarks conformance tests numpy rich tabulate torchinfo".split()),
}
#: Rooms in which no path opens the door to a framework.
FRAMEWORKLESS = {"reference", "reports"}
#: Libraries whose networks the self-test judges; they are looked for, never required.
STRANGERS = {"equinox", "haiku", "tf_keras", "timm", "torchvision"}
#: The rooms of the package from the ground up: each may import those before it.
FLOORS = (
    "errors files boot chunks data values reference kinds graph trace numbers implementations"
    " ports judge reports pytest cli suite"
).split()
#: What a framework itself is written in, so that its users import it too.
BUILT_ON = {"flax": {"jax"}}

#: What several files of a room of implementations are built from; it is no family.
SHARED = "layers"

_PLAIN = sys.stdlib_module_names.union(*ROOMS.values(), {"conformance"})
_IMPORTERS = {"import_module", "__import__", "importorskip"}


def python_files(root: Path) -> list[Path]:
    """Every Python file of the rooms and the root's ``conftest.py``, relative to the root."""
    folders = [file for room in ROOMS for file in (root / room).rglob("*.py")]
    return sorted(
        file.relative_to(root)
        for file in [*root.glob("conftest.py"), *root.glob("convnet_*.py"), *folders]
    )


def framework_imports(root: Path, path: Path) -> Iterator[str]:
    """A file imports a framework, or a file of ours that does, only if its path names it."""
    words = {*path.parts, path.stem, *path.stem.split("_")}
    words = set() if path.parts[0] in FRAMEWORKLESS else words
    allowed = words.union(*(BUILT_ON.get(word, ()) for word in words))
    for module, line in _imports(root / path, path):
        for name in sorted(frameworks(root).intersection(module.split(".")) - allowed):
            yield f"{path}:{line}: imports {module}, and its path does not name {name}"


def room_imports(root: Path, path: Path) -> Iterator[str]:
    """A room imports the standard library, frameworks, and what its row of ROOMS allows."""
    room = path.parts[0] if path.parts[0] in ROOMS else "tests"
    strangers = STRANGERS if "selftest" in path.parts else set()
    allowed = ROOMS[room] | strangers | frameworks(root) | sys.stdlib_module_names
    for module, line in _imports(root / path, path):
        if module.split(".")[0] not in allowed and not any(
            module.startswith(f"{each}.") or module == each for each in allowed if "." in each
        ):
            yield f"{path}:{line}: {room} may not import {module}"


def floors(root: Path, path: Path) -> Iterator[str]:
    """A room of the package imports the rooms below it, and the reports what they need of it."""
    room = Path(*path.parts[1:2]).stem if path.parts[0] == "conformance" else path.parts[0]
    if room not in FLOORS:
        return
    for module, line in _imports(root / path, path):
        package, _, rest = module.partition(".")
        below = rest.split(".")[0]
        if package == "conformance" and below in FLOORS[FLOORS.index(room) + 1 :]:
            yield f"{path}:{line}: {room} may not import {below}, which is above it"


def architecture_names(root: Path, path: Path) -> Iterator[str]:
    """No string of the suite holds an architecture's name; docstrings and help may."""
    if path.parts[0] != "conformance" or "selftest" in path.parts:
        return
    words = [max(re.findall("[a-z]+", stem), key=len) for stem in families(root)]
    name = re.compile("|".join(words), re.IGNORECASE)
    tree = ast.parse((root / path).read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    documentation |= {id(node.value) for node in tree.body if _help(node)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in documentation:
                for found in name.findall(text):
                    yield f"{path}:{node.lineno}: the suite knows no architecture, here {found}"


def _help(node: ast.stmt) -> TypeGuard[ast.Assign]:
    """Whether a statement is a command's help, which teaches by examples."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HELP"


def stems(root: Path) -> Iterator[str]:
    """Every room of the implementations has one file for each family of the reference."""
    for room in implementation_rooms(root):
        files = (root / "implementations" / room).glob("*.py")
        built = {file.stem for file in files if not file.stem.startswith("_")} - {SHARED}
        for stem in sorted(built ^ set(families(root))):
            yield f"implementations/{room}/{stem}.py: " + (
                "not in reference/" if stem in built else "missing, reference/ has the family"
            )


def machine_paths(root: Path) -> Iterator[str]:
    """No text file names a place that exists on one developer's machine only."""
    place = re.compile(r"(?<![\w.])(?:/(?:home|root|Users)|(?:shared))/")
    for path in _kept_files(root):
        lines = (root / path).read_bytes().decode("utf-8", errors="ignore").splitlines()
        for number, line in enumerate(lines, 1):
            if found := place.search(line):
                yield f"{path}:{number}: {found[0]} exists on one machine only"


FILE_WALLS = (framework_imports, room_imports, floors, architecture_names)
TREE_WALLS = (stems, machine_paths)


def families(root: Path) -> list[str]:
    """The families of architectures: the stems of the reference's files that have models."""
    files = (root / "reference").glob("[a-z]*.md")
    return sorted(f.stem for f in files if "\n## Models" in f.read_text(encoding="utf-8"))


def implementation_rooms(root: Path) -> list[str]:
    """The frameworks that have implementations."""
    folders = (root / "implementations").glob("[a-z]*")
    return sorted(folder.name for folder in folders if folder.is_dir())


@cache
def frameworks(root: Path) -> frozenset[str]:
    """What counts as a framework: whatever has implementations or is imported by a tracer."""
    traced = {
        module.split(".")[0]
        for path in python_files(root)
        if path.parts[:2] == ("conformance", "trace")
        for module, _ in _imports(root / path, path)
    }
    return frozenset(traced - _PLAIN | set(implementation_rooms(root)))


def _imports(file: Path, path: Path) -> Iterator[tuple[str, int]]:
    """The modules that a file imports anywhere in it, in full, each with its line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from ((alias.name, node.lineno) for alias in node.names)
            case ast.ImportFrom():
                package = path.parts[: len(path.parts) - node.level] if node.level else ()
                base = ".".join([*package, *([node.module] if node.module else [])])
                yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                match node.args:
                    case [ast.Constant(value=str(module)), *_] if name in _IMPORTERS:
                        yield module, node.lineno


def _kept_files(root: Path) -> list[Path]:
    """What git keeps or would keep; where there is no git, the files of the rooms."""
    if not (root / ".git").exists():
        pages = [page for room in ROOMS for page in (root / room).rglob("*.md")]
        return [*python_files(root), *(page.relative_to(root) for page in pages)]
    command = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if (root / name).is_file())
