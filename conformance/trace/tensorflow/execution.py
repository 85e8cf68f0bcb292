"""In what precision and on which device TensorFlow computes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402

from conformance.trace.port import PLAIN, Execution  # noqa: E402
from conformance.trace.tensorflow.widening import widening  # noqa: E402


def versions() -> dict[str, str]:
    """The release that decides what a graph looks like."""
    return {"tensorflow": tf.__version__}


def gpu() -> str:
    """The name of the GPU that TensorFlow sees; empty if it sees none."""
    seen = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(seen[0])["device_name"]) if seen else ""


@contextmanager
def computing(how: Execution = PLAIN) -> Iterator[None]:
    """TensorFlow has no float64 kernel of its LRN and its fused batch norm: in here these names
    are their definitions.

    In float64 what a port has in float32 is widened.
    """
    how.possible("TensorFlow", gpu)
    tf.config.experimental.enable_tensor_float_32_execution(how.precision == "tf32")
    with (
        widening() if how.dtype == PLAIN.dtype else nullcontext(),
        mock.patch.object(tf.nn, "local_response_normalization", _local_response_normalization),
        mock.patch.object(tf.nn, "lrn", _local_response_normalization),
        mock.patch.object(tf.compat.v1.nn, "fused_batch_norm", _batch_norm),
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


def _batch_norm(
    x: Any, scale: Any, offset: Any, mean: Any = None, variance: Any = None,
    epsilon: float = 0.001, data_format: str = "NHWC", is_training: bool = True,
    name: str | None = None, exponential_avg_factor: float = 1.0,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """With the batch's statistics, if it trains; no step of training is looked at."""
    channel = data_format.index("C")
    if is_training:
        mean, variance = tf.nn.moments(x, [i for i in range(x.shape.rank) if i != channel])
    wide = [-1 if i == channel else 1 for i in range(x.shape.rank)]
    held = (tf.reshape(each, wide) for each in (mean, variance, offset, scale))
    return tf.nn.batch_normalization(x, *held, epsilon), mean, variance


def session(graph: Any, how: Execution = PLAIN) -> Any:
    """A session with every kernel as the port wrote it: nothing fused, unless it is compiled."""
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0} if how.device == "cpu" else {})
    if not how.compiled:
        options = config.graph_options
        options.rewrite_options.disable_meta_optimizer = True
        options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    return tf.compat.v1.Session(graph=graph, config=config)


def reason_of(error: Any) -> str:
    """Why an operation failed, without the place and the node's name around it."""
    return " ".join(error.message.rpartition("Node: ")[2].partition("[[")[0].split())
