"""A layer is recognised however a framework spells it, and computes what its kind says."""

import pytest

from conformance.graph.verify import verify
from conformance.numbers.gradients import gradients
from conformance.numbers.parity import parity
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from tests.selftest.layers import SIZE, layers

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    if "layer" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("framework") or frameworks.frameworks()
    cases = [
        pytest.param((room, each), id=f"{room}-{name}")
        for room in chosen
        if not frameworks.missing(room)
        for name, each in layers(room).items()
    ]
    none = pytest.param(None, marks=pytest.mark.skip("no framework is installed"), id="none")
    metafunc.parametrize("layer", cases or [none])


def test_a_layer_is_its_kind(layer):
    """One node of the kind, with its attributes, whose values and gradients are the oracle's."""
    room, layer = layer
    port = frameworks.tracer(room).port(layer.model)
    tape = port.trace(SIZE)
    graph = verify(canonical(tape))
    assert [node.kind for node in graph] == ["input", "conv", layer.kind]
    assert graph.nodes[-1].attributes == layer.attributes
    ran, back = parity(port, tape, graph), gradients(port, tape, graph)
    assert not ran.problem and not ran.first_divergence
    assert not back.problem and not back.first_divergence
    assert {control.node for control in ran.controls if control.caught} == {1, 2}
