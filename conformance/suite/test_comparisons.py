"""Claims that set one network's count beside another's, decided by live models of both."""

from dataclasses import replace

import pytest

from conformance import reference
from conformance.judge.claims import CannotMeasure, judge, measure

COMPARISONS = [
    pytest.param(claim, id=claim.id)
    for claim in reference.claims()
    if claim.model and len({model for _, model in claim.compared}) > 1
]


@pytest.fixture
def records(framework, comparison, examined):
    """What is known of the networks that a claim compares, by their names."""
    names = [model for _, model in comparison.compared]
    return {name: examined.traced(framework, reference.models()[name]) for name in names}


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_exchanged_networks_are_seen(framework, comparison, records):
    """With each network in the other's place the claim does not hold."""
    first, second = records
    exchanged = {
        first: replace(records[second], model=first),
        second: replace(records[first], model=second),
    }
    found = measure(comparison, exchanged[comparison.model], [], exchanged)
    assert not judge(comparison, framework, found).conforms


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_missing_network_is_named(comparison, records):
    """A claim is not decided by one of its networks alone; the other is named."""
    (other,) = records.keys() - {comparison.model}
    with pytest.raises(CannotMeasure, match=f"{other} was not traced"):
        measure(comparison, records[comparison.model], [])
