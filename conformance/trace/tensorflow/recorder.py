"""Reads one function graph onto a tape.

What depends on neither the image nor a parameter is evaluated by TensorFlow itself and becomes
a constant; so shapes and index arithmetic vanish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from conformance.graph.model import Where
from conformance.trace.tape import Tape
from conformance.trace.tensorflow.execution import session
from conformance.trace.tensorflow.operators import RANDOM, TABLE, Unreadable, unknown


class Recorder:
    """Reads one graph in the order it was built in, as far as the outputs depend on it.

    ``lines`` has the line of the port's own source that makes an operation, by the latter's name.
    """

    def __init__(
        self, graph: Any, modules: frozenset[str], root: str, lines: Mapping[str, str]
    ) -> None:
        self.tape: Tape = Tape()
        self.graph = graph
        self.modules = modules
        self.root = root
        self.lines = lines
        #: The tensor of each value that is one.
        self.tensors: dict[int, str] = {}
        #: Arrays from outside the function.
        self.captured: dict[str, np.ndarray] = {}
        self.bound: dict[str, int] = {}
        self.folded: set[str] = set()
        self.shapes: dict[str, np.ndarray] = {}
        self.parameters: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.caller = Where()

    # What is known about a tensor.

    def bind(self, tensor: Any, value: int) -> None:
        """A tensor of the graph is a value of the tape."""
        self.bound[tensor.name] = value
        self.tensors.setdefault(value, tensor.name)

    def values(self, tensors: Sequence[Any]) -> list[int]:
        """The values of some tensors, after everything that they depend on."""
        for operation in self._pending([tensor.op for tensor in tensors]):
            self._visit(operation)
        return [self.of(tensor) for tensor in tensors]

    def of(self, tensor: Any) -> int:
        """The value of a tensor whose operation has been visited."""
        if tensor.name not in self.bound:
            self.bound[tensor.name] = self.tape.constant(self.static(tensor))
        return self.bound[tensor.name]

    def static(self, tensor: Any) -> np.ndarray:
        """What a tensor always is; unreadable if that depends on the image or a parameter."""
        if tensor.name not in self.folded:
            raise Unreadable(tensor.name)
        known = tf.get_static_value(tensor)
        if known is None:
            with session(self.graph) as running:
                known = running.run(tensor, {**self.captured, **self.shapes})
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
        path, own = self._path(operation.name), self.lines.get(operation.name, "")
        self.tape.where = Where(path or self.caller.path, own or self.caller.line)
        try:
            results = TABLE.get(operation.type, unknown)(self, operation)
        except Unreadable:
            results = unknown(self, operation)
        results = [results] if isinstance(results, int) else results
        for tensor, value in zip(operation.outputs, results, strict=True):
            self.bind(tensor, value)
            if tensor.dtype in (tf.float16, tf.bfloat16):
                self.tape.lowered.setdefault(value, tensor.dtype.name)

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
            return operation.outputs[0].name in self.captured
        if operation.op_def.is_stateful or operation.type in RANDOM:
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
