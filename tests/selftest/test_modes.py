"""A model that is right in inference only is told apart, and the place is named."""

import pytest

from conformance import reference
from conformance.graph.align import align
from conformance.graph.rows import row_of
from conformance.graph.shrink import smallest
from conformance.judge import published
from conformance.judge.port.smaller import traced
from conformance.numbers.gradients import gradients
from conformance.numbers.parity import Oracles, parity
from conformance.numbers.weights import BATCH
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from tests.selftest.rows import parametrize, rows

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    (what,) = {"BACKWARD", "TRAINING", "STEP"} & {name.upper() for name in metafunc.fixturenames}
    parametrize(metafunc, what.lower(), lambda room: rows(room, "modes", what))


class Case:
    """A wrong model beside the right one, on the smallest image on which that is the same."""

    def __init__(self, room, wrong, training=False):
        model = reference.find(wrong.architecture)
        network = published.network(model)
        size = smallest(network.training if training else network.inference) or model.input
        right = traced(frameworks.port(room, model), size, training)
        self.port = frameworks.tracer(room).port(wrong.wrong)
        self.tape = traced(self.port, size, training)
        self.graph, self.right = canonical(self.tape), canonical(right)
        self.pairs = align(self.right, self.graph).pairs
        self.rows = row_of(self.right, model.row_names)
        self.training = training
        #: What the right one computes, forward and back.
        self.oracles = Oracles(self.right, 0, BATCH if training else 1)

    def run(self):
        return parity(
            self.port, self.tape, self.graph, self.right, self.pairs,
            training=self.training, oracles=self.oracles,
        )  # fmt: skip

    def differentiated(self):
        return gradients(
            self.port, self.tape, self.graph, self.right, self.pairs,
            training=self.training, oracles=self.oracles,
        )  # fmt: skip


def test_the_gradient_is_wrong_where_it_was_altered(backward):
    """The forward pass agrees; the first wrong slot from the output back is the expected one."""
    wrong = backward[1]
    case = Case(*backward)
    forward = case.run()
    assert not forward.problem
    assert forward.first_divergence is None
    found = case.differentiated()
    assert not found.problem
    first = found.first_divergence
    assert first is not None
    assert case.rows[first.node] == wrong.layer
    if wrong.found is not None:
        assert abs(first.share - wrong.found) <= first.bound
    suspects = found.suspects(case.right)
    assert suspects[0] == first.node
    if wrong.attribute:
        assert (first.slot, suspects) == (wrong.attribute, (first.node,))
        assert [s.slot for s in found.slots if not s.agrees] == [wrong.attribute]


def test_the_gradient_of_training_is_wrong_where_it_was_altered(step):
    """Inference agrees, forward and back, and so do the values of training."""
    wrong = step[1]
    back = Case(*step).differentiated()
    assert not back.problem
    assert back.first_divergence is None
    case = Case(step[0], wrong, training=True)
    forward = case.run()
    assert not forward.problem
    assert forward.first_divergence is None
    found = case.differentiated()
    assert not found.problem
    first = found.first_divergence
    assert first is not None
    assert case.rows[first.node] == wrong.layer


def test_training_is_wrong_where_it_was_altered(training):
    """The first result that differs, or else the first running statistic, is the expected one."""
    wrong = training[1]
    case = Case(training[0], wrong, training=True)
    found = case.run()
    diverged = found.first_divergence
    statistic = next((each for each in found.statistics if not each.agrees), None)
    first = statistic if wrong.attribute == "statistics" else diverged
    assert first is not None
    assert case.rows[first.node] == wrong.layer
    assert (diverged is None) == (wrong.attribute == "statistics")
