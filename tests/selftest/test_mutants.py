"""Wrong models are caught, at the right layer and by the right word; right ones are not."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import pytest

from conformance.numbers.exact import exact
from conformance.ports import implementations as frameworks
from conformance.trace.port import Execution
from tests.selftest import causes, mutants, words
from tests.selftest.case import Case, Correct, integers, oracles
from tests.selftest.corpus import (
    CHECKS,
    GRAPHS,
    Judged,
    Tally,
    controls,
    judge,
    judged_graphs,
    refused,
)


def pytest_generate_tests(metafunc):
    chosen = metafunc.config.getoption("framework") or frameworks.frameworks()
    rooms = [room for room in chosen if not frameworks.missing(room)]
    none = pytest.param(None, marks=pytest.mark.skip("no framework is installed"), id="none")
    if "planted" in metafunc.fixturenames:
        cases = [
            pytest.param((room, mutant), id=f"{room}-{name}")
            for room in rooms
            for name, mutant in mutants(room).items()
            if mutant.mode in CHECKS
            if all(_fits(mutant, fixture) for fixture in metafunc.fixturenames)
        ]
        metafunc.parametrize("planted", cases or [none], scope="module")
    if "control" in metafunc.fixturenames:
        cases = [
            pytest.param((room, name, mutant), id=f"{room}-{name}")
            for room in rooms
            for name, mutant in controls(room).items()
        ]
        metafunc.parametrize("control", cases or [none])
    if "twice" in metafunc.fixturenames:
        cases = [
            pytest.param((room, name, mode), id=f"{room}-{name}-{mode}")
            for room in rooms
            for name, mode in judged_graphs(room, numbers=True)
        ]
        metafunc.parametrize("twice", cases or [none])


#: Fixtures that are of one mode.
OF = {"start": "initialisation", "values": "structure", "back": "gradient", "step": "step"}


def _fits(mutant, fixture):
    """Whether a mutant is one of those that a fixture is about."""
    return mutant.mode == OF.get(fixture, mutant.mode) and (mutant.numbers or fixture != "values")


@pytest.fixture(scope="module")
def correct(_examined):
    """A right network of a framework, with the graphs that the session has traced already."""

    @lru_cache(maxsize=1)
    def of(room, name):
        network = Correct(room, name)
        record = _examined.traced(room, network.model)
        size = network.model.input
        network.graphs = {(False, size): record.graph, (True, size): record.training}
        return network

    yield of
    oracles.cache_clear()
    integers.cache_clear()


@pytest.fixture(scope="module")
def case(planted, correct):
    """A wrong model beside the right one, traced and run once for all that is asked of it."""
    room, mutant = planted
    beside = correct if mutant.mode in GRAPHS else Correct
    return Case(mutant, beside(room, mutant.architecture))


@pytest.fixture(scope="session")
def told(_examined):
    """Of each framework what became of its mutants, and alarms; left with its run's evidence."""
    found: dict[str, tuple[dict[str, Judged], dict[str, int]]] = defaultdict(lambda: ({}, {}))
    yield found
    for room, (judged, alarms) in found.items():
        unjudged = {m.name: m.mode for m in mutants(room).values() if m.mode not in CHECKS}
        tally = Tally(room, tuple(judged.values()), unjudged, alarms, numbers=False)
        _examined.run(room).selftest = tally.as_json()


def test_structure_names_the_bug(planted, case, told):
    """The first difference is the planted one: its layer and its attribute."""
    room, mutant = planted
    found = judge(case, numbers=False)
    told[room][0][mutant.name] = found
    assert found.by_word, str(found)


@pytest.fixture
def start(case):
    """What is found in what a wrong model starts from."""
    return case.start


@pytest.fixture
def back(case):
    """A model whose way back is wrong in inference."""
    return case


@pytest.fixture
def step(case):
    """A model whose way back is wrong in training alone."""
    return case


@pytest.fixture
def values(case):
    """A model that is wrong in its values."""
    return case


def test_a_start_is_named_in_words(planted, start):
    """It is one cause in one place or several, in the same words."""
    assert start
    assert all(words()[planted[1].name] in each.found for each in start)


@pytest.mark.numbers
def test_numbers_see_the_bug(planted, values, told):
    """The results part, not before the layer of the bug, and numbers alone name its cause."""
    room, mutant = planted
    parted = values.parted()
    assert parted is not None
    row, first = parted
    judged = told[room][0]
    if mutant.name in judged:
        judged[mutant.name] = replace(judged[mutant.name], parity=first)
    assert values.correct.rows.index(row) >= values.correct.rows.index(mutant.layer)
    assert first.error > 10 * first.bound
    (root,) = values.values.roots
    assert root.node == first.node
    said = " or ".join(root.causes)
    cause = causes().get(f"{mutant.name} in {room}", causes().get(mutant.name))
    assert cause in said if cause else not said


def agrees(found):
    """Whether everything was run, and is right."""
    return not found.problem and found.first_divergence is None


@pytest.mark.numbers
def test_the_gradient_is_wrong_where_it_was_altered(planted, back):
    """The forward pass agrees; the first wrong slot from the output back is the expected one."""
    wrong, found = planted[1], back.gradients
    assert agrees(back.forward)
    assert not found.problem
    first, suspects = found.first_divergence, found.suspects(back.right)
    assert first is not None
    assert back.row(first.node, None) == wrong.layer
    assert suspects[0] == first.node
    if wrong.found:
        assert abs(first.share - float(wrong.found)) <= first.bound
    if wrong.parts:
        assert suspects == (first.node,)
        assert [s.slot for s in found.slots if not s.agrees] == [wrong.parts]


@pytest.mark.numbers
def test_the_gradient_of_training_is_wrong_where_it_was_altered(planted, step):
    """Inference agrees, forward and back, and so do the values of training."""
    wrong = planted[1]
    assert agrees(Case(replace(wrong, mode="gradient"), step.correct).gradients)
    assert agrees(step.forward)
    first = step.gradients.first_divergence
    assert first and step.row(first.node, None) == wrong.layer


def test_right_network_raises_no_alarm(twice, correct, told):
    """A right network traced anew is the same network.

    Here those that are small enough to be run; ``python -m tests.selftest`` takes all.
    """
    room, name, mode = twice
    alarms = correct(room, name).alarms(mode == "training")
    told[room][1][f"{name}, {mode}"] = len(alarms)
    assert alarms == []


def test_right_form_is_accepted(control, told):
    """What the gate refuses has a right form, or is the network as it stands: that conforms."""
    room, name, mutant = control
    found = refused(room, mutant)
    told[room][1][name] = len(found)
    assert found == []


@pytest.mark.numbers
def test_whole_numbers_see_the_bug(values):
    """What parts in float64 differs on whole numbers, unless its node cannot be exact."""
    found = exact(
        values.port, values.tape, values.wrong, values.right, values.alignment.pairs,
        how=Execution("float32"), integers=integers(values.correct, values.training),
    )  # fmt: skip
    without = {node.node for node in found.nodes if node.reason}
    assert found.first_difference or values.parted()[1].node in without
