"""From a TensorFlow function graph to a tape, and the same graph run in float64.

A tape's value is one of the graph's tensors, or stands between two of them where one operation
of TensorFlow is several primitives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.func_graph import func_graph_from_py_func

from conformance.chunks import ALIGNMENT, room
from conformance.trace.evaluation import evaluate
from conformance.trace.places import calls_the_port
from conformance.trace.port import (
    PLAIN,
    Arrays,
    Call,
    CannotExecute,
    Execution,
    Gradients,
    Inside,
    Observer,
    Run,
    UntraceableModel,
)
from conformance.trace.tape import Tape
from conformance.trace.tensorflow.execution import computing, gpu, reason_of, session, versions
from conformance.trace.tensorflow.making import making
from conformance.trace.tensorflow.recorder import Recorder

__all__ = [
    "TYPED", "computing", "differentiate", "execute", "gpu", "inside", "record", "resized",
    "versions",
]  # fmt: skip

#: Whether what was recorded computes in one precision only.
TYPED = True

#: What conditions and loops are made of, where they are no functions.
CONTROL = ("Switch", "Merge", "Enter", "Exit")

#: Places for cotangents, and the gradients that follow.
Reverse = tuple[list[Any], list[Any]]


@dataclass
class Source:
    """The graph that a tape was read from, and each value's tensor there."""

    graph: Any
    tensors: dict[int, str]
    captured: dict[str, np.ndarray]
    #: The value that each tensor is.
    bound: dict[str, int]
    #: The handle of each placeholder that stands for a stored array.
    parameters: dict[str, str]
    #: The layers' names, the model's own, and each operation's line.
    names: tuple[frozenset[str], str, Mapping[str, str]]
    #: The tensors that the call returned.
    outputs: list[str]
    #: The reverse mode, by the stored arrays that it differentiates by.
    gradients: dict[frozenset[str], Reverse] = field(default_factory=dict)


@calls_the_port
def record(call: Call, how: Execution = PLAIN) -> Tape:
    """What a call computes, from shapes and types alone."""
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in call.parameters.values()]
    with making() as lines:
        graph = _graph(call, [tf.TensorSpec(call.image, how.dtype), *specs])
    names = call.modules, call.root, lines.get(graph, {})
    recorder = Recorder(graph, *names)
    tape = recorder.tape
    entry, *places = graph.inputs[: 1 + len(specs)]
    recorder.bind(entry, tape.input(call.image, call.axes))
    recorder.parameters = {
        place.name: handle for place, handle in zip(places, call.parameters, strict=True)
    }
    for outer, inner in graph.captures:
        if inner.dtype == tf.resource:
            recorder.variables[inner.name] = _variable_name(graph, outer)
        elif inner.op.type == "Placeholder":  # a small array is in the graph already
            recorder.captured[inner.name] = outer.numpy()
    tape.outputs = tuple(recorder.values(graph.outputs))
    # Not the recorder itself, which holds the tape: what is in no cycle is gone at once.
    tape.source = Source(
        graph, recorder.tensors, recorder.captured, recorder.bound, recorder.parameters, names,
        [tensor.name for tensor in graph.outputs],
    )  # fmt: skip
    return tape


def resized(tape: Tape, image: tuple[int, ...]) -> Tape:
    """The very operations of a recorded call, on images of another shape: nothing is called again.

    Raises :class:`UntraceableModel` where they are for the one shape only.
    """
    known: Source = tape.source
    graph = _copied(known.graph, known.tensors[0], image)
    recorder = Recorder(graph, *known.names)
    recorder.captured, recorder.parameters = known.captured, known.parameters
    recorder.bind(
        graph.get_tensor_by_name(known.tensors[0]),
        recorder.tape.input(image, tape[0].attributes["axes"]),
    )
    recorder.values([graph.get_tensor_by_name(name) for name in known.outputs])
    alike = [[(o.name, o.inputs) for o in each.operations] for each in (tape, recorder.tape)]
    if alike[0] != alike[1]:
        raise UntraceableModel("it is written otherwise for another image")
    found = copy(tape)
    found.operations, found.faults = recorder.tape.operations, [*tape.faults]
    found.source = replace(
        known, graph=graph, tensors=recorder.tensors, bound=recorder.bound, gradients={}
    )
    return found


