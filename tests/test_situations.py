"""Every situation of the table ends as its row says, in one line, and leaves nothing behind."""

import os
import re
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.judge.record import evidence
from conformance.ports import implementations as frameworks
from tests.selftest.tiny import record, run
from tests.situations import PORTS, SITUATIONS
from tests.table import Table, begun, load, result


@pytest.fixture(scope="session")
def table(request, tmp_path_factory):
    """The rows that are to be run, begun in the order of their tests."""
    room = tmp_path_factory.mktemp("rows")

    def begin(number):
        situation, place = SITUATIONS[number], room / f"{number}"
        lay(situation, place)
        return begun(situation.command, situation.shell, place, situation.warm)

    numbers = []
    load({each.needs for each in SITUATIONS if each.warm and not missing(each)})
    if not hasattr(request.config, "workerinput"):  # with xdist another worker runs some of them
        params = (getattr(item, "callspec", None) for item in request.session.items)
        chosen = {id(each.params.get("situation")) for each in params if each}
        numbers = [n for n, each in enumerate(SITUATIONS) if id(each) in chosen]
    return room, Table([n for n in numbers if not missing(SITUATIONS[n])], begin)


def missing(situation):
    """Why a row cannot be run here; empty if it can."""
    return frameworks.missing(situation.needs) if situation.needs else ""


def lay(situation, place):
    """A folder with the table's ports, and what a row asks to be there."""
    for name, text in (PORTS | situation.files).items():
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


@pytest.mark.bare
@pytest.mark.parametrize("situation", [s for s in SITUATIONS if not s.needs], ids=str)
def test_situation(situation, table):
    """The right code, the right words, and no child left."""
    check(situation, *table)


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s.needs], ids=str)
def test_situation_of_a_model(situation, table):
    """The same with a framework."""
    if reason := missing(situation):
        pytest.skip(reason)
    check(situation, *table)


def check(situation, room, table):
    number = next(n for n, each in enumerate(SITUATIONS) if each is situation)
    table.wait(number)
    ended = result(place := room / f"{number}")
    said = ended.out + ended.err
    assert ended.code == situation.code, said
    assert re.search(situation.says, said, re.DOTALL), said
    assert not situation.never or not re.search(situation.never, said), said
    if "--debug" not in situation.command:
        assert "Traceback" not in said
        lines = ended.err.splitlines()
        assert ended.code != 2 or situation.shell or len(lines) == 1, ended.err
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said), said
    assert not [name for name in os.listdir(place) if name.startswith(".")]
    assert not ended.left


@pytest.mark.bare
def test_the_table_is_large():
    """A hundred and twenty situations, and no row twice."""
    assert len({(str(each), each.damage) for each in SITUATIONS}) >= 120


@pytest.mark.bare
def test_files_of_the_system_stay_what_they_are(tmp_path, monkeypatch):
    """A device is written to and not replaced, and a link keeps its target."""
    monkeypatch.chdir(tmp_path)
    Path("status.py").write_text(PORTS["status.py"])
    Path("linked.json").write_text("{}")
    Path("link").symlink_to("linked.json")
    for target in ("/dev/null", "link"):
        assert main(["gate", "status.py:net", "--arch", "lenet5", "--json", target]) == 3
    assert Path("/dev/null").is_char_device()
    assert Path("link").is_symlink()
    assert "inconclusive" in Path("linked.json").read_text()
