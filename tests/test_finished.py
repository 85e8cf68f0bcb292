"""What `check` has finished is kept, whatever becomes of the rest: no memory, a kill, Ctrl-C."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from conformance import reference
from conformance.cli import check, main
from conformance.data import schema
from conformance.judge.record import evidence
from conformance.judge.record.examine import examine
from conformance.judge.results import Check
from conformance.ports import memory
from conformance.trace.port import UntraceableModel
from tests.here import here
from tests.selftest.tiny import run
from tests.test_check import RIGHT, SMALLEST

ROOT = Path(__file__).parents[1]
SCHEMA = schema(Check)

#: The network whose weights need most memory, and another one after it.
LARGEST = max(reference.models().values(), key=lambda model: model.total("weights") or 0)
THREE = [SMALLEST.name, LARGEST.name, RIGHT.name]

#: A Python whose process does the job, while something happens to the largest network.
STAND_IN = """\
import os, resource, signal, sys
from pathlib import Path
import psutil
from conformance.ports import supervisor, worker
answer = worker.answer
def disturbed(job, say):
    from conformance.judge import checking
    examine = checking.examine
    {divided}
    def happens(framework, model, **options):
        if model.name == {name!r}:
            {happens}
        return examine(framework, model, **options)
    checking.examine = happens
    answer(job, say)
worker.answer = disturbed
supervisor.main(int(sys.argv[-1]))
"""
#: Networks are divided among processes, few and on one processor as they may be.
DIVIDED = "checking.WORTH, checking.processors = 1, lambda: 2"
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
#: Space for all threads' stacks, and for less than the weights in double precision.
LIMITED = "resource.setrlimit(resource.RLIMIT_AS, 2 * [psutil.Process().memory_info().vms + {}])"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a Python with something happening in it in the place of the one that does the jobs."""

    python = sys.executable

    def made(happens, divided=""):
        script = tmp_path / "stand_in"
        text = STAND_IN.format(name=LARGEST.name, happens=happens, divided=divided)
        script.write_text(f"#!{python}\n{text}", encoding="utf-8")
        script.chmod(0o755)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setattr(sys, "executable", str(script))

    return made


def kept(folder):
    """The networks of the one run whose evidence is there, whole."""
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    (found,) = evidence.read(folder)
    return sorted(found.records)


def test_a_network_without_memory_is_passed_over(room, stand_in, tmp_path, capfd):
    """Under a real limit: it is named with what it needed, and the next one is checked."""
    limit = (LARGEST.total("weights") or 0) * 8 * 3 // 4
    folder, target = tmp_path / "evidence", tmp_path / "result.json"
    stand_in(LIMITED.format(limit))
    arguments = ["check", SMALLEST.name, LARGEST.name, "--framework", room]
    assert main([*arguments, "--evidence", str(folder), "--json", str(target)]) == 3
    result = json.loads(target.read_text(encoding="utf-8"))
    jsonschema.validate(result, SCHEMA)
    first, largest = result["results"]
    assert (first["verdict"], largest["verdict"]) == ("conforms", "inconclusive")
    (said,) = [each["why"] for each in largest["open"]]
    assert said.startswith("out of memory: ")
    assert "more were asked for, the process had held" in said
    assert "and addresses are limited to" in said
    assert f"    {said}\n" in capfd.readouterr().out
    assert kept(folder) == [SMALLEST.name]


def test_the_next_network_is_checked(room, monkeypatch, tmp_path):
    """After a network for which NumPy could not allocate."""

    def greedy(framework, model, **options):
        if model == SMALLEST and options["numbers"]:
            np.empty(1 << 55, np.float64)
        return examine(framework, model, **options)

    here(monkeypatch, greedy)
    arguments = ["check", SMALLEST.name, RIGHT.name, "--framework", room]
    assert main([*arguments, "--evidence", str(tmp_path)]) == 3
    assert kept(tmp_path) == [RIGHT.name]


def test_resume(room, monkeypatch, tmp_path, capfd):
    """What conforms is kept, and no less is asked of it than of a new run."""
    ran = []

    def counting(framework, model, **options):
        ran.extend([model.name] * options["numbers"])
        return examine(framework, model, **options)

    def checked(*more):
        ran.clear()
        both = [SMALLEST.name, RIGHT.name]
        arguments = ["check", *both, "--framework", room, "--evidence", str(tmp_path), *more]
        assert main(arguments) == 0
        assert kept(tmp_path) == sorted(both)
        return [*ran]

    here(monkeypatch, counting)
    both = [SMALLEST.name, RIGHT.name]
    assert checked() == both
    capfd.readouterr()
    assert checked("--resume") == []
    assert capfd.readouterr().out.count("  kept: ") == 2
    assert checked() == checked("--resume", "--exact") == checked("--resume", "--seed", "1") == both
    assert checked("--resume") == both  # the seed is 0 again


