"""One network of one framework examined: traced without weights, then run on canonical ones."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Sequence

import numpy as np

from conformance.graph.model import Graph, verify
from conformance.graph.rows import row_of
from conformance.judge.record.evidence import Record
from conformance.judge.record.repeat import Progress, Repeat
from conformance.numbers.exact import exact
from conformance.numbers.gradients import gradients
from conformance.numbers.parity import Oracles, Parity, parity
from conformance.numbers.weights import BATCH
from conformance.ports import implementations as frameworks
from conformance.reference import Model
from conformance.trace.canonical import canonical
from conformance.trace.port import PLAIN, Execution, Port

#: The name of all rows.
EVERY = "all"


def examine(
    framework: str,
    model: Model,
    *,
    numbers: bool = True,
    thorough: bool = False,
    seed: int = 0,
    how: Execution = PLAIN,
    others: Sequence[Execution] = (),
    whole: Sequence[Execution] = (),
    arrays: Collection[str] = (),
    repeat: Repeat | None = None,
    progress: Progress = lambda done, total: None,
) -> Record:
    """Trace our implementation of ``model`` in inference and in training and, with ``numbers``,
    compare what it computes in inference with the oracle; with ``thorough`` also what it
    computes in training and how it differentiates, in both, at about six times the cost.

    ``how`` has to be in float64, which decides; ``others`` are further ways to execute it, and
    ``whole`` those in which it is executed on whole numbers, where not a bit may differ.
    Of the rows in ``arrays`` the record has whole results, :data:`EVERY` for those of all rows.
    With ``repeat`` every numeric check is done once for each of its seeds, on one trace, and it
    remembers how that went; the record has what was found with the first of them.

    Raises :class:`~conformance.ports.implementations.NotInstalled` and
    :class:`~conformance.trace.port.UntraceableModel`.
    """
    repeat = repeat or Repeat(seed)
    gc.freeze()  # a collection looks at what this network makes, not at all of a framework again
    port = frameworks.port(framework, model)
    # A tape may hold its framework's record of the run: two at once are much in a deep network.
    ways = (how, *others) if numbers else ()
    record = _in_inference(
        port, model, ways, whole if numbers else (), thorough, arrays, repeat, progress
    )
    gc.collect()  # frameworks keep models alive in reference cycles
    _in_training(record, port, model, thorough, repeat, progress)
    gc.collect()
    return record


def _in_inference(
    port: Port,
    model: Model,
    ways: Sequence[Execution],
    whole: Sequence[Execution],
    thorough: bool,
    arrays: Collection[str],
    repeat: Repeat,
    progress: Progress,
) -> Record:
    tape = port.trace(model.input)
    graph = verify(canonical(tape))
    record = Record(model.name, graph)

    rows = row_of(graph, model.row_names)

    def keep(node: int, result: np.ndarray) -> None:
        if rows[node] in arrays or EVERY in arrays:
            record.arrays[node] = result.copy()

    def compare(how: Execution) -> Callable[[int, Progress], Parity]:
        return lambda seed, shown: parity(
            port, tape, graph, seed=seed, progress=shown, how=how,
            keep=keep if how is ways[0] and seed == repeat.seeds[0] else None,
        )  # fmt: skip

    found = [
        repeat.run(str(how) if number else "inference", graph, compare(how), progress)
        for number, how in enumerate(ways)
    ]
    if found:
        record.parity, *executions = found
        record.executions = tuple(executions)
    record.exact = tuple(
        exact(port, tape, graph, seed=repeat.seeds[0], how=each, progress=progress)
        for each in whole
    )
    if thorough:
        record.gradients = repeat.run(
            "gradients", graph, lambda seed, _: gradients(port, tape, graph, seed=seed), progress
        )
    return record


def _in_training(
    record: Record, port: Port, model: Model, thorough: bool, repeat: Repeat, progress: Progress
) -> None:
    tape = port.trace(model.input, training=True)
    record.training = graph = verify(canonical(tape))
    if thorough:
        # What the step computes is kept for its gradients; of several seeds it would be too much.
        once = Oracles(graph, repeat.seeds[0], BATCH) if len(repeat.seeds) == 1 else None
        record.training_parity = repeat.run(
            "training",
            graph,
            lambda seed, shown: parity(
                port, tape, graph, seed=seed, progress=shown, training=True, oracles=once
            ),
            progress,
        )
        record.training_gradients = repeat.run(
            "training gradients",
            graph,
            lambda seed, _: gradients(port, tape, graph, seed=seed, training=True, oracles=once),
            progress,
        )


def telling(graph: Graph) -> int:
    """How much a network says about its family: how many kinds of layers it has."""
    return len({node.kind for node in graph})
