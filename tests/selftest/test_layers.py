"""A layer is recognised however a framework spells it, and computes what its kind says."""

import numpy as np
import pytest

from conformance.graph.align import align, findings
from conformance.graph.model import verify
from conformance.numbers.gradients import gradients
from conformance.numbers.parity import parity
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from tests.selftest.rows import SIZE, parametrize, rows

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    lists = {"layer": "LAYERS", "rounded": "ROUNDED", "bug": "WRONG"}
    (name,) = lists.keys() & set(metafunc.fixturenames)
    parametrize(metafunc, name, lambda room: rows(room, "layers", lists[name]))


def test_a_layer_is_its_kind(layer):
    """One node of the kind, with its attributes, whose values and gradients are the oracle's."""
    room, (model, kind, attributes) = layer
    port = frameworks.tracer(room).port(model)
    tape = port.trace(SIZE)
    graph = verify(canonical(tape))
    assert [node.kind for node in graph] == ["input", "conv", kind]
    assert graph.nodes[-1].attributes == attributes
    ran, back = parity(port, tape, graph), gradients(port, tape, graph)
    assert not ran.problem and not ran.first_divergence
    assert not back.problem and not back.first_divergence
    assert {control.node for control in ran.controls if control.caught} == {1, 2}


def test_a_layer_of_rounded_constants_is_its_kind(rounded):
    """The same where a constant of the framework's own is no float64: that far it is the oracle's,
    and no further, or it would be a layer like any other."""
    room, (model, kind, attributes) = rounded
    port = frameworks.tracer(room).port(model)
    tape = port.trace(SIZE)
    graph = verify(canonical(tape))
    assert [node.kind for node in graph] == ["input", "conv", kind]
    assert graph.nodes[-1].attributes == attributes
    ran, back = parity(port, tape, graph), gradients(port, tape, graph)
    assert not ran.problem and not back.problem
    assert ran.first_divergence or back.first_divergence
    errors = [each.error for each in ran.nodes] + [each.error for each in back.slots]
    assert max(errors) < np.finfo(np.float32).eps


def test_a_wrong_layer_is_found_and_explained(bug):
    """Structure names the attribute, where it can; numbers say at the layer what is wrong."""
    room, bug = bug
    tracer = frameworks.tracer(room)
    model, *_ = rows(room, "layers", "LAYERS")[bug.architecture]
    right = canonical(tracer.port(model).trace(SIZE))
    port = tracer.port(bug.wrong)
    tape = port.trace(SIZE)
    found = canonical(tape)
    alignment = align(right, found)
    told = {each.attribute: each.found for each in findings(right, found, alignment)}
    assert not bug.attribute or told == {bug.attribute: bug.found}
    ran = parity(port, tape, found, right, alignment.pairs)
    assert ran.first_divergence and right.nodes[ran.first_divergence.node].kind == bug.layer
    assert bug.cause in ran.roots[0].causes
