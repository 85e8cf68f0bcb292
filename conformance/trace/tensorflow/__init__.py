"""TensorFlow: a ``tf.Module``, or what Keras computes with it, read from a function graph."""

import sys

from conformance.trace.tensorflow.alone import Alone

LIBRARY = "tensorflow"


def base(model: object) -> type | None:
    """The class of TensorFlow's that a model is an instance of, if there is one."""
    import tensorflow as tf

    return tf.Module if isinstance(model, tf.Module) else None


def ready() -> None:
    """Leave JAX out where TensorFlow is imported."""
    sys.meta_path.insert(0, Alone())
