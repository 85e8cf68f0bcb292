"""What was found in training and backwards is written down, read again, and compared."""

from dataclasses import replace

import pytest

from conformance.agreement import agreement
from conformance.evidence import Record, Run, read, write
from conformance.gradients import Gradients
from conformance.parity import Control, NodeParity, Parity, SlotParity
from conformance.trace.graph import Graph, Node

pytestmark = pytest.mark.bare

GRAPH = Graph([Node("input", {}, (), (4, 4, 3)), Node("relu", {}, (0,), (4, 4, 3))], (0,), (1,))
VALUES = NodeParity(1, 1.0, 1e-14, 1e-10, (0.5, 0.25))
SLOT = SlotParity(0, "image", 1.0, 1e-14, 1e-10, 1.0, (0.5, -0.25))
CONTROL = Control(0, "image: channels reversed", 0.1, 1e-10)
PARITY = Parity(0, (VALUES,), (CONTROL,))
GRADIENTS = Gradients(0, (SLOT,), (CONTROL,))
RECORD = Record("Tiny", GRAPH, PARITY, GRAPH, replace(PARITY, statistics=(SLOT,)), GRADIENTS)


@pytest.mark.parametrize("record", [RECORD, Record("Tiny", GRAPH)], ids=["thorough", "traced"])
def test_a_record_is_read_as_it_was_written(record, tmp_path):
    """Training, running statistics and gradients included; or none of them."""
    write(Run("one", "cpu", {"one": "1.0"}, 0, "c0de", {"Tiny": record}), tmp_path)
    assert read(tmp_path)[0].records["Tiny"] == record


def test_equal_gradients_agree():
    """Two runs that found the same agree."""
    assert agreement(RECORD, RECORD).agrees


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (None, "one of the runs only"),
        (replace(GRADIENTS, problem="it has no gradient"), "it has no gradient"),
        (replace(GRADIENTS, slots=()), "different slots"),
        (replace(GRADIENTS, slots=(replace(SLOT, slot="kernel"),)), "different slots"),
        (replace(GRADIENTS, slots=(replace(SLOT, sample=(0.5, float("nan"))),)), "not finite"),
        (replace(GRADIENTS, slots=(replace(SLOT, sample=(0.5, -0.2)),)), ""),
    ],
)
def test_gradients_that_differ_are_no_agreement(changed, problem):
    """Nor are those that only one run has, whichever comes first."""
    other = replace(RECORD, gradients=changed)
    for found in (agreement(RECORD, other), agreement(other, RECORD)):
        assert not found.agrees
        assert problem in found.problem
