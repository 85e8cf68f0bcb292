"""Kernels that start with the same numbers are one seed used for several layers."""

import numpy as np
import pytest

from conformance import reference
from conformance.graph.align import align
from conformance.judge import published
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.initialisation import _alike

pytestmark = pytest.mark.bare

MODEL = reference.find("Three-3x3")


def started(seeds):
    """The findings of a network whose kernels were drawn with these seeds."""
    graph = published.network(MODEL).inference
    kernels = [node.parameters["kernel"][0] for node in graph if "kernel" in node.parameters]
    values = {
        piece.handle: np.random.default_rng(seed).normal(size=piece.shape)
        for piece, seed in zip(kernels, seeds, strict=True)
    }
    comparison = Comparison(graph, graph, [], MODEL, align(graph, graph).pairs)
    return _alike(comparison, values.__getitem__)


@pytest.mark.parametrize(("seeds", "count"), [((1, 2, 3), 0), ((1, 1, 2), 1), ((1, 1, 1), 2)])
def test_equal_kernels_are_findings(seeds, count):
    """One for each kernel that begins as an earlier one does."""
    found = started(seeds)
    assert len(found) == count
    assert all(each.check == "initialisation" and "equal to" in each.hint for each in found)
