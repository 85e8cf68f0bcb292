"""One network of one framework examined: traced without weights, then run on canonical ones."""

from __future__ import annotations

import gc
from collections.abc import Callable

from conformance import frameworks
from conformance.evidence import Record
from conformance.parity import parity
from conformance.trace.canonical import canonical
from reference import Model


def examine(
    framework: str,
    model: Model,
    *,
    numbers: bool = True,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Record:
    """Trace our implementation of ``model`` in inference and in training and, with ``numbers``,
    compare what it computes in inference with the oracle.

    Raises :class:`~conformance.frameworks.NotInstalled` and
    :class:`~conformance.trace.port.UntraceableModel`.
    """
    port = frameworks.port(framework, model)
    tape = port.trace(model.input)
    graph = canonical(tape)
    training = canonical(port.trace(model.input, training=True))
    result = parity(port, tape, graph, seed=seed, progress=progress) if numbers else None
    gc.collect()  # frameworks keep models alive in reference cycles
    return Record(model.name, graph, result, training)
