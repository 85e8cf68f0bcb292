"""One network of one framework examined: traced without weights, then run on canonical ones."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Sequence

import numpy as np
from msgspec.structs import replace

from conformance.graph.model import Graph, verify
from conformance.graph.rows import row_of
from conformance.graph.shrink import smallest
from conformance.judge import published
from conformance.judge.port.smaller import smaller
from conformance.judge.record.evidence import Record
from conformance.judge.record.repeat import Found, Progress, Repeat
from conformance.numbers.exact import exact
from conformance.numbers.gradients import Gradients, gradients
from conformance.numbers.parity import Oracles, Parity, parity
from conformance.numbers.weights import BATCH
from conformance.ports import implementations as frameworks
from conformance.reference import Model
from conformance.trace.canonical import canonical
from conformance.trace.port import PLAIN, Execution, Port
from conformance.trace.tape import Tape

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
    computes in training and how it differentiates, in both, on the smallest image on which it is
    the same network.

    ``how`` has to be in float64, which decides; ``others`` are further ways to execute it, and
    ``whole`` those in which it is executed on whole numbers, where not a bit may differ.
    Of the rows in ``arrays`` the record has whole results, :data:`EVERY` for those of all rows.
    With ``repeat`` every numeric check is done once for each of its seeds, on one trace, and it
    remembers how that went; the record has what was found with the first of them.

    Raises :class:`~conformance.ports.implementations.NotInstalled` and
    :class:`~conformance.trace.port.UntraceableModel`.
    """
    gc.freeze()  # a collection looks at what this network makes, not at all of a framework again
    repeat = repeat or Repeat(seed)
    port = frameworks.port(framework, model)
    # A tape may hold its framework's record of the run: two at once are much in a deep network.
    ways = (how, *others) if numbers else ()
    record = _in_inference(
        port, model, ways, whole if numbers else (), thorough, arrays, repeat, progress
    )
    gc.collect()  # frameworks keep models alive in reference cycles
    _in_training(record, port, model, thorough, repeat, progress)
    del port  # it is in such cycles, too
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
    tape, graph = _traced(port, model)
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
        small, tape = _smaller(port, model, graph) or (graph, tape)

        def differentiate(seed: int, _: Progress) -> Gradients:
            given = Oracles(small, seed, 1, like=graph, returns=True)
            return gradients(port, tape, small, seed=seed, oracles=given)

        back = repeat.run("gradients", graph, differentiate, progress)
        record.gradients = _on(small, graph, back)
    return record


def _traced(port: Port, model: Model, training: bool = False) -> tuple[Tape, Graph]:
    """What a network is.  All that is made on the way lives until the end, or is in no cycle: to
    look for cycles among it again and again takes an eighth of the time."""
    gc.disable()
    try:
        tape = port.trace(model.input, training)
        return tape, verify(canonical(tape))
    finally:
        gc.enable()


def _in_training(
    record: Record, port: Port, model: Model, thorough: bool, repeat: Repeat, progress: Progress
) -> None:
    tape, record.training = _traced(port, model, training=True)
    graph = record.training
    if thorough:
        small, tape = _smaller(port, model, graph, training=True) or (graph, tape)
        # What the step computes is kept for its gradients; of several seeds it would be too much.
        alone = len(repeat.seeds) == 1
        once = Oracles(small, repeat.seeds[0], BATCH, like=graph, returns=True) if alone else None

        def given(seed: int) -> Oracles:
            return once or Oracles(small, seed, BATCH, like=graph, returns=True)

        def step(seed: int, shown: Progress) -> Parity:
            return parity(
                port, tape, small, seed=seed, progress=shown, training=True, oracles=given(seed)
            )

        def differentiate(seed: int, _: Progress) -> Gradients:
            return gradients(port, tape, small, seed=seed, training=True, oracles=given(seed))

        there = repeat.run("training", graph, step, progress)
        back = repeat.run("training gradients", graph, differentiate, progress)
        record.training_parity = _on(small, graph, there)
        record.training_gradients = _on(small, graph, back)


def _smaller(
    port: Port, model: Model, graph: Graph, training: bool = False
) -> tuple[Graph, Tape] | None:
    """A network on the smallest image on which it is the same one, in every framework alike.

    One whose heads in training read whole maps may be declared for one size of image only.
    """
    taught = published.network(model).training if published.known(model.name) else graph
    return smaller(port, graph, training) if smallest(taught) else None


def _on(small: Graph, graph: Graph, found: Found) -> Found:
    """What was found, and on which image if not on that of the graph."""
    if small is graph:
        return found
    return replace(found, image=small.nodes[small.inputs[0]].shape)


def telling(graph: Graph) -> int:
    """How much a network says about its family: how many kinds of layers it has."""
    return len({node.kind for node in graph})
