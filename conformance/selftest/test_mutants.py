"""Wrong models are caught, at the right layer and by the right word."""

from functools import cache

import pytest

import reference
from conformance import frameworks
from conformance.align import align, findings
from conformance.check import examine
from conformance.parity import parity
from conformance.selftest import mutants
from conformance.trace.canonical import canonical
from conformance.verdict import row_of


def pytest_generate_tests(metafunc):
    chosen = metafunc.config.getoption("framework") or frameworks.frameworks()
    rooms = [room for room in chosen if not frameworks.missing(room)]
    cases = [
        pytest.param((room, mutant), id=f"{room}-{name}")
        for room in rooms
        for name, mutant in mutants(room).items()
    ]
    none = pytest.param(None, marks=pytest.mark.skip("no framework is installed"), id="none")
    metafunc.parametrize("planted", cases or [none])


@cache
def correct(room, name):
    return examine(room, reference.find(name), numbers=False).graph


class Case:
    """A wrong model, traced and set beside the right one."""

    def __init__(self, room, mutant):
        self.model = reference.find(mutant.architecture)
        self.rows = [row.name for row in self.model.rows]
        self.right = correct(room, mutant.architecture)
        self.port = frameworks.tracer(room).port(mutant.wrong)
        self.tape = self.port.trace(self.model.input)
        self.wrong = canonical(self.tape)
        self.alignment = align(self.right, self.wrong)


def test_structure_names_the_bug(planted):
    """The first difference is the planted one: its layer and its attribute."""
    case, mutant = Case(*planted), planted[1]
    first = findings(case.right, case.wrong, case.alignment)[0]
    extra = first.expected_node is None
    rows = row_of(case.wrong if extra else case.right, case.rows)
    node = first.found_node if extra else first.expected_node
    assert node is not None
    assert (rows[node], first.attribute) == (mutant.layer, mutant.attribute)


@pytest.mark.numbers
def test_numbers_see_the_bug(planted):
    """The results part, and not before the layer of the bug."""
    mutant = planted[1]
    if not mutant.numbers:
        pytest.skip("equal weights are put to equal use: only the structure shows this bug")
    case = Case(*planted)
    result = parity(
        case.port, case.tape, case.wrong, case.right, case.alignment.pairs, to_the_end=False
    )
    assert result.first_divergence is not None
    row = row_of(case.right, case.rows)[result.first_divergence.node]
    assert case.rows.index(row) >= case.rows.index(mutant.layer)
