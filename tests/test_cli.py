"""The command line: what it says, what it writes, and with which exit code it leaves."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from errno import ENOSPC
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

import jsonschema
import pytest

from conformance import files, reference
from conformance.cli import main
from conformance.ports import implementations as frameworks
from conformance.ports.sandbox import on_gpu
from tests.quiet import aside, bar
from tests.test_check import SMALLEST, interrupt

ROOT = Path(__file__).parents[1]
COMMANDS = ("list", "facts", "claims", "check", "report", "compare", "convert")


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
        (["check", "--precision", "tf32"], 2, "a precision of GPUs"),
        (["check", "--arrays", "conv99", "--evidence", "new"], 2, "did you mean conv"),
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
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (reference.DamagedReference("reference/x.md:7: ragged"), 4, "reference/x.md:7: ragged"),
        (RuntimeError("out of\nluck"), 4, "RuntimeError: out of luck (run again with --debug)"),
        (MemoryError(), 3, "out of memory"),
        (OSError(ENOSPC, "full"), 3, "the system gives no more: full"),
    ],
)
def test_what_ends_a_command_is_one_line(error, code, said, monkeypatch, capsys):
    """A damaged reference and a bug are our own fault; what the system lacks is nobody's."""
    monkeypatch.setattr(reference, "models", Mock(side_effect=error))
    assert main(["list"]) == code
    assert capsys.readouterr().err == f"conformance: {said}\n"


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


@pytest.mark.bare
def test_flags_of_a_compiler_are_added_to(monkeypatch):
    """What somebody has set for XLA stays set, and comes last, which counts."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_mine=1")
    assert on_gpu()["XLA_FLAGS"].endswith(" --xla_mine=1")
    monkeypatch.delenv("XLA_FLAGS")
    assert on_gpu()["XLA_FLAGS"].startswith("--xla_gpu")


@pytest.mark.bare
def test_frameworks_may_talk(capfd):
    """What is printed aside, also past Python, reaches neither stream, unless it is to be seen."""
    for show, heard in ((False, ""), (True, "from Python\nfrom C\n")):
        with aside(show):
            print("from Python", flush=True)
            os.write(1, b"from C\n")
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", heard)
