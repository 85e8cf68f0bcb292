"""The frameworks agree with each other: the evidence that each left behind, joined."""

from itertools import combinations

import pytest

from conformance import reference
from conformance.judge.record import evidence
from conformance.judge.record.agreement import joined
from conformance.ports import implementations as frameworks

PAIRS = list(combinations(frameworks.frameworks(), 2))


@pytest.mark.parametrize("name", frameworks.frameworks())
def test_framework_left_evidence(name, runs):
    """There is a run of every framework, made by this code."""
    found = [run for run in runs if run.framework == name]
    usual = [run for run in found if not run.backend]
    assert usual, f"no evidence of {name}: run tox run -e {name}"
    stale = [run.name for run in found if evidence.stale(run)]
    assert not stale, f"recorded by other code: {', '.join(stale)}; record it again"


def test_one_seed(runs):
    """All runs were given the same weights."""
    assert len({run.seed for run in runs}) == 1


def _has(run, model, framework):
    """Whether a run takes part; on a backend that is not the usual one it may have fewer models."""
    return run.framework == framework and (not run.backend or model in run.records)


@pytest.mark.parametrize("model", reference.models())
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_frameworks_agree(pair, model, runs):
    """Two runs of one network have the same layers, attributes and values."""
    left, right = ([run for run in runs if _has(run, model, name)] for name in pair)
    results = [joined(a, b, model) for a in left for b in right]
    assert results
    assert all(result.agrees for result in results), "\n".join(map(str, results))
