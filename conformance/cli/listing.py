"""``conformance list``: the networks that the reference describes, the frameworks found here."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module, metadata
from typing import Any

from conformance import reference
from conformance.cli.output import Output
from conformance.errors import CONFORMS
from conformance.ports import implementations as frameworks

HELP = """\
No framework is imported.

example:
  conformance list
  conformance list --json -
"""


def options(command: ArgumentParser) -> None:
    """It takes nothing."""


def run(options: Namespace) -> int:
    """Show both lists."""
    output = Output(options.json)
    networks = [_network(model) for model in reference.models().values()]
    rooms = [_room(name) for name in frameworks.frameworks()]
    output.table(
        ("architecture", "also", "family", "input", "layers"),
        [
            (n["name"], ", ".join(n["aliases"]), n["family"], "x".join(map(str, n["input"])),
             str(n["layers"]))
            for n in networks
        ],
        right="layers",
    )  # fmt: skip
    output.line()
    output.table(
        ("framework", "installed"),
        [(each["name"], _found(each["versions"]) or each["missing"]) for each in rooms],
    )
    output.line()
    output.line("layers: convolutions and dense layers on the longest path")
    output.result({"schema": 1, "architectures": networks, "frameworks": rooms})
    return CONFORMS


def _network(model: reference.Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "aliases": list(model.aliases),
        "family": model.family,
        "input": list(model.input),
        "layers": model.count("weight layers"),
    }


def _room(name: str) -> dict[str, Any]:
    """A framework's packages and their versions, asked of their metadata: nothing is imported."""
    missing = frameworks.missing(name)
    packages = import_module(f"conformance.implementations.{name}").REQUIRES
    versions = {} if missing else {package: _version(package) for package in packages}
    return {"name": name, "installed": not missing, "versions": versions, "missing": missing}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # distributed under another name
        return "unknown"


def _found(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())
