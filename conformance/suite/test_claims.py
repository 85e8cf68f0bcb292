"""What the documents print, decided by live models."""

from conformance import reference
from conformance.judge.claims import judge, measure


def test_claim(framework, claim, examined):
    """A live model has what is printed of it, to the last digit, or what a dispute holds."""
    model = reference.models()[claim.model]
    record = examined.traced(framework, model)
    others = {name for _, name in claim.compared}
    beside = {name: examined.traced(framework, reference.models()[name]) for name in others}
    found = measure(claim, record, model.row_names, beside)
    verdict = judge(claim, framework, found)
    assert verdict.conforms, str(verdict)
