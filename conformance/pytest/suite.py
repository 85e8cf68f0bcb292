"""Options and fixtures of the suite: which frameworks and networks, and where evidence goes.

With ``--port`` the suite is about somebody's port, and its checks are the only tests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest

from conformance import reference
from conformance.errors import USAGE
from conformance.graph.model import Graph
from conformance.judge import published
from conformance.judge.record import evidence
from conformance.judge.record import examine as check
from conformance.numbers.exact import Exact, exact
from conformance.numbers.parity import Parity, parity
from conformance.numbers.precision import ON
from conformance.ports import implementations as frameworks
from conformance.pytest.decorator import Ported
from conformance.trace.port import Execution

HERE = Path(__file__).parents[1]


def pytest_addoption(parser):
    group = parser.getgroup("conformance")
    group.addoption(
        "--framework",
        action="append",
        metavar="F",
        help="check this framework only (repeatable; default: every one, skipping what is not"
        " installed)",
    )
    group.addoption(
        "--arch", action="append", metavar="ARCH", help="check this network only (repeatable)"
    )
    group.addoption(
        "--port",
        metavar="PORT",
        help="check this port, package.module:factory or file.py:factory, against the network that"
        " --arch names, and nothing else",
    )
    group.addoption(
        "--few",
        action="store_true",
        help="check one network of each family: the one with the most kinds of layers, of several"
        " the one with the fewest layers",
    )
    group.addoption("--device", choices=("cpu", "gpu"), default="cpu", help="where numbers are run")
    group.addoption(
        "--evidence",
        type=Path,
        metavar="DIR",
        help="with --framework, leave what was found in DIR; without, join what is in DIR",
    )
    group.addoption("--seed", type=int, default=0, help="of the canonical weights (default 0)")
    group.addoption(
        "--document", type=Path, metavar="FILE", help="the document's text, for the coverage test"
    )


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "bare: needs no framework, and is left out of a run with --framework"
    )
    config.addinivalue_line("markers", "numbers: runs a network on canonical weights (seconds)")
    try:
        for name in config.getoption("framework") or ():
            frameworks.find(name)
        for name in config.getoption("arch") or ():
            reference.find(name)
    except LookupError as unknown:
        raise pytest.UsageError(str(unknown)) from None
    if config.getoption("evidence") and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--evidence is written by one process: leave out -n")
    if config.getoption("port"):
        for option in ("arch", "framework"):
            given = len(config.getoption(option) or ())
            if given > 1 or (option == "arch" and not given):
                raise pytest.UsageError(f"--port is held against one --{option}, here are {given}")


def pytest_ignore_collect(collection_path, config):
    """With a port the suite's own tests are left out."""
    if config.getoption("port") and collection_path.name.startswith("test_"):
        return True if collection_path.is_relative_to(HERE) else None
    return None


def pytest_collection_modifyitems(config, items):
    """What needs no framework is tested once, by the run without one."""
    if config.getoption("framework"):
        bare = [item for item in items if item.get_closest_marker("bare")]
        config.hook.pytest_deselected(items=bare)
        items[:] = [item for item in items if not item.get_closest_marker("bare")]


def pytest_collect_file(file_path, parent):
    """With a port its checks are found in this file."""
    if parent.config.getoption("port") and file_path == Path(__file__):
        return PortFile.from_parent(parent, path=file_path)
    return None


class PortFile(pytest.File):
    """The checks of the port that was asked for."""

    def collect(self):
        """One test a check."""
        from conformance.pytest.items import collected

        name, seed = self.config.getoption("port"), self.config.getoption("seed")
        (arch,) = self.config.getoption("arch")
        (framework,) = self.config.getoption("framework") or [None]
        return list(collected(self, name, name, Ported(arch, framework=framework, seed=seed)))


def pytest_generate_tests(metafunc):
    if metafunc.definition.path.is_relative_to(HERE):  # and not somebody's own tests, run along
        parametrize(metafunc)


def parametrize(metafunc):
    """The frameworks, families, networks or claims that a test takes, of those asked for."""
    chosen = [frameworks.find(f) for f in metafunc.config.getoption("framework") or ()]
    rooms = chosen or list(frameworks.frameworks())
    models = _models(metafunc.config)
    names = {model.name for model in models}
    if "claim" in metafunc.fixturenames:
        claims = [c for c in reference.claims() if c.model in names]
        cases = [pytest.param(f, c, id=f"{f}-{c.id}") for f in rooms for c in claims]
        metafunc.parametrize(("framework", "claim"), cases)
    elif {"framework", "family"} <= set(metafunc.fixturenames):
        families = dict.fromkeys(model.family for model in models)
        metafunc.parametrize("framework", rooms)
        metafunc.parametrize("family", families)
    elif {"framework", "model"} <= set(metafunc.fixturenames):
        cases = [pytest.param(f, m, id=f"{f}-{m.name}") for f in rooms for m in models]
        metafunc.parametrize(("framework", "model"), cases)
    elif "framework" in metafunc.fixturenames:
        metafunc.parametrize("framework", rooms)


def _models(config):
    """The networks that were asked for, in the reference's order."""
    named = config.getoption("arch") or ()
    models = [reference.find(name) for name in named] or list(reference.models().values())
    if not config.getoption("few"):
        return models
    families = dict.fromkeys(model.family for model in models)
    return [max((m for m in models if m.family == f), key=_kinds) for f in families]


def _kinds(model):
    """How many kinds of layers a network has by the reference, and how few layers."""
    kinds = {layer.kind for row in model.rows for layer in row.layers}
    return len(kinds), -model.count("weight layers")


