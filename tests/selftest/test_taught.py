"""Two networks that are alike in inference and not in training are told apart by their records."""

from importlib import import_module

import pytest

from conformance.judge.record.agreement import agreement
from conformance.judge.record.evidence import Record
from conformance.numbers.own_weights import address
from conformance.numbers.parity import parity
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from tests.selftest.rows import parametrize, rows

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    parametrize(metafunc, "pair", lambda room: rows(room, "pairs", "TAUGHT"))


def recorded(room, factory):
    """What a run leaves of a network, in inference and in training."""
    port, size = (
        frameworks.tracer(room).port(factory),
        import_module(f"tests.selftest.{room}.pairs").SIZE,
    )
    tape, step = port.trace(size), port.trace(size, training=True)
    graph, training = canonical(tape), canonical(step)
    values = parity(port, tape, graph), parity(port, step, training, training=True)
    return Record("taught", graph, values[0], training, values[1])


def test_training_tells_them_apart(pair):
    """Inference agrees; the attribute that differs is named, and the values part there."""
    room, pair = pair
    one, other = (recorded(room, each) for each in (pair.right, pair.wrong))
    found = agreement(one, other)
    inference, training = found.modes["inference"], found.modes["training"]
    assert inference.agrees
    assert not found.problem
    assert found.agrees == training.agrees == (not pair.layer)
    nodes = one.training.nodes
    told = [
        (address(nodes[each.expected_node]), each.attribute, each.found)
        for each in training.findings
    ]
    assert told == [(pair.layer, pair.attribute, pair.found)] * bool(pair.layer)
    parted = training.first_divergence
    assert (address(nodes[parted[0]]) if parted else "") == pair.layer
