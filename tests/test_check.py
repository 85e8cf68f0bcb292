"""Checking our networks on the command line, and what becomes of the evidence."""

import json
from dataclasses import replace
from importlib import import_module
from itertools import combinations

import jsonschema
import pytest
from msgspec import structs

from conformance import reference
from conformance.cli import check, main
from conformance.data import schema
from conformance.judge.record import network as outcome
from conformance.judge.results import Check, Framework
from conformance.numbers.parity import Control
from conformance.ports import implementations as frameworks
from conformance.trace.port import UntraceableModel
from tests.here import here

SCHEMA = schema(Check)


def cost(model):
    return model.total("multiply-adds")


#: The network that is checked fastest, and two that could be taken for each other.
SMALLEST = min(reference.models().values(), key=cost)
RIGHT, WRONG = min(
    (
        (a, b)
        for a, b in combinations(reference.models().values(), 2)
        if a.family == b.family and a.input == b.input and a.rows and cost(a) != cost(b)
    ),
    key=lambda pair: sum(map(cost, pair)),
)


@pytest.fixture
def evidence(room, monkeypatch, tmp_path):
    """What a check of the smallest network leaves behind."""
    here(monkeypatch)
    folder = tmp_path / "evidence"
    assert main(["check", SMALLEST.name, "--framework", room, "--evidence", str(folder)]) == 0
    return folder


def refuse(*args, **kwargs):
    raise UntraceableModel("it has no forward pass")


def fail(*args, **kwargs):
    raise RuntimeError("out of\nluck")


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


def test_our_network_conforms(room, tmp_path, capsys):
    """A network that is right conforms, all planned checks run, and the result has its schema."""
    target = tmp_path / "result.json"
    arguments = ["check", SMALLEST.name, "--framework", room, "--json", str(target)]
    assert main(arguments) == 0
    result = json.loads(target.read_text(encoding="utf-8"))
    jsonschema.validate(result, SCHEMA)
    assert result["checks"]["planned"] == result["checks"]["run"] > 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == [SMALLEST.name, room]
    assert not printed.err  # no bar where there is no terminal


def test_wrong_network_deviates(room, monkeypatch, capsys):
    """A network in the place of another deviates, with a sentence that has both numbers."""
    here(monkeypatch)
    factory = frameworks.factory(room, WRONG)
    models = import_module(f"conformance.implementations.{room}.{RIGHT.family}").MODELS
    monkeypatch.setitem(models, RIGHT.name, factory)
    assert main(["check", RIGHT.name, "--framework", room, "--no-numbers", "--json", "-"]) == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    jsonschema.validate(result, SCHEMA)
    assert result["verdict"] == "deviates"
    assert f"    {result['results'][0]['findings'][0]['sentence']}\n" in printed.err


def test_diverging_values_deviate(room, monkeypatch, capsys):
    """A node that is further from the oracle than its bound is named."""
    here(monkeypatch)
    # The smallest network may agree to the last bit.
    monkeypatch.setattr("conformance.numbers.deviation.NodeParity.agrees", False)
    assert main(["check", SMALLEST.name, "--framework", room]) == 1
    assert "the first value that differs is that of" in capsys.readouterr().out


@pytest.mark.parametrize("numbers", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parity: None, "not run on numbers"),
        (lambda parity: structs.replace(parity, controls=()), "no control arm"),
        (lambda parity: structs.replace(parity, problem="it stopped"), "it stopped"),
        (lambda parity: structs.replace(parity, nodes=parity.nodes[1:]), ""),
        (
            lambda parity: structs.replace(parity, controls=(Control(0, "left out", 1e-9, 1e-6),)),
            "left out",
        ),
    ],
    ids=["no parity", "no control arm", "a problem", "a node less", "blind control arm"],
)
def test_too_little_is_no_pass(framework, examined, numbers, change, said):
    """What was not compared, or not able to fail, is inconclusive, unless it was not asked for."""
    record = examined.record(framework, SMALLEST)
    changed = replace(record, parity=change(record.parity))
    found = outcome.outcome(framework, SMALLEST, changed, numbers)
    assert found.verdict == ("inconclusive" if numbers else "conforms")
    assert not numbers or said in " ".join(found.open)


def test_missing_implementation_is_inconclusive(room, monkeypatch, capsys):
    """A network that nobody wrote is said so, and its claims count as planned."""
    here(monkeypatch)
    models = import_module(f"conformance.implementations.{room}.{SMALLEST.family}").MODELS
    monkeypatch.delitem(models, SMALLEST.name)
    assert main(["check", SMALLEST.name, "--framework", room]) == 3
    printed = capsys.readouterr().out
    assert "there is no implementation" in printed
    assert "; 0 of " in printed