class Examined:
    """What this session has found out, a network at a time; written down at its end."""

    def __init__(
        self, seed: int, models: list[reference.Model], device: str, numbers: set[tuple[str, str]]
    ) -> None:
        self.seed = seed
        self.models = models
        self.device = device
        #: Frameworks and networks whose numbers this session is going to run.
        self.numbers = numbers
        self.runs: dict[str, evidence.Run] = {}

    def traced(self, framework: str, model: reference.Model) -> evidence.Record:
        """The record, at least with its graphs, traced on first request.

        Where the session is to run its numbers too, they are run now: on one trace.
        """
        if (framework, model.name) in self.numbers:
            return self.record(framework, model)
        records = self.run(framework).records
        if model.name not in records:
            records[model.name] = check.examine(framework, model, numbers=False)
        return records[model.name]

    def graph(self, framework: str, model: reference.Model) -> Graph:
        """The neutral graph of inference."""
        return self.traced(framework, model).graph

    def record(self, framework: str, model: reference.Model) -> evidence.Record:
        """The record with its parity, run on first request."""
        records = self.run(framework).records
        if model.name not in records or records[model.name].parity is None:
            # A network that --arch left out may still be asked for, as the smallest of all.
            telling = model in self.models and self.telling(model.family) == model
            on_gpu = self.device == "gpu"
            lower = [Execution(name, self.device) for name in ON[self.device]]
            records[model.name] = check.examine(
                framework, model, thorough=telling and not on_gpu, seed=self.seed,
                how=Execution(device=self.device), others=lower if telling or on_gpu else (),
                whole=lower if telling else (),
            )  # fmt: skip
        return records[model.name]

    def executed(self, framework: str, model: reference.Model, how: Execution) -> Parity:
        """One network executed in another way; the evidence of the run has it as well."""
        record = self.record(framework, model)
        port = frameworks.port(framework, model)
        how = replace(how, device=self.device)
        found = parity(port, port.trace(model.input), record.graph, seed=self.seed, how=how)
        record.executions += (found,)
        return found

    def exactly(
        self, framework: str, model: reference.Model, precision: str
    ) -> tuple[Graph, Exact]:
        """One network executed on whole numbers; the evidence of the run has it as well."""
        record = self.record(framework, model)
        found = next((each for each in record.exact if each.precision == precision), None)
        if found is None:
            port = frameworks.port(framework, model)
            how = Execution(precision, self.device)
            found = exact(port, port.trace(model.input), record.graph, seed=self.seed, how=how)
            record.exact += (found,)
        return record.graph, found

    def smallest(self) -> reference.Model:
        """The network with the fewest pixels in its image that ends in classes, if any does."""
        models = sorted(self.models, key=lambda m: (prod(m.input), m.count("weight layers")))
        ending = (m for m in models if any(n.kind == "dense" for n in _published(m)))
        return next(ending, models[0])

    def telling(self, family: str) -> reference.Model:
        """The network that is examined thoroughly, on the CPU, of those of a family here.

        The one with the most kinds of layers; of several the one that its paper has first.
        """
        models = [model for model in self.models if model.family == family]
        return max(models, key=lambda model: check.telling(_published(model)))

    def thorough(self, framework: str, family: str) -> evidence.Record:
        """The record of that network, run on first request."""
        return self.record(framework, self.telling(family))

    def run(self, framework: str) -> evidence.Run:
        if framework not in self.runs:
            tracer = frameworks.tracer(framework)
            versions = frameworks.versions(framework)
            if self.device == "gpu":
                versions["gpu"] = tracer.gpu()
            code = evidence.code_identity(framework)
            backend = frameworks.backend(framework)
            self.runs[framework] = evidence.Run(
                framework, self.device, versions, self.seed, code, backend=backend
            )
        return self.runs[framework]


def _published(model: reference.Model) -> Graph:
    """What the suite's choices are made by: the same in every framework, and nothing traced."""
    return published.network(model).inference


@pytest.fixture(autouse=True)
def _own_path(monkeypatch):
    """Folders of ports that a test loads are looked into by that test alone."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture(scope="session")
def _examined(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Examined]:
    device, seed = pytestconfig.getoption("device"), pytestconfig.getoption("seed")
    chosen: list[dict[str, Any]] = [
        dict(each.callspec.params)
        for each in request.session.items
        if isinstance(each, pytest.Function)
        and each.get_closest_marker("numbers")
        and hasattr(each, "callspec")
    ]
    numbers = {(p["framework"], p["model"].name) for p in chosen if {"framework", "model"} <= {*p}}
    examined = Examined(seed, _models(pytestconfig), device, numbers)
    yield examined
    folder = pytestconfig.getoption("evidence")
    if folder and pytestconfig.getoption("framework"):
        for run in examined.runs.values():
            evidence.write(run, folder)


@pytest.fixture
def room(framework: str) -> str:
    """A framework that is installed; skips where it is not."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    return framework


@pytest.fixture
def examined(_examined: Examined, room: str) -> Examined:
    """What is known of the framework's networks; skips where there is no such device."""
    if _examined.device == "gpu" and not frameworks.tracer(room).gpu():
        pytest.skip(f"{room} sees no GPU here")
    return _examined


@pytest.fixture(scope="session")
def runs(pytestconfig: pytest.Config) -> list[evidence.Run]:
    """The evidence of earlier runs, joined; skips where none is asked for."""
    folder = pytestconfig.getoption("evidence")
    if folder is None:
        pytest.skip("no evidence given: --evidence DIR")
    if pytestconfig.getoption("framework"):
        pytest.skip("evidence is joined by a run without --framework")
    try:
        return evidence.read(folder)
    except evidence.DamagedEvidence as damaged:  # nothing that is joined would mean anything
        pytest.exit(str(damaged), returncode=USAGE)
