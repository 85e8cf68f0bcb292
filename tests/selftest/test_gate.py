"""The gate judges: our own networks conform, wrong ones deviate at the right layer."""

from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest

from conformance import reference
from conformance.cli import baseline, main
from conformance.data import read, schema, written
from conformance.errors import Refused
from conformance.graph.names import names
from conformance.judge import identify, phrases, render
from conformance.judge.finding import Finding
from conformance.judge.hints import hint
from conformance.judge.port.verdict import judge
from conformance.judge.results import Baseline, Gate
from conformance.kinds import KINDS
from conformance.ports import implementations as frameworks
from tests.selftest import mutants

SCHEMA = schema(Gate)
SMALLEST = reference.find("LeNet-5")
#: Wrong models of which a known variant has a part: what is not all of it is none of it.
PARTS = {"stride_on_3x3": "v1.5", "keras_epsilon": "Keras"}


def test_own_network_conforms(room):
    """Our own implementation is the published network, in structure and in numbers."""
    found = judge(frameworks.port(room, SMALLEST), SMALLEST)
    result = written(found.result("ours"))
    jsonschema.validate(result, SCHEMA)
    assert (result["verdict"], result["findings"], result["open"]) == ("conforms", [], [])
    assert result["checks"]["run"] == result["checks"]["planned"] > 0
    assert result["forward"]["error"] < result["forward"]["bound"]


def test_another_network_deviates(room):
    """A network set beside another one of its family does not conform."""
    others = [m for m in reference.family(SMALLEST.family).models if m.input == SMALLEST.input]
    other = next(model for model in others if model != SMALLEST)
    found = judge(frameworks.port(room, SMALLEST), other, numbers=False)
    assert found.verdict == "deviates"


@pytest.mark.parametrize("name", PARTS)
def test_part_of_a_variant_is_no_variant(room, name):
    """A variant that is there in one place only does not explain that place."""
    mutant = mutants(room).get(name)
    if mutant is None:
        pytest.skip(f"{room} has no wrong model {name!r}")
    model = reference.find(mutant.architecture)
    found = judge(frameworks.tracer(room).port(mutant.wrong), model, numbers=False)
    assert PARTS[name] not in {profile.name for profile in found.profiles}
    assert found.verdict == "deviates"
    assert {each.node.split("/")[0].split(" ")[0] for each in found.findings} >= {mutant.layer}


def test_first_divergence_is_named(room):
    """Numbers that part are told: where, by how much, and how well everything before agreed."""
    wrong = next(m for m in mutants(room).values() if m.numbers and m.architecture == SMALLEST.name)
    found = judge(frameworks.tracer(room).port(wrong.wrong), SMALLEST)
    assert found.verdict == "deviates"
    forward = written(found.forward)
    assert forward["first_divergence"].split("/")[0].split(" ")[0] == wrong.layer
    assert forward["before"] < forward["bound"] < forward["error"]


def test_what_was_misread_is_told_by_values(room, monkeypatch):
    """Where no layer differs and values do, as they would if a layer were read for another."""
    wrong = replace(KINDS["tanh"], forward=lambda *given: np.arctan(given[-1]))
    monkeypatch.setitem(KINDS, "tanh", wrong)
    found = judge(frameworks.port(room, SMALLEST), SMALLEST)
    assert (found.verdict, found.judgement.open) == ("deviates", [])
    values = [finding for finding in found.findings if finding.check == "forward"]
    assert {(finding.attribute, finding.kind) for finding in values} == {("value", "tanh")}
    assert "nodes inherit the error from them" in phrases.cause(values)[-1]


def test_every_node_has_a_name_of_its_own(room):
    """No two nodes of a network bear one name, and each begins with its row's."""
    graph = frameworks.port(room, SMALLEST).trace(SMALLEST.input)
    from conformance.trace.canonical import canonical

    rows = [row.name for row in SMALLEST.rows]
    found = names(canonical(graph), rows)
    assert len(set(found)) == len(found)
    assert all(name.split("/")[0].split(" ")[0] in [*rows, "input"] for name in found)


def test_network_is_identified(room, tmp_path):
    """The port's own network comes first, without a difference; its neighbour has some."""
    file = tmp_path / "own_port.py"
    file.write_text(
        f"from conformance.implementations.{room}.{SMALLEST.family} import MODELS\n"
        f"factory = MODELS[{SMALLEST.name!r}]\n",
        encoding="utf-8",
    )
    job = {"port": f"{file}:factory", "framework": room, "size": None, "top": 2}
    result = identify.work(job, lambda name, done, total: None)
    first, second = result["candidates"]
    assert _compared(result) == {first["architecture"], second["architecture"]}
    assert (first["architecture"], first["differences"]) == (SMALLEST.name, 0)
    assert second["architecture"] != SMALLEST.name and second["differences"] > 0


