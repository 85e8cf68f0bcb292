"""Every situation of the table ends as its row says, in one line, and leaves nothing behind."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from conformance import files
from conformance.cli import main
from conformance.judge.record import evidence
from conformance.ports import implementations as frameworks
from tests.selftest.tiny import record, run
from tests.situations import PORTS, SITUATIONS

ROOT = Path(__file__).parents[1]
COMMAND = f"{shlex.quote(sys.executable)} -m conformance"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the table's ports, in which a command is run."""
    (tmp_path / "scratch").mkdir()
    for name, text in PORTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setattr(files, "PATIENCE", 0.3)
    return tmp_path


def lay(situation, place):
    """What a row asks to be there."""
    for name, text in situation.files.items():
        target = place / name.replace("@", "").replace("|", "")
        target.parent.mkdir(parents=True, exist_ok=True)
        if "@" in name:
            target.symlink_to(text)
        elif "|" in name:
            os.mkfifo(target)
        else:
            target.write_text(text)
    if situation.damage:
        situation.damage(evidence.write(run("one", record()), place / "evidence"))


def ended(situation, capfd):
    """The exit code, and both streams as bytes would show them."""
    if situation.shell:
        text = re.sub(r"\bconformance\b", COMMAND.replace("\\", r"\\"), situation.shell)
        done = subprocess.run(["sh", "-c", text], capture_output=True, timeout=60)
        return (
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )
    code = main(shlex.split(situation.command))
    return code, *capfd.readouterr()


@pytest.mark.bare
@pytest.mark.parametrize("situation", [s for s in SITUATIONS if not s.needs], ids=str)
def test_situation(situation, place, capfd):
    """The right code, the right words, and no child left."""
    check(situation, place, capfd)


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s.needs], ids=str)
def test_situation_of_a_model(situation, place, capfd):
    """The same with a framework."""
    if reason := frameworks.missing(situation.needs):
        pytest.skip(reason)
    check(situation, place, capfd)


def check(situation, place, capfd):
    lay(situation, place)
    before = {path.name for path in place.iterdir()}
    code, out, words = ended(situation, capfd)
    said = out + words
    assert code == situation.code, said
    assert re.search(situation.says, said, re.DOTALL), said
    assert not situation.never or not re.search(situation.never, said), said
    if "--debug" not in situation.command:
        assert "Traceback" not in said
        assert code != 2 or situation.shell or len(words.splitlines()) == 1, words
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said), said
    assert not [name for name in os.listdir(place) if name.startswith(".") and name not in before]
    assert not psutil.Process().children(recursive=True)
    assert not list((place / "scratch").iterdir())


@pytest.mark.bare
def test_the_table_is_large():
    """A hundred and twenty situations, and no row twice."""
    assert len({(str(each), each.damage) for each in SITUATIONS}) >= 120


@pytest.mark.bare
def test_files_of_the_system_stay_what_they_are(place):
    """A device is written to and not replaced, and a link keeps its target."""
    (place / "linked.json").write_text("{}")
    (place / "link").symlink_to("linked.json")
    for target in ("/dev/null", "link"):
        assert main(["gate", "status.py:net", "--arch", "lenet5", "--json", target]) == 3
    assert Path("/dev/null").is_char_device()
    assert (place / "link").is_symlink()
    assert "inconclusive" in (place / "linked.json").read_text()