@pytest.mark.parametrize(
    ("disturbance", "code", "said"),
    [
        (interrupt, 130, "interrupted; nothing is half-written"),
        (fail, 4, "RuntimeError: out of luck (run again with --debug)"),
    ],
)
def test_disturbed_check_leaves_nothing(
    room, disturbance, code, said, tmp_path, monkeypatch, capsys
):
    """After Ctrl-C or a fault there is one line, and no evidence and no result."""
    here(monkeypatch, disturbance)
    folder, target = tmp_path / "evidence", tmp_path / "result.json"
    arguments = ["check", SMALLEST.name, "--framework", room]
    assert main([*arguments, "--evidence", str(folder), "--json", str(target)]) == code
    assert capsys.readouterr().err == f"conformance: {said}\n"
    assert not list(folder.iterdir())
    assert not target.exists()


def test_debug_shows_the_traceback(room, monkeypatch, capsys):
    """With --debug a fault is told with its place."""
    here(monkeypatch, fail)
    assert main(["check", SMALLEST.name, "--framework", room, "--debug"]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_untraceable_network_is_inconclusive(room, monkeypatch, capsys):
    """A network that cannot be traced is told with the tracer's reason."""
    here(monkeypatch, refuse)
    assert main(["check", SMALLEST.name, "--framework", room]) == 3
    assert "it has no forward pass" in capsys.readouterr().out


def test_a_page_has_a_row_for_each_network(room, monkeypatch, capsys):
    """As Markdown: networks with their verdicts, then what is wrong with each."""
    here(monkeypatch, refuse)
    arguments = ["check", SMALLEST.name, "--framework", room, "--format", "markdown"]
    assert main(arguments) == 3
    lines = capsys.readouterr().out.splitlines()
    assert f"| {SMALLEST.name} | {room} | inconclusive |" in lines
    assert any(line.startswith("- ") and "it has no forward pass" in line for line in lines)


def test_no_gpu_is_inconclusive(room, monkeypatch, capsys):
    """A framework that sees no GPU is not run on one, nor quietly on something else."""
    here(monkeypatch)
    monkeypatch.setattr(frameworks.tracer(room), "gpu", lambda: "")
    assert main(["check", SMALLEST.name, "--framework", room, "--device", "gpu"]) == 3
    assert f"{room} sees no GPU here" in capsys.readouterr().err


def test_frameworks_run_apart(room, monkeypatch, tmp_path):
    """Each framework is checked in a process of its own, with the same result as in this one."""
    target = tmp_path / "result.json"
    arguments = ["check", SMALLEST.name, "--framework", room, "--no-numbers", "--seed", "3"]
    results = []
    for inside in (False, True):
        if inside:
            here(monkeypatch)
        assert main([*arguments, "--json", str(target)]) == 0
        results.append(json.loads(target.read_text(encoding="utf-8")))
    assert results[0] == results[1]


@pytest.mark.bare
@pytest.mark.parametrize(
    ("options", "code"),
    [((), 0), (("--framework", "one", "--framework", "other"), 3), (("--device", "cpu"), 3)],
)
def test_a_framework_without_a_gpu_is_left_out(options, code, monkeypatch, capsys):
    """Of all that are installed those run that see one; one that was asked for has to."""
    row = outcome.not_run("other", SMALLEST, "it could not be run").row()
    right = structs.replace(row, framework="one", verdict="conforms")
    whole = Check(1, "conforms", 0, True, row.checks, (right,), {"one": Framework("gpu", {})})
    parts = {"one": whole, "other": structs.replace(whole, results=(row,), frameworks={})}
    monkeypatch.setattr(check, "_frameworks", lambda asked: list(parts))
    monkeypatch.setattr(check, "_apart", lambda name, *_: parts[name])
    assert main(["check", SMALLEST.name, "--device", "gpu", *options]) == code
    assert "1 framework: " in capsys.readouterr().out
    monkeypatch.setitem(parts, "one", parts["other"])
    assert main(["check", SMALLEST.name, "--device", "gpu", *options]) == 3


def test_report_follows_from_evidence(evidence, room, tmp_path, capsys):
    """What a check left can be reported, and the verdict is the same."""
    folder = tmp_path / "report"
    assert main(["report", str(evidence), "--out", str(folder), "--json", "-"]) == 0
    assert {"index.md", "results.json"} <= {path.name for path in folder.iterdir()}
    result = json.loads(capsys.readouterr().out)
    assert [run["framework"] for run in result["runs"]] == [room]


def test_evidence_of_other_code_is_no_pass(evidence, room, tmp_path, capsys):
    """It is reported, and said to be old: what it shows may be true no more."""
    file = evidence / f"{room}-cpu/run.json"
    run = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(run | {"code": "0" * 16}), encoding="utf-8")
    assert main(["report", str(evidence), "--out", str(tmp_path / "report")]) == 3
    said = capsys.readouterr().out
    assert f"recorded by other code than this, record again: {room}-cpu" in said
    assert (tmp_path / "report/index.md").is_file()


def test_truncated_evidence_is_refused(evidence, room, tmp_path, capsys):
    """Evidence that lost its end is refused by name, and nothing is written."""
    file = evidence / f"{room}-cpu/{SMALLEST.name}.json"
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert main(["report", str(evidence), "--out", str(tmp_path / "report")]) == 2
    assert str(file) in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
