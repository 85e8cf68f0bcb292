"""A model that is right in inference only is told apart by its numbers, and the place is named."""

from dataclasses import replace

import pytest

from tests.selftest import mutants
from tests.selftest.case import Case, Correct
from tests.selftest.rows import parametrize

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    (what,) = {"gradient", "step", "training"} & set(metafunc.fixturenames)
    parametrize(metafunc, what, lambda room: listed(room, what))


def listed(room, mode):
    """The bugs of a mode, of training those of which it is known what a step shows."""
    bugs = mutants(room).items()
    return {n: bug for n, bug in bugs if bug.mode == mode and (bug.found or mode != "training")}


def case(room, wrong, mode):
    """A wrong model beside the right one, on the smallest image, in inference or in a step."""
    return Case(replace(wrong, mode=mode), Correct(room, wrong.architecture))


def agrees(found):
    """Whether everything was run, and is right."""
    return not found.problem and found.first_divergence is None


def test_the_gradient_is_wrong_where_it_was_altered(gradient):
    """The forward pass agrees; the first wrong slot from the output back is the expected one."""
    room, wrong = gradient
    here = case(room, wrong, "gradient")
    assert agrees(here.forward)
    found = here.gradients
    assert not found.problem
    first, suspects = found.first_divergence, found.suspects(here.right)
    assert first is not None
    assert here.row(first.node, None) == wrong.layer
    assert suspects[0] == first.node
    if wrong.found:
        assert abs(first.share - float(wrong.found)) <= first.bound
    if wrong.parts:
        assert suspects == (first.node,)
        assert [s.slot for s in found.slots if not s.agrees] == [wrong.parts]


def test_the_gradient_of_training_is_wrong_where_it_was_altered(step):
    """Inference agrees, forward and back, and so do the values of training."""
    room, wrong = step
    assert agrees(case(room, wrong, "gradient").gradients)
    here = case(room, wrong, "step")
    assert agrees(here.forward)
    first = here.gradients.first_divergence
    assert first and here.row(first.node, None) == wrong.layer


def test_training_is_wrong_where_it_was_altered(training):
    """The first result that differs, or else the first running statistic, is the expected one."""
    room, wrong = training
    here = case(room, wrong, "step")
    found = here.forward
    statistic = next((each for each in found.statistics if not each.agrees), None)
    first = statistic if wrong.found == "statistics" else found.first_divergence
    assert first is not None
    assert here.row(first.node, None) == wrong.layer
    assert (found.first_divergence is None) == (wrong.found == "statistics")
