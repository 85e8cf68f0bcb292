"""A model that is wrong in training only is told apart by its numbers, and the place is named."""

from dataclasses import replace

import pytest

from tests.selftest import mutants
from tests.selftest.case import Case, Correct
from tests.selftest.rows import parametrize

pytestmark = pytest.mark.numbers


def pytest_generate_tests(metafunc):
    parametrize(metafunc, "training", listed)


def listed(room):
    """The bugs of training of which it is known what a step shows."""
    return {n: bug for n, bug in mutants(room).items() if bug.mode == "training" and bug.found}


def test_training_is_wrong_where_it_was_altered(training):
    """The first result that differs, or else the first running statistic, is the expected one."""
    room, wrong = training
    here = Case(replace(wrong, mode="step"), Correct(room, wrong.architecture))
    found = here.forward
    statistic = next((each for each in found.statistics if not each.agrees), None)
    first = statistic if wrong.found == "statistics" else found.first_divergence
    assert first is not None
    assert here.row(first.node, None) == wrong.layer
    assert (found.first_divergence is None) == (wrong.found == "statistics")
