"""Numbers that a port's code has in float32, made float64 where they meet float64.

TensorFlow multiplies nothing of two precisions.  A model that is traced in float64 has constants
of its own, draws and casts, and whoever wrote them knew of float32 only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_library
from tensorflow.python.ops import math_ops

#: Larger arrays are no constants that somebody has written down.
WRITTEN = 4096


@contextmanager
def widening() -> Iterator[None]:
    """In here an operation on both float32 and float64 is one on float64."""
    apply = op_def_library._apply_op_helper

    def widened(kind: str, /, *args: Any, **keywords: Any) -> Any:
        types = {_type(each) for value in keywords.values() for each in _each(value)}
        if tf.float64 in types:
            if kind == "Cast" and keywords.get("DstT") == tf.float32:
                keywords["DstT"] = tf.float64
            elif kind == "Bitcast" and keywords.get("type") == tf.int32:  # half a float64 each
                cast = apply("Cast", x=keywords["input"], DstT=tf.float32, Truncate=False)
                keywords["input"] = cast[-1][0]
            elif tf.float32 in types:
                keywords = {key: _widened(value) for key, value in keywords.items()}
        return apply(kind, *args, **keywords)

    divide = math_ops._truediv_python3

    def divided(x: Any, y: Any, name: str | None = None) -> Any:  # it looks at types by itself
        types = {_type(x), _type(y)}
        if types == {tf.float32, tf.float64}:
            x, y = _widened(x), _widened(y)
        return divide(x, y, name)

    with (
        mock.patch.object(op_def_library, "_apply_op_helper", widened),
        mock.patch.object(math_ops, "_truediv_python3", divided),
    ):
        yield


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _type(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return tf.float32 if value.dtype == np.float32 else None
    return value.dtype if isinstance(value, tf.Tensor) else None


def _widened(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_widened(each) for each in value]
    if _type(value) != tf.float32:
        return value
    known = value if isinstance(value, np.ndarray | np.generic) else tf.get_static_value(value)
    return tf.cast(value, tf.float64) if known is None else tf.constant(as_written(known))


def as_written(array: Any) -> np.ndarray:
    """Rounded numbers as they were written: 0.485 and not 0.48500001430511475."""
    array = np.asarray(array)
    if array.size > WRITTEN:
        return array.astype(np.float64)
    return np.array([float(str(each)) for each in np.ravel(array)]).reshape(array.shape)
