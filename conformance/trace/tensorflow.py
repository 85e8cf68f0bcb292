"""From a TensorFlow function graph to a tape, and the same graph run in float64.

A tape's value is one of the graph's tensors, or stands between two of them where one operation
of TensorFlow is several primitives.  What depends on neither the image nor a parameter is
evaluated by TensorFlow itself and becomes a constant; so shapes and index arithmetic vanish.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework.function_def_to_graph import (  # noqa: E402
    function_def_to_graph,
)

from conformance.graph.model import Where
from conformance.trace.port import NO_DRAWS, PLAIN, CannotExecute, Execution, UntraceableModel
from conformance.trace.tape import Tape, evaluate

#: Whether what was recorded computes in one precision only.
TYPED = True

_HERE = str(Path(__file__).parent)

#: Where TensorFlow and what it builds on are installed: no part of it is a port's own source.
_LIBRARIES = tuple(str(Path(tf.__file__).parents[1] / name) for name in ("tensorflow", "keras"))


def versions() -> dict[str, str]:
    """The framework's version, for the evidence."""
    return {"tensorflow": tf.__version__}


def gpu() -> str:
    """The name of the GPU that TensorFlow sees; empty if it sees none."""
    seen = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(seen[0])["device_name"]) if seen else ""


@contextmanager
def computing(how: Execution = PLAIN) -> Iterator[None]:
    """TensorFlow has no float64 kernel of its LRN: in here that name is its definition."""
    if how.device == "gpu" and not gpu():
        raise CannotExecute("TensorFlow sees no GPU here")
    if how.precision == "tf32" and how.device == "cpu":
        raise CannotExecute("tf32 is a precision of GPUs: leave it out, or add --device gpu")
    tf.config.experimental.enable_tensor_float_32_execution(how.precision == "tf32")
    with (
        mock.patch.object(tf.nn, "local_response_normalization", _local_response_normalization),
        mock.patch.object(tf.nn, "lrn", _local_response_normalization),
    ):
        yield


def _local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5,
    name: str | None = None,
) -> Any:  # fmt: skip
    maps = input.shape[-1]
    squares = tf.pad(tf.square(input), [[0, 0]] * 3 + [[depth_radius, depth_radius]])
    sums = tf.add_n([squares[..., i : i + maps] for i in range(2 * depth_radius + 1)])
    return input / (bias + alpha * sums) ** beta