def test_more_networks_are_tried_where_none_fits(room, monkeypatch):
    """The nearest by its layers may have more differences than the next."""
    wrong = mutants(room)["relu6_in_conv1"]
    port = frameworks.tracer(room).port(wrong.wrong)
    monkeypatch.setattr(identify, "opened", lambda job, stage: port)
    job = {"port": wrong.name, "framework": room, "size": None, "top": 2}
    result = identify.work(job, lambda name, done, total: None)
    assert len(_compared(result)) == 2 * identify.TRACED
    first, second = result["candidates"]
    assert first["architecture"] == wrong.architecture
    assert 0 < first["differences"] < second["differences"]


def _compared(result):
    """The networks that were compared with; every other one is left out, once."""
    left_out = [name for each in result["left_out"] for name in each["architectures"]]
    assert len(left_out) == len({*left_out})
    return reference.models().keys() - {*left_out}


FINDING: dict[str, Any] = {
    "check": "structure", "node": "conv1", "port_node": "features.0", "kind": "conv",
    "attribute": "stride", "expected": [1, 1], "found": [2, 2], "hint": "", "source": "Table 1",
}  # fmt: skip
RESULT: dict[str, Any] = {
    "schema": 1, "nearly": [], "expected": {}, "numbers": True, "port": "my_models:net",
    "framework": "torch", "architecture": "Net", "verdict": "deviates",
    "variant": None, "variants": [], "another": None, "open": [], "unjudged": [], "remarks": [],
    "totals": {"parameters": 1, "multiply_adds": 2, "layers": 3}, "forward": None,
    "checks": {"planned": 4, "run": 4}, "findings": [FINDING],
}  # fmt: skip


def result(**changes):
    """A result of the gate with other values."""
    return read(RESULT | changes, Gate)


def test_one_cause_is_told_once():
    """Fifty layers with one wrong default are one root cause."""
    many = [FINDING | {"node": f"conv{i}"} for i in range(50)]
    told = "\n".join(render.gate(result(findings=many)).lines())
    assert told.count("stride is 2x2, expected 1x1") == 1
    assert "49 more like it" in told


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "[x](http://y)", "| a | b |", "`c`"])
def test_names_are_only_text(evil):
    """Nothing that a port is called is obeyed by Markdown or HTML."""
    found = result(port=evil, findings=[FINDING | {"port_node": evil}])
    told = render.gate(found).markdown()
    assert evil not in told


def test_badge_has_the_verdict():
    """The endpoint of a badge names the network and says what became of it."""
    badge = render.badge(result(verdict="conforms-as-variant", variant="v1.5"))
    assert (badge["label"], badge["message"]) == ("Net", "conforms as v1.5")
    assert render.badge(result())["color"] == "red"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (False, "running mean of batch norm is not updated"),
        (True, "running mean of batch norm is updated"),
        (2.5e-3, "running mean of batch norm is off by 2.5e-03"),
        (None, "running mean of batch norm is off by another shape, or no number"),
    ],
)
def test_a_statistic_is_missing_or_off(found, said):
    """That a step does not touch it is no error of size zero."""
    finding = FINDING | {"check": "training", "kind": "batch_norm", "attribute": "mean"}
    assert phrases.difference(Finding(**finding | {"found": found})) == said


def test_a_norm_that_no_step_moves_is_told():
    """It keeps everything, and not none."""
    assert hint("batch_norm", "momentum", "0.9", "").endswith("as they were")
    assert "keep 0.99 of the old value" in hint("batch_norm", "momentum", "0.9", "0.99")


def test_baseline_knows_a_measured_finding_again():
    """Another run measures another error: the finding is the same one, and nothing is new."""
    once = FINDING | {"check": "forward", "attribute": "value", "expected": 1e-10, "found": 1e-3}
    again = result(findings=[once | {"found": 1.1e-3}])
    left = baseline.set_aside(again, result(findings=[once]))
    assert (left.findings, left.baseline) == ((), Baseline(1, ()))
    assert left.verdict == "deviates"
    assert render.headline(left).endswith("deviates (no new findings)")


def test_baseline_hides_nothing_new():
    """The same attribute with another value is a finding of its own, and the old one is gone."""
    left = baseline.set_aside(result(findings=[FINDING | {"found": [3, 3]}]), result())
    assert (left.verdict, len(left.findings)) == ("deviates", 1)
    assert len(left.baseline.gone) == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1, "findings": [1]}'])
def test_damaged_baseline_is_refused(tmp_path, capsys, text):
    """One line before the port is started."""
    file = tmp_path / "known.json"
    file.write_text(text, encoding="utf-8")
    assert main(["gate", "m:f", "--arch", SMALLEST.name, "--baseline", str(file)]) == 2
    assert f"{file} is not a result of 'conformance gate --json'" in capsys.readouterr().err


def test_baseline_of_another_network_is_refused():
    """A list of what is known of one network says nothing of another."""
    with pytest.raises(Refused, match="the baseline is about Net"):
        baseline.set_aside(result(architecture="Other"), result())
