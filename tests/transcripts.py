"""Transcripts in documents: what a command is said to print is what it prints.

A block that begins with ``console`` and names of modules runs wherever these can be imported, in a
copy of the folder ``examples`` beside the document; each line of it that begins with ``$`` is a
command, what follows is its output.  A block that begins with ``diff`` and a file's name changes
that file for what comes after it.  ``python -m tests.transcripts PAGE`` writes into a page
what is printed now.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

_BLOCK = re.compile(r"(```(console|diff) ([^\n]+)\n)(.*?)(```)", re.DOTALL)

#: What differs between machines: errors in float64, and how long it took.
_MEASURED = re.compile(
    r"(?<= in )[\d.]+s(?: \([\d:]+\))? =+|={3,}"
    r"|\d(?:\.\d+)?e[+-]\d+(?=.*float64)|(?:(?<=bound )|(?<=agrees to ))\de-\d+"
)

_PROGRAMS = {
    "conformance": ["conformance"],
    "pytest": ["pytest", "-p", "convnet_conformance_pytest"],
}


class DamagedPage(ValueError):
    """A block that cannot be replayed; the message says which and why."""


def needs(text: str) -> list[str]:
    """What the consoles of a page need, each once: ``torch``, ``jax haiku``."""
    return list(dict.fromkeys(b[3] for b in _BLOCK.finditer(text) if b[2] == "console"))


def missing(modules: str) -> str:
    """Which of the modules is not installed here; empty if all are."""
    absent = [name for name in modules.split() if find_spec(name) is None]
    return f"{' and '.join(absent)} not installed" if absent else ""


def replayed(page: Path, modules: str) -> str:
    """The page with what its commands print now, in the consoles that need these modules.

    Raises :class:`DamagedPage`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "examples"
        shutil.copytree(page.parent / "examples", folder)

        def block(found: re.Match[str]) -> str:
            if found[2] == "diff":
                _change(folder / found[3], found[4])
            elif found[3] == modules:
                commands = [line for line in found[4].splitlines() if line.startswith("$ ")]
                return found[1] + "\n".join(_run(each, folder) for each in commands) + found[5]
            return found[0]

        return _BLOCK.sub(block, page.read_text(encoding="utf-8"))


def unmeasured(text: str) -> str:
    """The text without what differs between machines."""
    return _MEASURED.sub("…", text)


def _change(file: Path, diff: str) -> None:
    lines = diff.splitlines()
    old, new = (
        "".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", mark)) for mark in "-+"
    )
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise DamagedPage(f"{file.name} has {text.count(old)} places for the change {diff!r}")
    file.write_text(text.replace(old, new), encoding="utf-8")


def _run(line: str, folder: Path) -> str:
    program, *arguments = shlex.split(line.removeprefix("$ "))
    if program not in _PROGRAMS:
        raise DamagedPage(f"{line!r} is none of {', '.join(_PROGRAMS)}")
    ran = subprocess.run(
        [sys.executable, "-m", *_PROGRAMS[program], *arguments],
        cwd=folder, env=os.environ | {"COLUMNS": "80"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return f"{line}\n{ran.stdout}"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        for each in needs(path.read_text(encoding="utf-8")):
            if reason := missing(each):
                print(f"{path}: left as it is: {reason}")
            else:
                path.write_text(replayed(path, each), encoding="utf-8")