class GraphTape(Tape):
    """A tape that remembers the function it was read from, and each value's tensor there."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.tensors: dict[int, str] = {}
        self.captured: dict[str, np.ndarray] = {}
        #: Places for the cotangents and the gradients that follow, by what they are taken by.
        self.gradients: dict[frozenset[str], tuple[list[Any], dict[int, list[Any]]]] = {}


def record(
    call: Callable[..., Any],
    image: tuple[int, ...],
    axes: str,
    parameters: Mapping[str, tuple[tuple[int, ...], str]],
    modules: frozenset[str],
    root: str,
    how: Execution = PLAIN,
) -> GraphTape:
    """Write down what ``call(image, *parameters)`` computes, from shapes and types alone.

    ``modules`` are the names of the model's layers, the only scopes that are part of a path;
    ``root`` is the name of the model itself, which is not.
    """
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in parameters.values()]
    function = tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec(image, how.dtype), *specs
    )
    tape = GraphTape(function)
    recorder = _Recorder(tape, function.graph, modules, root)
    entry, *places = function.inputs[: 1 + len(specs)]
    recorder.bind(entry, tape.input(image, axes))
    recorder.parameters = {p.name: handle for p, handle in zip(places, parameters, strict=True)}
    for outer, inner in function.graph.captures:
        if inner.dtype == tf.resource:
            recorder.variables[inner.name] = _variable_name(function, outer)
        elif inner.op.type == "Placeholder":  # a small array is in the graph already
            tape.captured[inner.name] = outer.numpy()
    tape.outputs = tuple(recorder.values(tf.nest.flatten(function.outputs)))
    return tape


def _variable_name(function: Any, resource: Any) -> str:
    return next(v.name for v in function.graph.variables if v.handle is resource)


def execute(
    tape: GraphTape,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    wanted: frozenset[int],
    observe: Callable[[int, np.ndarray], None],
    draws: Mapping[int, float] = NO_DRAWS,
    how: Execution = PLAIN,
) -> dict[str, np.ndarray]:
    """Run as much of the recorded function as is wanted, and hand that over in order.

    Returned is what a training step replaces, by handle.  Compiled it is rewritten and fused as
    in a ``tf.function``.
    """
    sources = {value: _tensors_behind(tape, value) for value in sorted(wanted)}
    replaced = {value: _tensors_behind(tape, value) for value in tape.updates.values()}
    fetched = sorted(set().union(*sources.values(), *replaced.values()))
    feeds = dict(tape.captured)
    for value in sorted(_upstream(tape, fetched)):
        if tape[value].name == "input":
            feeds[tape.tensors[value]] = image
        elif tape[value].name == "parameter":
            feeds[tape.tensors[value]] = values(tape[value].attributes["handle"])
        elif value in draws:
            feeds[tape.tensors[value]] = np.full(tape[value].shape, draws[value])
    with tf.compat.v1.Session(graph=tape.function.graph, config=_configuration(how)) as session:
        try:
            results = session.run({value: tape.tensors[value] for value in fetched}, feeds)
        except tf.errors.OpError as error:
            # The place, then "Node:" with its name, then the reason, then the node again.
            reason = " ".join(error.message.rpartition("Node: ")[2].partition("[[")[0].split())
            kind = UntraceableModel if how.precision == PLAIN.precision else CannotExecute
            raise kind(f"the model does not run in {how.precision}: {reason}") from error
    feeds.clear()
    for value, result in results.items():  # nothing that NumPy does not know, such as bfloat16
        results[value] = result.astype(np.float32) if result.itemsize < 4 else result
    for value, group in sources.items():
        known = {source: results[source] for source in group}
        observe(value, known[value] if value in known else evaluate(tape, value, known))
    return {
        handle: evaluate(tape, value, {source: results[source] for source in replaced[value]})
        for handle, value in tape.updates.items()
    }


def differentiate(
    tape: GraphTape,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    cotangents: Sequence[np.ndarray],
    wanted: frozenset[str],
    observe: Callable[[str | None, np.ndarray], None],
    draws: Mapping[int, float] = NO_DRAWS,
) -> None:
    """Hand out the gradients of the recorded function by TensorFlow's own reverse mode."""
    graph, outputs = tape.function.graph, tape.outputs[: len(cotangents)]
    feeds = dict(tape.captured)
    sources: dict[str | None, list[Any]] = {None: [], **{handle: [] for handle in sorted(wanted)}}
    for value in sorted(_upstream(tape, outputs)):
        if value in draws:
            feeds[tape.tensors[value]] = np.full(tape[value].shape, draws[value])
        elif tape[value].name in ("input", "parameter"):
            handle = tape[value].attributes.get("handle")
            feeds[tape.tensors[value]] = image if handle is None else values(handle)
            if handle in sources:
                sources[handle].append(graph.get_tensor_by_name(tape.tensors[value]))
    if wanted not in tape.gradients:  # they become part of the graph: once is enough
        flat = [tensor for tensors in sources.values() for tensor in tensors]
        with graph.as_default():
            results = [graph.get_tensor_by_name(tape.tensors[output]) for output in outputs]
            above = [tf.compat.v1.placeholder(tf.float64, each.shape) for each in cotangents]
            found = iter(tf.gradients(results, flat, above, unconnected_gradients="zero"))
        groups = {i: [next(found) for _ in group] for i, group in enumerate(sources.values())}
        tape.gradients[wanted] = above, groups
    above, fetched = tape.gradients[wanted]
    feeds.update(zip((place.name for place in above), cotangents, strict=True))
    with tf.compat.v1.Session(graph=graph, config=_configuration(PLAIN)) as session:
        try:
            results = session.run(fetched, feeds)
        except tf.errors.OpError as error:
            reason = " ".join(error.message.rpartition("Node: ")[2].partition("[[")[0].split())
            raise UntraceableModel(f"the model has no gradient in float64: {reason}") from error
    for handle, group in zip(sources, results.values(), strict=True):
        if group:  # a stored array that is read twice is moved by both
            observe(handle, sum(group[1:], start=group[0]))


def _tensors_behind(tape: GraphTape, value: int) -> set[int]:
    """The value itself, or else the nearest ones above it, that are tensors of the graph."""
    if value in tape.tensors or tape[value].name == "constant":
        return {value} & tape.tensors.keys()
    return set().union(*(_tensors_behind(tape, source) for source in tape[value].inputs))


