"""What a port's process answers is believed only where it bears itself out."""

from copy import deepcopy

import pytest

from conformance import reference
from conformance.data import written
from conformance.errors import Refused
from conformance.judge import published
from conformance.judge.answers import accepted, identified
from conformance.reference import variants

pytestmark = pytest.mark.bare

MODEL = next(model for model in reference.models().values() if len(variants.of(model)) > 1)
VARIANT = variants.of(MODEL)[0]
NETWORK = published.network(MODEL).inference
JOB = {
    "port": "port.py:net",
    "architecture": MODEL.name,
    "framework": None,
    "numbers": True,
    "drawing": False,
}
FINDING = {
    "check": "structure", "node": "a", "port_node": "b", "kind": "conv", "attribute": "stride",
    "expected": 1, "found": 2, "hint": "", "source": "",
}  # fmt: skip
OPEN = {"check": "forward", "why": "it stopped"}
GREEN = {
    "schema": 1,
    "port": "port.py:net",
    "framework": "torch",
    "architecture": MODEL.name,
    "verdict": "conforms",
    "variant": None,
    "variants": [],
    "another": None,
    "findings": [],
    "expected": {},
    "remarks": [],
    "nearly": [],
    "open": [],
    "unjudged": [],
    "totals": {
        "parameters": NETWORK.parameters("trainable"),
        "multiply_adds": NETWORK.multiply_adds,
        "layers": NETWORK.depth,
    },
    "numbers": True,
    "forward": {"compared": 3, "error": 1e-15, "bound": 1e-12, "first_divergence": None},
    "checks": {"planned": 10, "run": 10},
}
NAMED = {
    "name": VARIANT.name, "says": VARIANT.says, "source": VARIANT.source,
    "found_in": VARIANT.found_in,
}  # fmt: skip


def changed(*path_and_value, base=GREEN):
    """An answer with one place of it replaced."""
    *path, last, value = path_and_value
    answer = deepcopy(base)
    place = answer
    for each in path:
        place = place[each]
    place[last] = value
    return answer


HONEST = {
    "conforms": GREEN,
    "deviates": GREEN | {"verdict": "deviates", "findings": [FINDING]},
    "inconclusive": GREEN | {"verdict": "inconclusive", "open": [OPEN]},
    "too little": GREEN | {"verdict": "inconclusive", "checks": {"planned": 10, "run": 9}},
    "variant": GREEN
    | {"verdict": "conforms-as-variant", "variant": VARIANT.name, "variants": [NAMED]},
}


@pytest.mark.parametrize("answer", HONEST.values(), ids=HONEST)
def test_an_honest_answer_is_believed(answer):
    """Whatever the verdict is."""
    assert written(accepted(JOB, answer)) == answer


WRONG = {
    "a finding, and green": changed("findings", [FINDING]),
    "an open point, and green": changed("open", [OPEN]),
    "nothing planned": changed("checks", {"planned": 0, "run": 0}),
    "less ran than planned": changed("checks", "run", 9),
    "more ran than planned": changed("checks", "run", 11),
    "negative count": changed("checks", "run", -1),
    "an unknown verdict": changed("verdict", "conformant"),
    "deviates without a finding": changed("verdict", "deviates"),
    "a variant nobody knows": changed("variant", "v9")
    | {"verdict": "conforms-as-variant", "variants": [NAMED | {"name": "v9"}]},
    "a variant that is not listed": changed("variant", VARIANT.name),
    "another port": changed("port", "other.py:net"),
    "another architecture": changed("architecture", "Other"),
    "no numbers": changed("numbers", False),
    "no forward run": changed("forward", None),
    "nothing compared": changed("forward", "compared", 0),
    "a divergence, and green": changed("forward", "first_divergence", "conv1"),
    "an error beyond its bound": changed("forward", "error", 1.0),
    "an error that is no number": changed("forward", "error", None),
    "expected findings that nobody named": changed("expected", {"conv1 stride": [FINDING]}),
    "a parameter more than the network has": changed("totals", "parameters", 1),
    "a layer less": changed("totals", "layers", NETWORK.depth - 1),
    "a string for a number": changed("totals", "layers", "many"),
    "a key too many": changed("note", "all is well"),
    "a key too few": {key: value for key, value in GREEN.items() if key != "checks"},
    "nothing": {},
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_an_answer_that_contradicts_itself_is_inconclusive(answer):
    """Green is derived from what it rests on, never received."""
    with pytest.raises(Refused, match="the answer of the port's process contradicts itself") as no:
        accepted(JOB, answer)
    assert no.value.code == 3


def candidate(verdict, *found):
    """An answer of ``identify`` with one candidate, whose findings are these."""
    shown = ("architecture", "verdict", "variant", "variants", "remarks", "open")
    best = {key: GREEN[key] for key in shown} | {"verdict": verdict}
    best |= {"differences": len(found), "findings": list(found)}
    return {
        "schema": 1, "port": "port.py:net", "framework": "torch", "verdict": verdict,
        "candidates": [best], "left_out": [],
    }  # fmt: skip


@pytest.mark.parametrize("verdict", ["conforms", "conforms-as-variant", "inconclusive"])
def test_the_verdict_of_identify_is_that_of_its_best_candidate(verdict):
    """It deviates if there are findings, and only then; a variant is none."""
    assert identified(candidate(verdict)) and identified(candidate("deviates", FINDING))
    for wrong in (candidate("deviates"), candidate(verdict, FINDING)):
        with pytest.raises(Refused, match="its best candidate says otherwise"):
            identified(wrong)
