"""What a residual block is when its residual is nothing: the identity, up to the ReLU at its end.

Every parameter is 0, so that F(x) = 0, and the image has a value of either sign at every place of
its own: a convolution left on the shortcut, a missing shortcut, a scale or a missing ReLU all show.
What must come out is the image with its negative values 0, exactly: nothing is there to round.
"""

from __future__ import annotations

from math import inf, prod

import numpy as np

from conformance.graph.model import Graph
from conformance.numbers.oracle import Oracle


def departure(graph: Graph) -> float:
    """How far a graph's output is from the identity, by the oracle; infinite if sizes differ.

    Raises :class:`~conformance.numbers.oracle.CannotCompute`.
    """
    image = ramp(graph)
    oracle = Oracle(graph, lambda index, slot: np.zeros(graph.nodes[index].slots[slot]), image)
    return difference(oracle.result(graph.outputs[0]), image)


def ramp(graph: Graph) -> np.ndarray:
    """An image for a graph, 1 x height x width x channels, of different numbers from -1 to 1."""
    shape = graph.nodes[graph.inputs[0]].shape
    return np.linspace(-1, 1, prod(shape)).reshape(1, *shape)


def difference(output: np.ndarray, image: np.ndarray) -> float:
    """The largest of an output from the image with its negative values 0."""
    if output.shape != image.shape:
        return inf
    return float(np.max(np.abs(output - np.maximum(image, 0))))
