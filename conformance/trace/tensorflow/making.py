"""Operations of a graph while a port makes them: where its own source does, and without a pause."""

from __future__ import annotations

import gc
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

from tensorflow.python.framework import op_def_library, ops

from conformance.trace.places import executing

#: For each graph the line of the port's own source that makes an operation, by the latter's name.
Lines = MutableMapping[Any, dict[str, str]]


@contextmanager
def making() -> Iterator[Lines]:
    """The lines of all operations that are made in here, in place of TensorFlow's whole stacks.

    All of them are kept, so there is no garbage to look for meanwhile.
    """
    lines: Lines = WeakKeyDictionary()
    create = ops._create_c_op

    def created(graph: Any, node: Any, *given: Any, **options: Any) -> Any:
        lines.setdefault(graph, {})[node.name] = executing()
        return create(graph, node, *given, **options, extract_traceback=False)

    refuse = op_def_library._SatisfiesTypeConstraint

    def allowed(kind: Any, definition: Any, param_name: str) -> None:
        """The same, which lists the types that are allowed only where one is not."""
        some = definition.allowed_values.list.type
        if definition.HasField("allowed_values") and kind not in some:
            refuse(kind, definition, param_name)

    collects = gc.isenabled()
    gc.disable()
    try:
        with (
            mock.patch.object(ops, "_create_c_op", created),
            mock.patch.object(op_def_library, "_SatisfiesTypeConstraint", allowed),
        ):
            yield lines
    finally:
        if collects:
            gc.enable()
