"""A residual block whose residual is nothing hands on what it found, exactly."""

import numpy as np
import pytest

from conformance import reference
from conformance.graph.axes import to_neutral
from conformance.numbers.identity import departure, difference, ramp
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from conformance.trace.port import Run
from tests.selftest.rows import rows

pytestmark = pytest.mark.numbers

BLOCKS = sorted({claim.model for claim in reference.claims("identity")})
WRONG = (
    "no ReLU after the sum",
    "shortcut added twice",
    "no shortcut",
    "projection on the shortcut",
)


def live_departure(port, tape, graph):
    """How far the live model is from the identity, run in float64 by its framework."""
    image, output = ramp(graph), graph.nodes[graph.outputs[0]]
    found = {}
    run = Run(tape, lambda handle: np.zeros(tape.parameters[handle]), image)
    port.run(run, frozenset({output.value}), lambda value, array: found.update({value: array}))
    result = to_neutral(found[output.value], output.axes)
    return difference(result.reshape(-1, *output.shape), image)


def departures(port, size):
    """How far a model is from the identity: by the oracle, and run by its framework."""
    tape = port.trace(size)
    graph = canonical(tape)
    return departure(graph), live_departure(port, tape, graph)


@pytest.mark.parametrize("name", BLOCKS)
def test_block_without_residual_is_the_identity(framework, name, examined):
    """Oracle and framework both leave max(x, 0) where every parameter is 0."""
    model = reference.models()[name]
    assert departures(frameworks.port(framework, model), model.input) == (0, 0)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_block_is_not(framework, name, examined):
    """Oracle and framework both see the image's 1 doubled or lost, or its -1 kept."""
    wrong = rows(framework, "wrong_blocks", "WRONG")
    assert set(wrong) == set(WRONG)
    port = frameworks.tracer(framework).port(wrong[name])
    assert departures(port, (14, 14, 64)) == (1, 1)
