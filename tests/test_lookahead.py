"""Oracles that compute ahead of what is asked: the same numbers, within so much memory."""

import numpy as np
import pytest

from conformance.graph.model import Graph, Node
from conformance.numbers import lookahead
from conformance.numbers.lookahead import Lookahead
from conformance.numbers.oracle import CannotCompute, Oracle
from conformance.numbers.precision import FLOAT32, FLOAT64

pytestmark = pytest.mark.bare

SHAPE = (6, 5, 4)
IMAGE = np.random.Generator(np.random.Philox(3)).normal(size=(2, *SHAPE))


def network(last="relu"):
    """A chain with a branch that is added again, and a node that no output reads."""
    nodes = [Node("input", {}, (), SHAPE), Node("relu", {}, (0,), SHAPE)]
    nodes += [Node("tanh", {}, (1,), SHAPE), Node("sigmoid", {}, (1,), SHAPE)]
    nodes += [Node("add", {}, (3, 0), SHAPE), Node(last, {}, (4,), SHAPE)]
    return Graph(nodes, (0,), (5,))


def oracles(graph):
    def slots(index, name):
        raise KeyError(name)

    return [Oracle(graph, slots, IMAGE, each) for each in (FLOAT64, FLOAT32)]


@pytest.mark.parametrize("room", [0, 1 << 28], ids=["no room", "room for all"])
@pytest.mark.parametrize("order", [range(6), (5, 2, 2, 0), (2, 5, 4)], ids=str)
def test_results_are_the_very_same(order, room, monkeypatch):
    """Whatever is asked, in any order and with any room, has the same bits and is kept as long."""
    monkeypatch.setattr(lookahead, "WAITING", room)
    plain, ahead = oracles(network()), oracles(network())
    walk = Lookahead(ahead)
    for index in order:
        for one, other in zip(plain, ahead, strict=True):
            assert np.array_equal(one.result(index), other.result(index))
            one.release(index)
            other.release(index)
            assert one.results.keys() == other.results.keys()
    walk.end()


def test_what_waits_is_limited(monkeypatch):
    """One result too many is computed at most, until somebody asks for what lies behind it."""
    monkeypatch.setattr(lookahead, "WAITING", 1)
    some = oracles(network())
    walk = Lookahead(some)
    of_a_node = sum(each.result(0).nbytes for each in some)
    walk._thread.join(0.1)
    assert walk._thread.is_alive() and walk._size <= of_a_node
    some[0].result(5)
    walk._thread.join(10)
    assert not walk._thread.is_alive()
    walk.end()


def test_an_end_leaves_oracles_that_compute_by_themselves():
    """After the end the rest is computed when it is asked for."""
    some = oracles(network())
    Lookahead(some).end()
    for one, other in zip(some, oracles(network()), strict=True):
        assert one.ahead is None
        assert np.array_equal(one.result(5), other.result(5))


def test_whoever_asks_is_told_what_cannot_be_computed():
    """An operation without a word stops the walk, and is refused where its result is wanted."""
    some = oracles(network("unknown:erf"))
    walk = Lookahead(some)
    assert np.array_equal(some[0].result(4), oracles(network())[0].result(4))
    with pytest.raises(CannotCompute, match="unknown:erf"):
        some[0].result(5)
    walk.end()
