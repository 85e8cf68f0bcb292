"""What structure hides is named by numbers, each root cause once, in the gate's own words."""

import json

import jsonschema
import numpy as np
import pytest

from conformance import reference
from conformance.data import read, written
from conformance.graph.align import align
from conformance.judge import render
from conformance.judge.port.verdict import judge
from conformance.judge.record.evidence import Record
from conformance.judge.record.network import outcome
from conformance.numbers.causes.roots import Root, stand_ins
from conformance.numbers.parity import Parity, parity
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from tests.selftest.rows import parametrize, rows
from tests.selftest.test_gate import SCHEMA

SMALLEST = reference.find("LeNet-5")

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    if "port" in metafunc.fixturenames:
        parametrize(metafunc, "port", lambda room: rows(room, "hidden", "HIDDEN"))


def test_the_cause_is_told(port):
    """The first divergence is the bug's node, and what is told makes its error vanish."""
    room, wrong = port
    found = judge(frameworks.tracer(room).port(wrong.wrong), reference.find(wrong.architecture))
    assert found.verdict == "deviates"
    seen = written(found.forward)
    assert seen["first_divergence"] == wrong.nodes[0]
    assert wrong.cause in seen["causes"][0]
    result = found.result("port")
    jsonschema.validate(written(result), SCHEMA)
    told = "\n".join(render.gate(result).lines())
    assert told.count(f"the error vanishes if {seen['causes'][0]}") == 1
    forward = [each for each in found.findings if each.check == "forward"]
    if forward:  # the structure said nothing: every root is a finding, and nothing else
        assert tuple(each.node for each in forward) == wrong.nodes
        assert all(wrong.cause in each.hint for each in forward)
        assert "inherit the error from" in told


class Tampered:
    """A right port of which some results are other than it computed them, by value on its tape.

    What was computed from them stays as it was: only the record is another.
    """

    def __init__(self, port, changes):
        self.port, self.changes = port, changes

    def __getattr__(self, name):
        return getattr(self.port, name)

    def run(self, run, wanted, observe):
        def altered(value, array):
            array = np.array(array)
            observe(value, self.changes.get(value, lambda x: x)(array))

        return self.port.run(run, wanted, altered)


@pytest.fixture
def network(room):
    port = frameworks.port(room, SMALLEST)
    tape = port.trace(SMALLEST.input)
    return port, tape, canonical(tape)


def test_right_network_has_no_root(network):
    """Of a right network no node is blamed, in inference and in training."""
    port, tape, graph = network
    assert parity(port, tape, graph).roots == ()
    taught = port.trace(graph.nodes[graph.inputs[0]].shape, training=True)
    assert parity(port, taught, canonical(taught), training=True).roots == ()


def test_two_roots_are_told_apart(network):
    """A result that is wrong by itself is a root, and so is the next that does not follow it."""
    port, tape, graph = network
    first, second = [i for i, node in enumerate(graph) if node.kind == "tanh"][:2]
    changes = {
        graph.nodes[first].value: lambda x: 2 * x,
        graph.nodes[second].value: lambda x: np.maximum(x, 0),
    }
    found = parity(Tampered(port, changes), tape, graph)
    said = {root.node: root.causes for root in found.roots}
    assert said[first] == ("it is 2 times as large",)
    # The port's own first reader computed from the right result, and not from the one recorded.
    readers = {i for i, node in enumerate(graph) if {first, second} & set(node.inputs)}
    assert said.keys() == {first, second} | readers
    assert "relu follows it" in said[second]


def test_garbage_is_a_root_without_a_cause(network):
    """What nothing explains is told as wrong, and no cause is claimed."""
    port, tape, graph = network
    node = next(i for i, node in enumerate(graph) if node.kind == "conv")
    random = np.random.Generator(np.random.Philox(3))
    changes = {graph.nodes[node].value: lambda x: random.normal(size=x.shape)}
    found = parity(Tampered(port, changes), tape, graph)
    assert found.roots[0] == Root(node, (), found.roots[0].inherited)


def test_roots_are_kept_with_the_evidence(network):
    """A root survives being written and read."""
    port, tape, graph = network
    node = graph.outputs[0]
    changes = {graph.nodes[node].value: lambda x: 3 * x}
    found = parity(Tampered(port, changes), tape, graph)
    assert [root.node for root in found.roots] == [node]
    assert read(json.loads(json.dumps(written(found))), Parity) == found


def test_check_tells_the_cause(room, network):
    """What is said of a network of our own has the cause as well."""
    port, tape, graph = network
    node = graph.outputs[0]
    changes = {graph.nodes[node].value: lambda x: 3 * x}
    record = Record(SMALLEST.name, graph, parity(Tampered(port, changes), tape, graph))
    (finding,) = [f for f in outcome(room, SMALLEST, record, True).findings if f.check == "forward"]
    assert finding.said.endswith("; the error vanishes if it is 3 times as large")


def test_right_graph_has_no_stand_ins(network):
    """Nothing stands in for a node that has its own counterpart."""
    _, _, graph = network
    pairs = align(graph, graph).pairs
    assert stand_ins(graph, graph, pairs) == pairs
