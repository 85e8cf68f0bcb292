"""The command line: what it says, what it writes, and with which exit code it leaves."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from itertools import combinations
from pathlib import Path

import jsonschema
import pytest
from msgspec import structs

from conformance import files, reference
from conformance.cli import check, main
from conformance.data import schema
from conformance.judge.record import network as outcome
from conformance.judge.results import Check, Framework
from conformance.numbers.parity import Control
from conformance.ports import implementations as frameworks
from conformance.ports.sandbox import on_gpu
from conformance.trace.port import UntraceableModel
from tests.here import here
from tests.quiet import aside, bar

ROOT = Path(__file__).parents[1]
SCHEMA = schema(Check)
COMMANDS = ("list", "facts", "claims", "check", "report", "compare", "convert")


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


# What is asked for is not there.


@pytest.mark.bare
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "COMMAND"),
        (["chek"], 2, "'check'"),
        (["check", "--device", "abacus"], 2, "'cpu', 'gpu'"),
        (["check", "--seed", "-1"], 2, "whole number"),
        (["check", "--framework", "tench"], 2, "did you mean torch?"),
        (["check", SMALLEST.name + "x"], 2, SMALLEST.name),
        (["facts", SMALLEST.name + "x"], 2, SMALLEST.name),
        (["facts", SMALLEST.name, "--json", "nowhere/facts.json"], 2, "nowhere"),
        (["facts", SMALLEST.name, "--json", "."], 2, "it is a folder"),
        (["report"], 2, "EVIDENCE"),
        (["report", "nowhere"], 2, "nowhere: no such folder"),
        (["report", "empty"], 3, "conformance check --evidence"),
        (["report", "damaged"], 2, "damaged/torch-cpu/run.json"),
        (["report", "damaged", "--out", "report"], 2, "damaged/torch-cpu/run.json"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(arguments, code, said, tmp_path, monkeypatch, capsys):
    """One line on standard error names what is wrong and what would be right; nothing is left."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged/torch-cpu").mkdir(parents=True)
    (tmp_path / "damaged/torch-cpu/run.json").write_text('{"schema": 1, ', encoding="utf-8")
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "damaged"}


@pytest.mark.bare
@pytest.mark.parametrize("arguments", [["check"], ["check", "--framework", "torch"]], ids=len)
def test_missing_framework_is_inconclusive(arguments, monkeypatch, capsys):
    """Without a framework nothing is checked, and the sentence says how to install one."""
    monkeypatch.setattr(frameworks, "missing", lambda name: f"no {name}: pip install '.[{name}]'")
    assert main(arguments) == 3
    assert "pip install" in capsys.readouterr().err


@pytest.mark.bare
def test_damaged_reference_is_our_fault(monkeypatch, capsys):
    """A reference file that cannot be read is told by its place."""
    monkeypatch.setattr(reference, "models", lambda: reference.family("x", ROOT / "nowhere"))
    monkeypatch.setattr(reference, "family", damaged)
    assert main(["list"]) == 4
    assert capsys.readouterr().err == "conformance: reference/x.md:7: ragged\n"


def damaged(*_):
    raise reference.DamagedReference("reference/x.md:7: ragged")


# What needs no framework.


def test_list_imports_nothing_heavy():
    """Listing looks for frameworks without importing one, nor NumPy."""
    rooms = [
        import_module(f"conformance.implementations.{name}") for name in frameworks.frameworks()
    ]
    heavy = {"numpy", *(package for room in rooms for package in room.REQUIRES)}
    code = (
        "import sys; from conformance.cli import main; code = main(['list']);"
        f" sys.exit(code or ', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in [*reference.models(), *frameworks.frameworks()])


@pytest.mark.bare
def test_list_fits_a_terminal(monkeypatch, capsys):
    """The list has no line of more than 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.bare
@pytest.mark.parametrize("name", reference.models())
def test_facts_has_every_claim(name, capsys):
    """A network's page names its rows, and its result has every claim about it, with a status."""
    model = reference.find(name)
    assert main(["facts", name, "--json", "-"]) == 0
    printed = capsys.readouterr()
    assert all(row.name in printed.err for row in model.rows)
    claims = {claim.id for claim in reference.claims() if claim.model == name}
    found = json.loads(printed.out)["claims"]
    assert claims <= {claim["id"] for claim in found}
    assert all(claim["status"] for claim in found)


@pytest.mark.bare
@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    """A command's help has an example of it and says what its exit codes mean."""
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"\nexample:\n  conformance {command}" in said
    assert "exit codes:\n  0  conforms\n" in said


@pytest.mark.bare
@pytest.mark.parametrize("command", ["check", "report", "compare"])
def test_schema_is_a_schema(command, capsys):
    """What --schema prints is a JSON Schema."""
    assert main([command, "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.validators.validator_for(schema).check_schema(schema)


@pytest.mark.bare
def test_version(capsys):
    """The version is one line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("conformance ")


@pytest.mark.bare
def test_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    """A write that fails leaves the file as it was and nothing beside it."""
    target = tmp_path / "result.json"
    files.put("old", target)
    monkeypatch.setattr(Path, "replace", interrupt)
    with suppress(KeyboardInterrupt):
        files.put("new", target)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.bare
def test_device_keeps_its_place():
    """What is not a regular file, such as /dev/stdout, is written to and not replaced."""
    ours, theirs = os.openpty()
    files.put("{}\n", Path(os.ttyname(theirs)))
    assert os.read(ours, 9).startswith(b"{}")


@pytest.mark.bare
def test_bar_is_for_terminals(tmp_path):
    """A running network shows a bar on a terminal, and a file hears nothing of it."""
    ours, theirs = os.openpty()
    with open(theirs, "w") as terminal, bar("working", terminal) as progress:
        progress(3, 7)
    assert b"working" in os.read(ours, 9999)
    with open(tmp_path / "log", "w") as log, bar("working", log) as progress:
        progress(3, 7)
    assert not (tmp_path / "log").read_bytes()


# What a framework is needed for.


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


@pytest.mark.bare
def test_flags_of_a_compiler_are_added_to(monkeypatch):
    """What somebody has set for XLA stays set, and comes last, which counts."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_mine=1")
    assert on_gpu()["XLA_FLAGS"].endswith(" --xla_mine=1")
    monkeypatch.delenv("XLA_FLAGS")
    assert on_gpu()["XLA_FLAGS"].startswith("--xla_gpu")


def test_frameworks_may_talk(capfd):
    """What is printed aside, also past Python, reaches neither stream, unless it is to be seen."""
    for show, heard in ((False, ""), (True, "from Python\nfrom C\n")):
        with aside(show):
            print("from Python", flush=True)
            os.write(1, b"from C\n")
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", heard)


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
