"""Every node on whole numbers: not a bit may differ, in any framework, precision or device."""

import pytest

from conformance.judge.record import exactness
from conformance.numbers.precision import ON

pytestmark = pytest.mark.numbers


def test_every_node_is_exact(framework, family, examined):
    """In each precision of the device, of one network a family; what cannot be exact says why."""
    model = examined.telling(family)
    for precision in ON[examined.device]:
        graph, found = examined.exactly(framework, model, precision)
        assert not list(exactness.doubts(graph, found))
        assert not exactness.difference(graph, found)
        assert len(found.nodes) == len(graph) - 1  # all but the input
        assert found.exact


@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
def test_the_smallest_network_is_exact(framework, precision, examined):
    """The same numbers in every precision."""
    model = examined.smallest()
    graph, found = examined.exactly(framework, model, precision)
    assert not list(exactness.doubts(graph, found))
    assert not exactness.difference(graph, found)
    assert found.exact