def _upstream(tape: Tape, values: Iterable[int]) -> set[int]:
    """These values and all that they are computed from."""
    seen: set[int] = set()
    stack = list(values)
    while stack:
        if (value := stack.pop()) not in seen:
            seen.add(value)
            stack.extend(tape[value].inputs)
    return seen


def _configuration(how: Execution) -> Any:
    """Every kernel as the port wrote it: no rewriting, fusing or folding, unless it is compiled."""
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0} if how.device == "cpu" else {})
    if not how.compiled:
        options = config.graph_options
        options.rewrite_options.disable_meta_optimizer = True
        options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    return config


class _Unreadable(Exception):
    """An operation in a mode that the tape has no word for."""


class _Recorder:
    """Reads one graph in the order it was built in, as far as the outputs depend on it."""

    def __init__(self, tape: GraphTape, graph: Any, modules: frozenset[str], root: str) -> None:
        self.tape = tape
        self.graph = graph
        self.modules = modules
        self.root = root
        self.bound: dict[str, int] = {}
        self.folded: set[str] = set()
        self.shapes: dict[str, np.ndarray] = {}
        self.parameters: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.where = Where()
        self.caller = Where()

    # What is known about a tensor.

    def bind(self, tensor: Any, value: int) -> None:
        """A tensor of the graph is a value of the tape."""
        self.bound[tensor.name] = value
        self.tape.tensors.setdefault(value, tensor.name)

    def values(self, tensors: Sequence[Any]) -> list[int]:
        """The values of some tensors, after everything that they depend on."""
        for operation in self._pending([tensor.op for tensor in tensors]):
            self._visit(operation)
        return [self.value(tensor) for tensor in tensors]

    def value(self, tensor: Any) -> int:
        """The value of a tensor whose operation has been visited."""
        if tensor.name not in self.bound:
            self.bound[tensor.name] = self.tape.constant(self.static(tensor))
        return self.bound[tensor.name]

    def static(self, tensor: Any) -> np.ndarray:
        """What a tensor always is; unreadable if that depends on the image or a parameter."""
        if tensor.name not in self.folded:
            raise _Unreadable(tensor.name)
        known = tf.get_static_value(tensor)
        if known is None:
            with tf.compat.v1.Session(graph=self.graph, config=_configuration(PLAIN)) as session:
                known = session.run(tensor, {**self.tape.captured, **self.shapes})
        return np.asarray(known)

    # Reading operations.

    def _pending(self, operations: Sequence[Any]) -> list[Any]:
        """The operations behind these that have not been visited, in order of creation."""
        wanted: set[str] = set()
        stack = list(operations)
        while stack:
            operation = stack.pop()
            if operation.name not in wanted and not all(map(self._seen, operation.outputs)):
                wanted.add(operation.name)
                stack.extend(tensor.op for tensor in operation.inputs)
        return [operation for operation in self.graph.get_operations() if operation.name in wanted]

    def _seen(self, tensor: Any) -> bool:
        return any(tensor.name in known for known in (self.bound, self.folded, self.variables))

    def _visit(self, operation: Any) -> None:
        """Fold an operation or write it down."""
        # Inference writes to nothing, so nothing has to wait for anything.
        operation._remove_all_control_inputs()
        if self._foldable(operation):
            self.folded.update(tensor.name for tensor in operation.outputs)
            return
        path, line = self._path(operation.name), _line(operation)
        self.where = Where(path or self.caller.path, line or self.caller.line)
        try:
            results = _HANDLERS.get(operation.type, _unknown)(self, operation)
        except _Unreadable:
            results = _unknown(self, operation)
        for tensor, value in zip(operation.outputs, results, strict=True):
            self.bind(tensor, value)

    def _foldable(self, operation: Any) -> bool:
        if operation.type in ("Shape", "ShapeN", "Size", "Rank"):
            shapes = [tensor.shape for tensor in operation.inputs]
            if not all(shape.is_fully_defined() for shape in shapes):
                return False
            for output, shape in zip(operation.outputs, shapes, strict=True):
                sizes = {"Rank": shape.rank, "Size": shape.num_elements()}
                self.shapes[output.name] = np.array(
                    sizes.get(operation.type, shape.as_list()), output.dtype.as_numpy_dtype
                )
            return True
        if operation.type == "Placeholder":
            return operation.outputs[0].name in self.tape.captured
        if operation.op_def.is_stateful:
            return False
        return all(tensor.name in self.folded for tensor in operation.inputs)

    def _path(self, name: str) -> str:
        """The layers that an operation's scope names.

        Keras opens a layer's scope twice, to build and to call, so TensorFlow numbers the
        second one: ``conv3_x_1/Relu`` is in ``conv3_x``.
        """
        path = []
        for scope in name.split("/")[:-1]:
            head, _, tail = scope.rpartition("_")
            if tail.isdecimal() and head in self.modules:
                path.append(head)
            elif scope in self.modules:
                path.append(scope)
        return "/".join(path[1:] if path and path[0] == self.root else path)

    # What handlers write with.

    def emit(self, name: str, inputs: Iterable[int], shape: Any, **attributes: Any) -> int:
        """Write a primitive at the place of the operation that is being read."""
        return self.tape.emit(name, tuple(inputs), tuple(shape), self.where, **attributes)

    def reshape(self, value: int, shape: Any) -> int:
        """The value in another shape."""
        if tuple(shape) == self.tape[value].shape:
            return value
        return self.emit("reshape", (value,), shape)

    def part(self, value: int, ranges: Sequence[range]) -> int:
        """The part of the value that one range of indices an axis selects."""
        forward = [r if r.step > 0 else r[::-1] for r in ranges]
        shape = [len(r) for r in ranges]
        if forward != [range(n) for n in self.tape[value].shape]:
            value = self.emit(
                "slice",
                (value,),
                shape,
                start=tuple(r.start for r in forward),
                stop=tuple(r.stop for r in forward),
                step=tuple(r.step for r in forward),
            )
        if reversed_axes := tuple(a for a, r in enumerate(ranges) if r.step < 0):
            value = self.emit("reverse", (value,), shape, axes=reversed_axes)
        return value