def _copied(graph: Any, entry: str, image: tuple[int, ...]) -> Any:
    """A graph with another image."""
    definition = graph.as_graph_def()
    # Their ways back are in Python, and of the graph in which they were made.
    own = ("_gradient_op_type" in node.attr or node.op in CONTROL for node in definition.node)
    if definition.library.function or any(own):
        raise UntraceableModel("a step has a way back of its own")
    place = next(node for node in definition.node if f"{node.name}:0" == entry)
    place.attr["shape"].shape.CopyFrom(tf.TensorShape(image).as_proto())
    found = tf.Graph()
    try:
        with found.as_default():
            tf.graph_util.import_graph_def(definition, name="")
    except ValueError as error:
        raise UntraceableModel(f"a step is for another image: {error}") from error
    return found


def _graph(call: Call, specs: Sequence[tf.TensorSpec]) -> Any:
    """The graph of a call: a ``tf.function`` has it, and costs a fifth more.

    Only where the call makes variables one is needed, which knows how to take them out of it.
    """
    made = []

    def make(following: Any, **options: Any) -> Any:
        made.append(following)
        raise ValueError("a variable is made in the call")

    function = tf.autograph.experimental.do_not_convert(call.function)
    try:
        with tf.variable_creator_scope(make):
            return func_graph_from_py_func(
                "call", function, specs, {}, add_control_dependencies=False
            )
    except Exception:
        if not made:
            raise
    return tf.function(call.function, autograph=False).get_concrete_function(*specs).graph


def _variable_name(graph: Any, resource: Any) -> str:
    return next(v.name for v in graph.variables if v.handle is resource)


