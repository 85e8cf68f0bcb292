"""Tests take the suite's frameworks and networks as parameters too."""

from conformance.pytest.suite import parametrize


def pytest_generate_tests(metafunc):
    parametrize(metafunc)
