"""The oracle's arithmetic, against loops that can be read at a glance."""

from itertools import product

import numpy as np
import pytest

from conformance.graph.model import Graph, Node
from conformance.numbers.oracle import CannotCompute, Oracle

pytestmark = pytest.mark.bare

RANDOM = np.random.Generator(np.random.Philox(7))
IMAGE = RANDOM.normal(size=(2, 9, 8, 4))


def one_layer(node, slots=None):
    """The oracle's result of a graph of one layer on ``IMAGE``."""
    graph = Graph([Node("input", {}, (), (9, 8, 4)), node], (0,), (1,))
    node.parameters = {name: () for name in slots or {}}
    return Oracle(graph, lambda index, name: slots[name], IMAGE).result(1)


def padded(padding, fill=0.0):
    return np.pad(IMAGE, ((0, 0), *padding, (0, 0)), constant_values=fill)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (0, 3))])
@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_convolution_is_the_sum_of_its_definition(size, padding, stride, dilation, groups):
    """An output is the sum over window and group of input times kernel, plus the bias."""
    kernel, bias = RANDOM.normal(size=(*size, 4 // groups, 6)), RANDOM.normal(size=6)
    attributes = dict(padding=padding, stride=stride, dilation=dilation, groups=groups)
    result = one_layer(Node("conv", attributes, (0,), (1, 1, 6)), {"kernel": kernel, "bias": bias})
    x = padded(padding)
    for n, i, j, o in product(*map(range, result.shape)):
        first = (o // (6 // groups)) * (4 // groups)
        total = sum(
            x[n, i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1], first + c]
            * kernel[a, b, c, o]
            for a, b, c in product(range(size[0]), range(size[1]), range(4 // groups))
        )
        assert abs(result[n, i, j, o] - total - bias[o]) < np.finfo(float).eps * 1000
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    rows = [(x.shape[1 + a] - reach[a]) // stride[a] + 1 for a in (0, 1)]
    assert result.shape == (2, *rows, 6)


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 1), (0, 1))])
def test_pooling_reduces_each_window(kind, include, padding):
    """A maximum ignores padding; an average counts it or not, as it is told."""
    attributes = dict(kernel=(3, 2), stride=(2, 1), padding=padding, count_include_pad=include)
    result = one_layer(Node(kind, attributes, (0,), (1, 1, 4)))
    x = padded(padding, np.nan)
    for n, i, j, c in product(*map(range, result.shape)):
        cells = x[n, 2 * i : 2 * i + 3, j : j + 2, c]
        divisor = 6 if include else np.isfinite(cells).sum()
        expected = np.nanmax(cells) if kind == "max_pool" else np.nansum(cells) / divisor
        assert abs(result[n, i, j, c] - expected) < np.finfo(float).eps * 100


@pytest.mark.parametrize("n", [2, 3, 5])
def test_response_is_normalised_by_its_neighbours(n):
    """Each channel is divided by its own and its neighbours' squares, summed and not averaged."""
    attributes = {"n": n, "k": 2.0, "alpha": 1e-1, "beta": 0.75}
    result = one_layer(Node("lrn", attributes, (0,), (9, 8, 4)))
    for c in range(4):
        near = IMAGE[..., max(0, c - n // 2) : c + (n - 1) // 2 + 1]
        expected = IMAGE[..., c] / (2.0 + 1e-1 * (near**2).sum(axis=-1)) ** 0.75
        assert np.array_equal(result[..., c].round(12), expected.round(12))


def test_normalisation_uses_every_slot():
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, channel by channel."""
    names = ("gamma", "beta", "mean", "variance")
    slots = {name: RANDOM.uniform(0.5, 1.5, 4) for name in names}
    result = one_layer(Node("batch_norm", {"epsilon": 0.1}, (0,), (9, 8, 4)), slots)
    gamma, beta, mean, variance = (slots[name] for name in names)
    expected = gamma * (IMAGE - mean) / (variance + 0.1) ** 0.5 + beta
    assert np.array_equal(result.round(12), expected.round(12))


def test_unknown_is_refused():
    """What the vocabulary has no word for is not computed as something else."""
    with pytest.raises(CannotCompute, match="unknown:erf"):
        one_layer(Node("unknown:erf", {}, (0,), (9, 8, 4)))


def test_results_are_forgotten():
    """A result that is released and read by nothing more is freed."""
    nodes = [Node("input", {}, (), (9, 8, 4))]
    nodes += [Node("relu", {}, (i,), (9, 8, 4)) for i in range(3)]
    oracle = Oracle(Graph(nodes, (0,), (3,)), lambda *_: IMAGE, IMAGE)
    for index in range(4):
        oracle.result(index)
        oracle.release(index)
    assert not oracle.results
