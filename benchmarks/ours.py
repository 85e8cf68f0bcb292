"""What the suite does, measured; and a framework's own forward of the same network beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from typing import Any

from benchmarks.probe import Figures, again, measured, repeated
from conformance import reference
from conformance.graph.model import Graph
from conformance.judge.port.verdict import judge
from conformance.judge.record.examine import examine
from conformance.numbers import gradients as slots
from conformance.numbers import parity as nodes
from conformance.numbers.oracle import Oracle
from conformance.numbers.weights import BATCH, Weights
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from conformance.trace.port import Port
from conformance.trace.tape import Tape


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


def check(framework: str, name: str) -> dict[str, Figures]:
    """All that ``conformance check`` does with one network in float64, from its factory on."""
    model = reference.find(name)
    frameworks.port(framework, model)  # imports the framework
    record, figures = measured(lambda: examine(framework, model))
    _agrees(name, record.parity)
    theirs = repeated(_forward(framework, name))
    return {"ours": figures, f"{framework}: float64 forward": theirs}


def parity(framework: str, name: str) -> dict[str, Figures]:
    """A traced network compared with the oracle; and one forward of each, weights lying ready."""
    port, tape, graph = _traced(framework, name)
    theirs = repeated(_forward(framework, name))
    oracles = repeated(_oracle(graph))
    found, figures = again(lambda: nodes.parity(port, tape, graph))
    _agrees(name, found)
    both = {
        "seconds": oracles["seconds"] + theirs["seconds"],
        "peak": max(oracles["peak"], theirs["peak"]),
    }
    return {"ours": figures, f"{framework} and oracle: a float64 forward each": both}


def gradients(framework: str, name: str) -> dict[str, Figures]:
    """Every gradient of a traced network compared with the oracle's, beside one way there."""
    port, tape, graph = _traced(framework, name)
    theirs = repeated(_backward(framework, name))
    found, figures = again(lambda: slots.gradients(port, tape, graph))
    _agrees(name, found)
    return {"ours": figures, f"{framework}: float64 forward and backward": theirs}


def training(framework: str, name: str) -> dict[str, Figures]:
    """A traced training step compared with the oracle, beside the framework's own step."""
    port, tape, graph = _traced(framework, name, training=True)
    theirs = repeated(_backward(framework, name, batch=2, training=True))
    found, figures = again(lambda: nodes.parity(port, tape, graph, training=True))
    _agrees(name, found)
    return {"ours": figures, f"{framework}: float64 forward and backward, training": theirs}


def gate(framework: str, name: str) -> dict[str, Figures]:
    """A whole gate run, all modes, on our own model as the port; and what that does by itself."""
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
    return {
        "ours": figures,
        f"{framework}: a float64 forward": repeated(_forward(framework, name)),
        f"{framework}: a float64 step, forward and backward": repeated(
            _backward(framework, name, batch=BATCH, training=True)
        ),
    }


def oracle(framework: str, name: str) -> dict[str, Figures]:
    """The oracle's float64 forward, with weights that lie ready."""
    _, _, graph = _traced(framework, name)
    ours = repeated(_oracle(graph))
    theirs = repeated(_forward(framework, name))
    return {"ours": ours, f"{framework}: float64 forward": theirs}


def _oracle(graph: Graph) -> Callable[[], object]:
    weights = Weights(graph)
    ready = {(i, slot): weights.slot(i, slot) for i, n in enumerate(graph) for slot in n.slots}
    image = weights.image()

    def forward() -> None:
        run = Oracle(graph, lambda index, slot: ready[index, slot], image)
        for index in range(len(graph)):
            run.release(index)
        run.result(graph.outputs[0])

    return forward


def _traced(framework: str, name: str, training: bool = False) -> tuple[Port, Tape, Graph]:
    model = reference.find(name)
    port = frameworks.port(framework, model)
    tape = port.trace(model.input, training=training)
    return port, tape, canonical(tape)


def _agrees(name: str, found: nodes.Parity | slots.Gradients | None) -> None:
    if found is None or found.problem or found.first_divergence:
        raise AssertionError(f"{name} does not agree with the oracle: its time says nothing")


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


def _backward(framework: str, name: str, **how: Any) -> Callable[[], object]:
    model = reference.find(name)
    tools = import_module(f"benchmarks.{framework}")
    factory = frameworks.factory(framework, model)
    backward: Callable[[], object] = tools.backward(factory, model.input, **how)
    return backward
