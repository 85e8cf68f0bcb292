"""One network of one framework examined: traced without weights, then run on canonical ones."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

from conformance import frameworks
from conformance.evidence import Record
from conformance.gradients import gradients
from conformance.parity import parity
from conformance.trace.canonical import canonical
from conformance.trace.graph import Graph
from conformance.trace.port import PLAIN, Execution
from reference import Model


def examine(
    framework: str,
    model: Model,
    *,
    numbers: bool = True,
    thorough: bool = False,
    seed: int = 0,
    how: Execution = PLAIN,
    others: Sequence[Execution] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Record:
    """Trace our implementation of ``model`` in inference and in training and, with ``numbers``,
    compare what it computes in inference with the oracle; with ``thorough`` also what it
    computes in training and how it differentiates, at about four times the cost.

    ``how`` has to be in float64, which decides; ``others`` are further ways to execute it.

    Raises :class:`~conformance.frameworks.NotInstalled` and
    :class:`~conformance.trace.port.UntraceableModel`.
    """
    port = frameworks.port(framework, model)
    tape = port.trace(model.input)
    record = Record(model.name, canonical(tape))
    if numbers:
        record.parity = parity(port, tape, record.graph, seed=seed, progress=progress, how=how)
        record.executions = tuple(
            parity(port, tape, record.graph, seed=seed, progress=progress, how=other)
            for other in others
        )
    if thorough:
        record.gradients = gradients(port, tape, record.graph, seed=seed)
    # A tape may hold its framework's record of the run: two at once are much in a deep network.
    del tape
    gc.collect()  # frameworks keep models alive in reference cycles
    tape = port.trace(model.input, training=True)
    record.training = canonical(tape)
    if thorough:
        record.training_parity = parity(port, tape, record.training, seed=seed, training=True)
    del tape
    gc.collect()
    return record


def telling(graph: Graph) -> int:
    """How much a network says about its family: how many kinds of layers it has."""
    return len({node.kind for node in graph})