@pytest.mark.bare
def test_resume_goes_on_from_evidence(capfd):
    """There is nothing to go on from without a folder."""
    assert main(["check", "--resume"]) == 2
    assert "add --evidence DIR" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("Unable to allocate 784. MiB for an array with shape (25088, 4096)", "784 MiB"),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes. Error"
         " code 12 (Cannot allocate memory)", "3 GiB"),
        ("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 9 GiB",
         "20.00 GiB"),
        ("RESOURCE_EXHAUSTED: Out of memory allocating 17592186044416 bytes.", "16,384 GiB"),
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1.50GiB.", "1.50 GiB"),
        ("OOM when allocating tensor with shape[1048576,4194304] and type float on /device:CPU:0",
         ""),
    ],
    ids=["numpy", "torch", "torch on a GPU", "jax", "jax on a GPU", "tensorflow"],
)  # fmt: skip
@pytest.mark.bare
def test_every_framework_is_understood(said, size):
    """Whatever class of error it raises, and also where the tracer has wrapped it."""
    try:
        try:
            raise RuntimeError(said)
        except RuntimeError as inner:
            raise UntraceableModel("the model cannot be called") from inner
    except UntraceableModel as error:
        found = memory.shortage(error)
    asked = f"{size} more were asked for" if size else "an allocation failed"
    assert found.startswith(f"out of memory: {asked}, the process had held ")


@pytest.mark.bare
@pytest.mark.parametrize("error", [RuntimeError("out of luck"), UntraceableModel("no memory cell")])
def test_other_faults_are_not_about_memory(error):
    """They are told as what they are."""
    assert memory.shortage(error) == ""
    assert memory.shortage(MemoryError()).startswith("out of memory: an allocation failed")


def test_a_killed_framework_loses_what_it_was_at(room, stand_in, tmp_path, monkeypatch, capfd):
    """What it had finished is in the result and in the evidence, and the next framework is run."""
    stand_in(KILLED)
    monkeypatch.setattr(check, "_frameworks", lambda _: [room, room])
    folder, target = tmp_path / "evidence", tmp_path / "result.json"
    assert main(["check", *THREE, "--evidence", str(folder), "--json", str(target)]) == 3
    result = json.loads(target.read_text(encoding="utf-8"))
    jsonschema.validate(result, SCHEMA)
    verdicts = [row["verdict"] for row in result["results"]]
    assert verdicts == 2 * ["conforms", "inconclusive", "inconclusive"]
    said = f"the run of {room} was killed (SIGKILL, probably for want of memory: "
    assert all(row["open"][0]["why"].startswith(said) for row in result["results"][1:3])
    printed = capfd.readouterr().out
    assert printed.count(said) == printed.count(f") while checking {LARGEST.name}") == 2
    assert "GiB at most; the machine has" in printed
    assert list(result["frameworks"]) == [room]
    assert kept(folder) == [SMALLEST.name]


def test_a_framework_that_faults_is_our_fault(room, stand_in, capfd):
    """Not every end of a process is for want of memory."""
    stand_in("os._exit(7)")
    assert main(["check", LARGEST.name, "--framework", room]) == 4
    said = f"the run of {room} ended its process with exit code 7 while checking {LARGEST.name}"
    assert said in capfd.readouterr().err


def test_several_processes_find_what_one_does(room, stand_in, tmp_path):
    """Of several networks that are traced only; results and evidence, in the order asked for."""

    def checked(divided):
        stand_in("pass", divided)
        arguments = ["check", *THREE, "--framework", room, "--no-numbers"]
        result, folder = tmp_path / "result.json", tmp_path / f"evidence{len(divided)}"
        assert main([*arguments, "--json", str(result), "--evidence", str(folder)]) == 0
        assert kept(folder) == sorted(THREE)
        return result.read_bytes(), [each.read_bytes() for each in sorted(folder.rglob("*.json"))]

    assert checked(DIVIDED) == checked("")


def test_a_process_of_several_that_is_killed(room, stand_in, capfd):
    """It is said in one line, and no verdict is given."""
    stand_in(KILLED, DIVIDED)
    assert main(["check", *THREE, "--framework", room, "--no-numbers"]) == 3
    said = f"a process of the run of {room} was killed: too little memory?"
    assert said in capfd.readouterr().err


