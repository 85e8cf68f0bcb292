"""What the suite does, measured; and a framework's own forward of the same network beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter

import reference
from benchmarks.probe import Figures, measured, repeated
from conformance import frameworks
from conformance.check import examine
from conformance.oracle import Oracle
from conformance.porting.judge import judge
from conformance.trace.canonical import canonical
from conformance.weights import Weights


def structure(framework: str, name: str) -> dict[str, Figures]:
    """A structural check: from the factory to the neutral graph and its counts."""
    model = reference.find(name)
    port = frameworks.port(framework, model)  # imports the framework

    def check() -> Figures:
        graph = canonical(port.trace(model.input))
        parameters = graph.parameters("trainable")
        return {"multiply-adds": graph.multiply_adds, "parameters": parameters}

    counts, figures = measured(check)
    return {"ours": figures | counts}


def parity(framework: str, name: str) -> dict[str, Figures]:
    """All that is done to compare one network with the oracle in float64, from its factory on."""
    model = reference.find(name)
    frameworks.port(framework, model)  # imports the framework
    record, figures = measured(lambda: examine(framework, model))
    found = record.parity
    if found is None or found.problem or found.first_divergence:
        raise AssertionError(f"{name} does not agree with the oracle: its time says nothing")
    theirs = repeated(_forward(framework, name))
    return {"ours": figures, f"{framework}: float64 forward": theirs}


def gate(framework: str, name: str) -> dict[str, Figures]:
    """A whole gate run, all modes, on our own model as the port; and two of its forwards."""
    return _gated(framework, name, numbers=True)


def gate_structure(framework: str, name: str) -> dict[str, Figures]:
    """What the gate does without running the port: structure, in inference and in training."""
    return _gated(framework, name, numbers=False)


def _gated(framework: str, name: str, numbers: bool) -> dict[str, Figures]:
    model = reference.find(name)
    port = frameworks.port(framework, model)  # imports the framework
    found, figures = measured(lambda: judge(port, model, numbers=numbers))
    if found.verdict != "conforms":
        raise AssertionError(f"{name} is judged as {found.verdict}: its time says nothing")
    once = repeated(_forward(framework, name))
    theirs = {"seconds": 2 * once["seconds"]}
    return {"ours": figures, f"{framework}: two float64 forwards": theirs}


def oracle(framework: str, name: str) -> dict[str, Figures]:
    """The oracle's float64 forward, with weights that lie ready."""
    model = reference.find(name)
    graph = canonical(frameworks.port(framework, model).trace(model.input))
    weights = Weights(graph)
    slots = {(i, slot): weights.slot(i, slot) for i, n in enumerate(graph) for slot in n.slots}
    image = weights.image()

    def forward() -> None:
        run = Oracle(graph, lambda index, slot: slots[index, slot], image)
        for index in range(len(graph)):
            run.release(index)
        run.result(graph.outputs[0])

    ours = repeated(forward)
    theirs = repeated(_forward(framework, name))
    return {"ours": ours, f"{framework}: float64 forward": theirs}


def process(argument: str) -> dict[str, Figures]:
    """The command line as a whole process, beside a Python that does nothing."""
    commands = {"ours": ["-m", "conformance", argument], "python -c pass": ["-c", "pass"]}
    return {tool: {"seconds": _process(command)} for tool, command in commands.items()}


def _process(arguments: list[str]) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def _forward(framework: str, name: str) -> Callable[[], object]:
    model = reference.find(name)
    tools = import_module(f"benchmarks.{framework}")
    forward: Callable[[], object] = tools.forward(frameworks.factory(framework, model), model.input)
    return forward
