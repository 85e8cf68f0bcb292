"""A benchmark fails where a ratio exceeds what is required by half, and not before."""

import pytest

from benchmarks.__main__ import Row, Spread
from benchmarks.plan import measurements

pytestmark = pytest.mark.bare


@pytest.mark.parametrize(
    ("ratio", "above", "fails"), [(3.0, False, False), (4.4, True, False), (4.6, True, True)]
)
def test_a_ratio_far_above_its_limit_fails(ratio, above, fails):
    """One that is only somewhat above is told."""
    ours, theirs = Spread.of([ratio]), Spread.of([1.0])
    row = Row("gate", "gate", "seconds", "torch", ours, theirs, ours, None, 3.0)
    assert (bool(row.above), row.fails) == (above, fails)


def test_every_limit_is_one_of_a_tool():
    """A tool's own limit comes before the measurement's."""
    limited = [each for each in measurements() if each.ratios]
    assert limited
    for each in limited:
        assert [each.limit(tool) for tool in each.ratios] == list(each.ratios.values())
        assert each.limit("another tool") == each.ratio