def execute(run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
    """Run as much of the recorded function as is wanted, and hand that over in order.

    Compiled it is rewritten and fused as in a ``tf.function``.
    """
    tape, source = run.tape, run.tape.source
    sources = {value: _tensors_behind(tape, value) for value in sorted(wanted)}
    replaced = {value: _tensors_behind(tape, value) for value in tape.updates.values()}
    fetched = sorted(set().union(*sources.values(), *replaced.values()))
    feeds = _feeds(run, fetched)
    with session(source.graph, run.how) as running:
        try:
            feeds |= _roots(running, run, fetched, feeds)
            results = running.run({value: source.tensors[value] for value in fetched}, feeds)
        except tf.errors.OpError as error:
            kind = UntraceableModel if run.how.precision == PLAIN.precision else CannotExecute
            raise kind(
                f"the model does not run in {run.how.precision}: {reason_of(error)}"
            ) from error
    feeds.clear()
    for value, result in results.items():  # nothing that NumPy does not know, such as bfloat16
        results[value] = result.astype(np.float32) if result.itemsize < 4 else result
    for value, group in sources.items():
        known = {each: results[each] for each in group}
        observe(value, known[value] if value in known else evaluate(tape, value, known))
    return {
        handle: evaluate(tape, value, {each: results[each] for each in replaced[value]})
        for handle, value in tape.updates.items()
    }


def _roots(
    running: Any, run: Run, values: Iterable[int], feeds: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Reciprocal square roots of stored arrays as they are defined, by the tensors that hold them.

    Where a processor has an instruction that approximates one, TensorFlow improves on that, and is
    off by the last digit on some of them: by powers of four as well, where nothing has to round.
    """
    tape, source = run.tape, run.tape.source
    if run.how.compiled or run.how.dtype == PLAIN.dtype or run.how.device != "cpu":
        return {}
    made = [
        source.graph.get_tensor_by_name(source.tensors[value])
        for value in tape.behind(values)
        if tape[value].name == "rsqrt"
        and all(tape[each].name != "input" for each in tape.behind([value]))
    ]
    made = [root for root in made if root.op.type == "Rsqrt"]
    found = running.run([root.op.inputs[0] for root in made], feeds)
    return {root.name: 1 / np.sqrt(x) for root, x in zip(made, found, strict=True)}


def _feeds(run: Run, values: Iterable[int]) -> dict[str, np.ndarray]:
    """Numbers for all that comes from outside the graph and these values are computed from."""
    tape, source = run.tape, run.tape.source
    feeds = dict(source.captured)
    for value in sorted(tape.behind(values)):
        operation = tape[value]
        if operation.name == "input":
            given = run.image
        elif operation.name == "parameter":
            given = run.values(operation.attributes["handle"])
        elif value in run.draws:
            given = np.full(operation.shape, run.draws[value])
        else:
            continue
        tensor = source.graph.get_tensor_by_name(source.tensors[value])
        feeds[tensor.name] = _aligned(given, tensor.dtype.as_numpy_dtype)
    return feeds


def _aligned(array: np.ndarray, dtype: Any) -> np.ndarray:
    """An array as TensorFlow reads it where it lies: any other one it holds a second time."""
    if array.dtype == dtype and array.flags.c_contiguous and not array.ctypes.data % ALIGNMENT:
        return array
    result = room(array.shape, dtype)
    result[...] = array
    return result


def differentiate(run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
    """The gradients of the recorded function by TensorFlow's own reverse mode."""
    tape, source = run.tape, run.tape.source
    leaves: dict[str | None, list[str]] = {None: [], **{handle: [] for handle in sorted(wanted)}}
    for value in sorted(tape.behind(tape.outputs[: len(cotangents)])):
        if tape[value].name in ("input", "parameter"):
            handle = tape[value].attributes.get("handle")
            if handle in leaves:
                leaves[handle].append(source.tensors[value])
    flat = [(handle, name) for handle, names in leaves.items() for name in names]
    if wanted not in source.gradients:  # they become part of the graph: once is enough
        names = [name for _, name in flat]
        source.gradients[wanted] = _gradients(run, cotangents, names)
    found: Gradients = {}
    results = _went_back(run, cotangents, source.gradients[wanted])
    for (handle, _), gradient in zip(flat, results, strict=True):
        # A stored array that is read twice is moved by both.
        found[handle] = found[handle] + gradient if handle in found else gradient
    return found


def _went_back(run: Run, cotangents: Arrays, reverse: Reverse) -> Any:
    """The numbers of gradients.  Raises :class:`UntraceableModel`."""
    above, fetched = reverse
    feeds = _feeds(run, run.tape.outputs[: len(cotangents)])
    feeds.update(zip((place.name for place in above), cotangents, strict=True))
    with session(run.tape.source.graph) as running:
        try:
            return running.run(fetched, feeds)
        except tf.errors.OpError as error:
            raise UntraceableModel(
                f"the model has no gradient in float64: {reason_of(error)}"
            ) from error


@calls_the_port
def _gradients(run: Run, cotangents: Arrays, names: Sequence[str]) -> Reverse:
    """Places for the cotangents, and the gradients by the tensors of these names."""
    tape, source = run.tape, run.tape.source
    outputs = [source.tensors[value] for value in tape.outputs[: len(cotangents)]]
    graph = source.graph
    with making(), graph.as_default():
        above = [tf.compat.v1.placeholder(tf.float64, each.shape) for each in cotangents]
        results, leaves = (list(map(graph.get_tensor_by_name, some)) for some in (outputs, names))
        # The same as tf.gradients, which says of each operation on which device it should be, too.
        differentiate = tf.compat.v1.gradients
        return above, differentiate(results, leaves, above, unconnected_gradients="zero")


def inside(run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
    """The gradients by every tensor that is one of the values wanted."""
    bound = run.tape.source.bound
    names = [name for name, value in bound.items() if value in wanted]
    gradients = _went_back(run, cotangents, _gradients(run, cotangents, names))
    found: Inside = {}
    for name, gradient in zip(names, gradients, strict=True):
        found.setdefault(bound[name], []).append(gradient)
    return found


def _tensors_behind(tape: Tape, value: int) -> set[int]:
    """The value itself, or else the nearest ones above it, that are tensors of the graph."""
    tensors = tape.source.tensors
    if value in tensors or tape[value].name == "constant":
        return {value} & tensors.keys()
    return set().union(*(_tensors_behind(tape, source) for source in tape[value].inputs))