def test_what_was_finished_before_an_interrupt_is_kept(room, monkeypatch, tmp_path, capsys):
    """And said so; a rerun takes its place."""

    def interrupted(framework, model, **options):
        if model == RIGHT:
            raise KeyboardInterrupt
        return examine(framework, model, **options)

    arguments = ["check", SMALLEST.name, RIGHT.name, "--framework", room, "--no-numbers"]
    arguments += ["--evidence", str(tmp_path)]
    with monkeypatch.context() as patch:
        here(patch, interrupted)
        assert main(arguments) == 130
    said = f"conformance: interrupted; evidence of 1 of 2 networks is in {tmp_path}\n"
    assert capsys.readouterr().err == said
    assert kept(tmp_path) == [SMALLEST.name]
    here(monkeypatch)
    assert main(arguments) == 0
    assert kept(tmp_path) == sorted([SMALLEST.name, RIGHT.name])


@pytest.mark.bare
def test_a_growing_run_is_written_as_one_that_is_whole(tmp_path):
    """File by file the same; a record that has changed, or a file that has gone, is written."""
    grown, whole = run("torch"), run("torch")
    records, grown.records = grown.records, {}
    for name, record in records.items():
        grown.records[name] = record
        place = evidence.write(grown, tmp_path / "grown")
        (place / f"{name}.json").unlink()
    name = next(iter(records))
    evidence.write(grown, tmp_path / "grown")
    grown.records[name] = whole.records[name] = replace(records[name], parity=None)
    evidence.write(grown, tmp_path / "grown")
    files = [
        {path.name: path.read_bytes() for path in evidence.write(each, tmp_path / str(n)).iterdir()}
        for n, each in enumerate((grown, whole))
    ]
    assert files[0] == files[1]
    assert files[0] == {p.name: p.read_bytes() for p in (tmp_path / "grown/torch-cpu").iterdir()}
    assert evidence.read(tmp_path / "grown")[0].records == whole.records


@pytest.mark.bare
def test_an_unchanged_network_is_not_written_again(tmp_path, monkeypatch):
    """So that evidence of many networks costs what it costs to write it once."""
    grown, written = run("torch"), []
    dump = evidence._dump

    def noted(data, path):
        written.append(path.name)
        dump(data, path)

    monkeypatch.setattr(evidence, "_dump", noted)
    for _ in range(3):
        evidence.write(grown, tmp_path)
    assert written.count("run.json") == 3
    assert {written.count(f"{name}.json") for name in grown.records} == {1}


@pytest.mark.bare
def test_an_interrupted_move_leaves_the_earlier_run(tmp_path, monkeypatch):
    """Nothing of the new one, and nothing beside it."""
    evidence.write(run("torch"), tmp_path)
    rename = Path.rename

    def interrupted(self, target):
        if Path(target).name == "torch-cpu" and "-old-" not in self.name:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evidence.write(replace(run("torch"), records={}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["torch-cpu"]
    assert evidence.read(tmp_path)[0].records


@pytest.mark.bare
@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({}, True),
        ({"seed": 7}, False),
        ({"code": "0ther"}, False),
        ({"versions": {"torch": "0"}}, False),
        ({"backend": "jax"}, False),
    ],
    ids=str,
)
def test_a_selftest_is_kept_while_it_is_of_the_same_run(change, stays, tmp_path):
    """Of other code, versions or seed it is dropped, and so is one that is damaged."""
    earlier = replace(run("torch"), selftest={"schema": 1})
    place = evidence.write(earlier, tmp_path)
    again = replace(run("torch"), **change)
    assert evidence.earlier_selftest(again, tmp_path) == ({"schema": 1} if stays else None)
    assert evidence.earlier_selftest(again, tmp_path / "nowhere") is None
    (place / evidence.SELFTEST).write_text("{}", encoding="utf-8")
    assert evidence.earlier_selftest(again, tmp_path) is None


def test_a_check_keeps_the_selftest(room, monkeypatch, tmp_path):
    """A check of one network in the place of the suite's run."""
    here(monkeypatch)
    arguments = ["check", SMALLEST.name, "--framework", room, "--no-numbers"]
    arguments += ["--evidence", str(tmp_path)]
    assert main(arguments) == 0
    (found,) = evidence.read(tmp_path)
    found.selftest = {"schema": 1}
    evidence.write(found, tmp_path)
    assert main(arguments) == 0
    assert evidence.read(tmp_path)[0].selftest == {"schema": 1}
    assert main([*arguments, "--seed", "1"]) == 0
    assert evidence.read(tmp_path)[0].selftest is None
