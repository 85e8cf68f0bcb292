"""What libraries ship is known: each network is judged as what it is, and as nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from conformance import reference
from conformance.judge.port.verdict import judge
from conformance.ports import implementations as frameworks
from tests.selftest import mutants
from tests.selftest.rows import rows

#: Wrong models that are all of a known variant: in another's eyes the bug is a habit.
KNOWN = {
    "border_counted": "padding counted",
    "classes_1001": "other classes",
    "dense_c3": "full C3",
    "dense_output": "dense output",
    "dropout_after_dense": "dropout behind",
    "not_separable": "plain first layer",
    "pool_padded_below": "Caffe",
    "softmax_at_the_end": "with softmax",
}
#: Profiles know no framework, so one framework's wrong models are enough.
PLANTED = "torch"
#: What a test is given, and where its cases come from.
LISTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "stranger": lambda room: rows(room, "strangers", "STRANGERS"),
    "other": lambda room: rows(room, "strangers", "OTHERS"),
    "mutant": mutants,
}


def pytest_generate_tests(metafunc):
    chosen = metafunc.config.getoption("framework") or frameworks.frameworks()
    rooms = [room for room in chosen if not frameworks.missing(room)]
    (what,) = LISTS.keys() & set(metafunc.fixturenames)
    cases = [
        pytest.param(room, each, id=f"{room}-{name}")
        for room in rooms
        for name, each in LISTS[what](room).items()
        if what != "mutant" or (room == PLANTED and each.mode in ("structure", "training"))
    ]
    why = f"{', '.join(rooms)} have none" if rooms else "no framework is installed"
    none = pytest.param("", None, marks=pytest.mark.skip(why), id="none")
    metafunc.parametrize(("room", what), cases or [none])


def test_library_is_known(room, stranger):
    """The variants found are those that explain it, and nothing is left over."""
    if stranger.missing:
        pytest.skip(stranger.missing)
    port = frameworks.tracer(room).port(stranger.build)
    network, size = reference.find(stranger.architecture), stranger.size
    found = judge(port, network, numbers=stranger.numbers, size=size)
    if stranger.another:
        assert found.verdict == "deviates"
        assert found.another is not None and found.another.name == stranger.another
        (finding,) = found.findings
        assert (finding.attribute, finding.found) == ("network", stranger.another)
        return
    assert not found.findings, found.findings[:3]
    assert not {each.attribute for each in found.judgement.remarks} & {"unread", "unused"}
    assert {profile.name for profile in found.profiles} == set(stranger.variants)
    assert found.verdict == ("conforms-as-variant" if stranger.variants else "conforms")


def test_other_network_deviates(room, other):
    """What only resembles a network is not explained by the variants of it."""
    if other.missing:
        pytest.skip(other.missing)
    port = frameworks.tracer(room).port(other.build)
    network, size = reference.find(other.architecture), other.size
    found = judge(port, network, numbers=other.numbers, size=size)
    assert found.verdict == "deviates"


def test_no_variant_hides_a_bug(room, mutant):
    """A wrong model deviates, unless it is all of a known variant that is named here."""
    port = frameworks.tracer(room).port(mutant.wrong)
    found = judge(port, reference.find(mutant.architecture), numbers=False)
    if variant := KNOWN.get(mutant.name):
        assert [profile.name for profile in found.profiles] == [variant]
        assert found.verdict == "conforms-as-variant"
    else:
        assert found.verdict == "deviates"
