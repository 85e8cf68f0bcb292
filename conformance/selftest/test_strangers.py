"""What libraries ship is known: each network is judged as what it is, and as nothing else."""

import pytest

import reference
from conformance import frameworks
from conformance.porting.judge import judge
from conformance.selftest.strangers import strangers


def pytest_generate_tests(metafunc):
    chosen = metafunc.config.getoption("framework") or frameworks.frameworks()
    rooms = [room for room in chosen if not frameworks.missing(room)]
    cases = [
        pytest.param(room, stranger, id=f"{room}-{name}")
        for room in rooms
        for name, stranger in strangers(room).items()
    ]
    none = pytest.param("", None, marks=pytest.mark.skip("no framework is installed"), id="none")
    metafunc.parametrize(("room", "stranger"), cases or [none])


def test_library_is_known(room, stranger):
    """The variants found are those that explain it, and nothing is left over."""
    if stranger.missing:
        pytest.skip(stranger.missing)
    port = frameworks.tracer(room).port(stranger.build)
    found = judge(port, reference.find(stranger.architecture), numbers=False)
    if stranger.another:
        assert found.verdict == "deviates"
        assert found.another is not None and found.another.name == stranger.another
        return
    assert not found.findings, found.findings[:3]
    assert {profile.name for profile in found.profiles} == set(stranger.variants)
    assert found.verdict == ("conforms-as-variant" if stranger.variants else "conforms")
