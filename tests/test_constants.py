"""Constants that a released program prints are those of every norm, exactly."""

import pytest

from conformance import reference
from conformance.graph.model import Graph, Node
from conformance.judge.claims import CannotMeasure, judge, measure
from conformance.judge.record.evidence import Record
from conformance.reference.claims import CONSTANTS

pytestmark = pytest.mark.bare

CLAIMS = [
    pytest.param(claim, id=claim.id) for claim in reference.claims() if claim.quantity in CONSTANTS
]


def found(claim, *values):
    """What is found in a network whose norms have these values in training."""
    norms = [
        Node("batch_norm", {claim.quantity: value}, (index,), (1, 1, 1))
        for index, value in enumerate(values)
    ]
    graph = Graph([Node("input", {}, (), (1, 1, 1)), *norms], (0,), (len(norms),))
    inference = Graph(graph.nodes[:1], (0,), (0,))
    return measure(claim, Record(claim.model, inference, training=graph), [])


@pytest.mark.parametrize("constant", CLAIMS)
def test_a_constant_is_exact(constant):
    """What only rounds to the print is another constant; single precision rounds nothing away."""
    printed = float(constant.printed)
    assert judge(constant, "one", found(constant, printed, 1 - (1 - printed))).conforms
    for other in (printed * 1.01, 1e-5, 0.9, 0.99):
        assert not judge(constant, "one", found(constant, other)).conforms


@pytest.mark.parametrize("constant", CLAIMS)
def test_one_norm_of_another_constant_is_seen(constant):
    """Two values are none."""
    with pytest.raises(CannotMeasure, match="2 values"):
        found(constant, float(constant.printed), 0.5)