_Handler = Callable[[_Recorder, Any], list[int]]


def _line(operation: Any) -> str:
    """Where the port's own source makes the operation, as ``folder/file.py:41``."""
    for frame in reversed(operation.traceback or ()):
        if frame.filename.startswith(_HERE):
            break
        if not frame.filename.startswith(_LIBRARIES):
            return "/".join(Path(frame.filename).parts[-2:]) + f":{frame.lineno}"
    return ""


def _decimal(attribute: float) -> float:
    """An attribute as it was written: the graph keeps floats in single precision."""
    return float(str(np.float32(attribute)))


def _axes(operation: Any) -> tuple[int, int, int, int]:
    """The axes of batch, channel, height and width."""
    layout = operation.get_attr("data_format").decode()
    if layout not in ("NHWC", "NCHW"):
        raise _Unreadable(layout)
    return (0, 3, 1, 2) if layout == "NHWC" else (0, 1, 2, 3)


def _padding(
    operation: Any, window: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Padding before and after, for every axis of the input."""
    kind = operation.get_attr("padding").decode()
    if kind == "VALID":
        return ((0, 0),) * 4
    if kind == "EXPLICIT":
        explicit = operation.get_attr("explicit_paddings")
        return tuple(zip(explicit[::2], explicit[1::2], strict=True))
    pairs = []
    for n, k, s, d in zip(operation.inputs[0].shape, window, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def _convolution(recorder: _Recorder, operation: Any) -> list[int]:
    image, kernel = map(recorder.value, operation.inputs)
    height, width, inputs, outputs = operation.inputs[1].shape
    axes = _axes(operation)
    channels = operation.inputs[0].shape[axes[1]]
    if operation.type == "DepthwiseConv2dNative":
        kernel = recorder.reshape(kernel, (height, width, 1, inputs * outputs))
        inputs = 1
    window = [1] * 4
    window[axes[2]], window[axes[3]] = height, width
    stride, dilation = operation.get_attr("strides"), operation.get_attr("dilations")
    padding = _padding(operation, window, stride, dilation)
    result = recorder.emit(
        "conv",
        (image, kernel),
        operation.outputs[0].shape,
        lhs=axes,
        rhs=(3, 2, 0, 1),
        out=axes,
        stride=tuple(stride[a] for a in axes[2:]),
        padding=tuple(padding[a] for a in axes[2:]),
        dilation=tuple(dilation[a] for a in axes[2:]),
        groups=channels // inputs,
    )
    return [result]


def _dilated(recorder: _Recorder, operation: Any) -> list[int]:
    """A dilated convolution, which TensorFlow computes on an image that is laid out apart."""
    convolution = operation.inputs[0].op
    if convolution.type not in ("Conv2D", "DepthwiseConv2dNative"):
        return _unknown(recorder, operation)
    apart = convolution.inputs[0].op
    dense = recorder.value(operation.inputs[0])
    plain = recorder.tape[dense].attributes
    if apart.type != "SpaceToBatchND" or set(plain["padding"]) != {(0, 0)}:
        return _unknown(recorder, operation)
    block, crops = (recorder.static(t).tolist() for t in operation.inputs[1:])
    spread, pads = (recorder.static(t).tolist() for t in apart.inputs[1:])
    axes = _axes(convolution)
    if block != spread or len(block) != 2 or axes[1] != 3:
        return _unknown(recorder, operation)
    padding = tuple((p[0] - c[0], p[1] - c[1]) for p, c in zip(pads, crops, strict=True))
    inputs = recorder.value(apart.inputs[0]), recorder.tape[dense].inputs[1]
    changes = {"padding": padding, "dilation": tuple(block)}
    return [recorder.emit("conv", inputs, operation.outputs[0].shape, **plain | changes)]


def _bias(recorder: _Recorder, operation: Any) -> list[int]:
    image, bias = map(recorder.value, operation.inputs)
    shape = operation.outputs[0].shape
    if operation.get_attr("data_format") == b"NCHW":
        bias = recorder.reshape(bias, (shape[1], *[1] * (shape.rank - 2)))
    return [recorder.emit("add", (image, bias), shape)]


def _product(recorder: _Recorder, operation: Any) -> list[int]:
    left, right = map(recorder.value, operation.inputs)
    rank = operation.inputs[0].shape.rank
    if operation.inputs[1].shape.rank != 2:
        raise _Unreadable("a batch of matrix products")
    flips = ("transpose_a", "transpose_b") if operation.type == "MatMul" else ("adj_x", "adj_y")
    flipped, contracted = (bool(operation.get_attr(flip)) for flip in flips)
    if flipped and rank != 2:
        raise _Unreadable("a batch of matrix products")
    contract = (0 if flipped else rank - 1, 1 if contracted else 0)
    return [recorder.emit("dot", (left, right), operation.outputs[0].shape, contract=contract)]


def _window(recorder: _Recorder, operation: Any) -> list[int]:
    size = tuple(operation.get_attr("ksize"))
    stride = tuple(operation.get_attr("strides"))
    _axes(operation)
    # TensorFlow's average never counts padding.
    attributes: dict[str, Any] = {"reduce": "max"}
    if operation.type == "AvgPool":
        attributes = {"reduce": "mean", "count_padding": False}
    padding = _padding(operation, size, stride, (1, 1, 1, 1))
    return [
        recorder.emit(
            "window",
            (recorder.value(operation.inputs[0]),),
            operation.outputs[0].shape,
            size=size,
            stride=stride,
            padding=padding,
            **attributes,
        )
    ]


def _reduction(recorder: _Recorder, operation: Any) -> list[int]:
    tensor, axes = operation.inputs
    rank = tensor.shape.rank
    return [
        recorder.emit(
            "reduce",
            (recorder.value(tensor),),
            operation.outputs[0].shape,
            reduce=operation.type.lower(),
            axes=tuple(sorted(int(a) % rank for a in recorder.static(axes).flat)),
            keep=bool(operation.get_attr("keep_dims")),
        )
    ]


def _batch_norm(recorder: _Recorder, operation: Any) -> list[int]:
    if operation.get_attr("is_training"):
        raise _Unreadable("batch statistics")
    result = recorder.emit(
        "batch_norm",
        map(recorder.value, operation.inputs[:5]),
        operation.outputs[0].shape,
        axis=_axes(operation)[1],
        epsilon=_decimal(operation.get_attr("epsilon")),
    )
    # The statistics come out again; nobody reads them in inference.
    spare = len(operation.outputs) - 3
    return [result, *map(recorder.value, operation.inputs[3:5]), *[result] * spare]


def _lrn(recorder: _Recorder, operation: Any) -> list[int]:
    return [
        recorder.emit(
            "lrn",
            (recorder.value(operation.inputs[0]),),
            operation.outputs[0].shape,
            axis=3,
            n=2 * operation.get_attr("depth_radius") + 1,
            k=_decimal(operation.get_attr("bias")),
            alpha=_decimal(operation.get_attr("alpha")),
            beta=_decimal(operation.get_attr("beta")),
        )
    ]


def _softmax(recorder: _Recorder, operation: Any) -> list[int]:
    shape = operation.outputs[0].shape
    value = recorder.value(operation.inputs[0])
    result = recorder.emit("softmax", (value,), shape, axis=shape.rank - 1)
    return [recorder.emit("log", (result,), shape) if operation.type == "LogSoftmax" else result]


def _elementwise(name: str) -> _Handler:
    def handler(recorder: _Recorder, operation: Any) -> list[int]:
        operands = map(recorder.value, operation.inputs)
        return [recorder.emit(name, operands, operation.outputs[0].shape)]

    return handler


def _random(recorder: _Recorder, operation: Any) -> list[int]:
    """However the seed is made, the draw is uniform in [0, 1)."""
    return [recorder.emit("random", (), operation.outputs[0].shape)]


def _composed(recorder: _Recorder, operation: Any) -> list[int]:
    """Elementwise operations that are two of the tape's primitives."""
    shape = operation.outputs[0].shape
    x, *rest = map(recorder.value, operation.inputs)
    match operation.type:
        case "Square":
            return [recorder.emit("mul", (x, x), shape)]
        case "SquaredDifference":
            x = recorder.emit("sub", (x, *rest), shape)
            return [recorder.emit("mul", (x, x), shape)]
        case "Reciprocal" | "Inv":
            return [recorder.emit("div", (recorder.tape.constant(1.0), x), shape)]
        case "Relu6":
            x = recorder.emit("relu", (x,), shape)
            return [recorder.emit("min", (x, recorder.tape.constant(6.0)), shape)]
        case "LeakyRelu":
            if (alpha := _decimal(operation.get_attr("alpha"))) > 1:
                raise _Unreadable("a slope above one")
            slope = recorder.tape.constant(alpha)
            return [recorder.emit("max", (x, recorder.emit("mul", (x, slope), shape)), shape)]
        case _:  # AddN
            for other in rest:
                x = recorder.emit("add", (x, other), shape)
            return [x]


def _identity(recorder: _Recorder, operation: Any) -> list[int]:
    return [recorder.value(tensor) for tensor in operation.inputs][: len(operation.outputs)]


def _cast(recorder: _Recorder, operation: Any) -> list[int]:
    if not (operation.inputs[0].dtype.is_floating and operation.outputs[0].dtype.is_floating):
        raise _Unreadable("a cast that changes values")
    return _identity(recorder, operation)


def _placeholder(recorder: _Recorder, operation: Any) -> list[int]:
    tensor = operation.outputs[0]
    if tensor.name not in recorder.parameters:
        raise _Unreadable(tensor.name)
    return [recorder.tape.parameter(recorder.parameters[tensor.name], tuple(tensor.shape))]


def _variable(recorder: _Recorder, operation: Any) -> list[int]:
    """A variable that TensorFlow made and not Keras."""
    if operation.inputs[0].name not in recorder.variables:
        raise _Unreadable(operation.name)
    handle = recorder.variables[operation.inputs[0].name]
    return [recorder.tape.parameter(handle, tuple(operation.outputs[0].shape))]


def _call(recorder: _Recorder, operation: Any) -> list[int]:
    """A function called inside the graph: its body takes the place of the call."""
    with recorder.graph.as_default():
        library = recorder.graph.as_graph_def().library.function
        name = operation.get_attr("f").name
        body = function_def_to_graph(next(f for f in library if f.signature.name == name))
        outputs = tf.import_graph_def(
            body.as_graph_def(),
            {inner.name: outer for inner, outer in zip(body.inputs, operation.inputs, strict=True)},
            [tensor.name for tensor in body.outputs],
            name=operation.name,
        )
    for call, inner in zip(operation.outputs, outputs, strict=True):
        for reader in call.consumers():
            for position, tensor in enumerate(reader.inputs):
                if tensor.name == call.name:
                    reader._update_input(position, inner)
    before, recorder.caller = recorder.caller, recorder.where
    results = recorder.values(outputs)
    recorder.caller = before
    return results


def _reshape(recorder: _Recorder, operation: Any) -> list[int]:
    """Also adding and dropping axes of length 1."""
    return [recorder.reshape(recorder.value(operation.inputs[0]), operation.outputs[0].shape)]


def _transpose(recorder: _Recorder, operation: Any) -> list[int]:
    axes = tuple(int(a) for a in recorder.static(operation.inputs[1]))
    value = recorder.value(operation.inputs[0])
    return [recorder.emit("transpose", (value,), operation.outputs[0].shape, axes=axes)]


def _broadcast(recorder: _Recorder, operation: Any) -> list[int]:
    shape, rank = operation.outputs[0].shape, operation.inputs[0].shape.rank
    value = recorder.value(operation.inputs[0])
    axes = tuple(range(shape.rank - rank, shape.rank))
    return [recorder.emit("broadcast", (value,), shape, axes=axes)]


def _concat(recorder: _Recorder, operation: Any) -> list[int]:
    *tensors, axis = operation.inputs
    shape = operation.outputs[0].shape
    values = [recorder.value(tensor) for tensor in tensors]
    return [recorder.emit("concat", values, shape, axis=int(recorder.static(axis)) % shape.rank)]


def _tile(recorder: _Recorder, operation: Any) -> list[int]:
    value = recorder.value(operation.inputs[0])
    shape = operation.inputs[0].shape.as_list()
    for axis, copies in enumerate(recorder.static(operation.inputs[1])):
        if copies == 1:
            continue
        shape[axis] *= int(copies)
        if shape[axis] == copies:
            value = recorder.emit("broadcast", (value,), shape, axes=tuple(range(len(shape))))
        else:
            value = recorder.emit("concat", [value] * int(copies), shape, axis=axis)
    return [value]


def _pack(recorder: _Recorder, operation: Any) -> list[int]:
    shape = operation.outputs[0].shape.as_list()
    axis = operation.get_attr("axis") % len(shape)
    single = [1 if a == axis else n for a, n in enumerate(shape)]
    parts = [recorder.reshape(recorder.value(tensor), single) for tensor in operation.inputs]
    return [recorder.emit("concat", parts, shape, axis=axis)]


def _pad(recorder: _Recorder, operation: Any) -> list[int]:
    fill = recorder.static(operation.inputs[2]) if operation.type == "PadV2" else 0.0
    padding = tuple((int(b), int(a)) for b, a in recorder.static(operation.inputs[1]))
    value = recorder.value(operation.inputs[0])
    shape = operation.outputs[0].shape
    return [recorder.emit("pad", (value,), shape, padding=padding, value=float(fill))]


def _slice(recorder: _Recorder, operation: Any) -> list[int]:
    tensor, begin, _ = operation.inputs
    shape = operation.outputs[0].shape
    starts = map(int, recorder.static(begin))
    ranges = [range(start, start + size) for start, size in zip(starts, shape, strict=True)]
    return [recorder.part(recorder.value(tensor), ranges)]


def _strided_slice(recorder: _Recorder, operation: Any) -> list[int]:
    tensor = operation.inputs[0]
    begin, end, step = (recorder.static(t).tolist() for t in operation.inputs[1:])
    kinds = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    masks = {kind: operation.get_attr(f"{kind}_mask") for kind in kinds}
    index: list[slice | int | None] = []
    missing = tensor.shape.rank - len(begin) + masks["new_axis"].bit_count()
    for position, (start, stop, stride) in enumerate(zip(begin, end, step, strict=True)):
        chosen = {kind: bool(mask >> position & 1) for kind, mask in masks.items()}
        if chosen["ellipsis"]:
            index.extend([slice(None)] * (missing + 1))
        elif chosen["new_axis"]:
            index.append(None)
        elif chosen["shrink_axis"]:
            index.append(start)
        else:
            index.append(
                slice(None if chosen["begin"] else start, None if chosen["end"] else stop, stride)
            )
    existing = [i for i in index if i is not None]
    existing.extend([slice(None)] * (tensor.shape.rank - len(existing)))
    ranges = []
    for size, i in zip(tensor.shape, existing, strict=True):
        ranges.append(range(size)[i] if isinstance(i, slice) else range(i % size, i % size + 1))
    result = recorder.part(recorder.value(tensor), ranges)
    return [recorder.reshape(result, operation.outputs[0].shape)]


def _split(recorder: _Recorder, operation: Any) -> list[int]:
    """Also unpacking, which then drops the axis."""
    if operation.type == "Unpack":
        tensor, axis = operation.inputs[0], operation.get_attr("axis")
    elif operation.type == "Split":
        tensor, axis = operation.inputs[1], int(recorder.static(operation.inputs[0]))
    else:  # SplitV
        tensor, axis = operation.inputs[0], int(recorder.static(operation.inputs[2]))
    axis %= tensor.shape.rank
    value = recorder.value(tensor)
    results, start = [], 0
    for output in operation.outputs:
        size = 1 if operation.type == "Unpack" else output.shape[axis]
        ranges = [range(n) for n in tensor.shape]
        ranges[axis] = range(start, start + size)
        part = recorder.part(value, ranges)
        results.append(recorder.reshape(part, output.shape) if operation.type == "Unpack" else part)
        start += size
    return results


def _gather(recorder: _Recorder, operation: Any) -> list[int]:
    tensor, indices, axis = operation.inputs
    if operation.get_attr("batch_dims"):
        raise _Unreadable("a batch of look-ups")
    along = int(recorder.static(axis)) % tensor.shape.rank
    chosen = tuple(int(i) for i in recorder.static(indices).flat)
    shape = tensor.shape.as_list()
    shape[along] = len(chosen)
    value = recorder.emit("take", (recorder.value(tensor),), shape, axis=along, indices=chosen)
    return [recorder.reshape(value, operation.outputs[0].shape)]


def _reverse(recorder: _Recorder, operation: Any) -> list[int]:
    shape = operation.outputs[0].shape
    axes = tuple(int(a) % shape.rank for a in recorder.static(operation.inputs[1]))
    return [recorder.emit("reverse", (recorder.value(operation.inputs[0]),), shape, axes=axes)]


def _unknown(recorder: _Recorder, operation: Any) -> list[int]:
    """What the tape has no word for keeps its name, and what it reads."""
    operands = [
        recorder.value(tensor)
        for tensor in operation.inputs
        if tensor.name not in recorder.variables and tensor.dtype != tf.string
    ]
    results = []
    for tensor in operation.outputs:
        shape = tensor.shape.as_list() if tensor.shape.is_fully_defined() else ()
        results.append(recorder.emit(operation.type, operands, shape, unknown=True))
    return results


_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product),
    **dict.fromkeys(("MaxPool", "AvgPool"), _window),
    **dict.fromkeys(("Sum", "Max", "Min", "Mean"), _reduction),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _batch_norm),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **{
        spelling: _elementwise(name)
        for name, spellings in {
            "add": "Add AddV2",
            "sub": "Sub",
            "mul": "Mul",
            "div": "RealDiv Div",
            "max": "Maximum",
            "min": "Minimum",
            "pow": "Pow",
            "neg": "Neg",
            "exp": "Exp",
            "log": "Log",
            "tanh": "Tanh",
            "logistic": "Sigmoid",
            "sqrt": "Sqrt",
            "rsqrt": "Rsqrt",
            "abs": "Abs",
            "sign": "Sign",
            "relu": "Relu",
            "less": "Less",
            "less_equal": "LessEqual",
            "greater": "Greater",
            "greater_equal": "GreaterEqual",
            "select": "Select SelectV2",
        }.items()
        for spelling in spellings.split()
    },
    **dict.fromkeys(
        ("Square", "SquaredDifference", "Reciprocal", "Inv", "Relu6", "LeakyRelu", "AddN"),
        _composed,
    ),
    **dict.fromkeys(
        ("Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "Snapshot"),
        _identity,
    ),
    **dict.fromkeys(
        ("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"), _random
    ),
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), _reshape),
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    **dict.fromkeys(("Split", "SplitV", "Unpack"), _split),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), _call),
    "BatchToSpaceND": _dilated,
    "BiasAdd": _bias,
    "LRN": _lrn,
    "Cast": _cast,
    "Placeholder": _placeholder,
    "ReadVariableOp": _variable,
    "Transpose": _transpose,
    "BroadcastTo": _broadcast,
    "ConcatV2": _concat,
    "Tile": _tile,
    "Pack": _pack,
    "Slice": _slice,
    "StridedSlice": _strided_slice,
    "GatherV2": _gather,
    "ReverseV2": _reverse,
}
