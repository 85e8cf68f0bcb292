"""What changed is said, what got worse is a regression, and the ledger's files say what is."""

import csv
import json
from dataclasses import replace
from io import StringIO

import pytest

from conformance import cli, reference
from conformance.judge import published
from conformance.judge.record import evidence
from conformance.judge.record.evidence import DamagedEvidence
from conformance.reports import diff, ledger
from conformance.reports.results import dumped, results
from tests.selftest.tiny import REFERENCE, STRANGE, graph, record, run

SMALLEST = next(iter(reference.models().values()))
OWN = published.network(SMALLEST).inference

pytestmark = pytest.mark.bare


@pytest.fixture
def found(tmp_path):
    """The results of some runs of the tiny networks."""
    place = tmp_path / "reference"
    place.mkdir()
    (place / "tiny.md").write_text(REFERENCE)
    return lambda *runs: results(list(runs), place)


BOTH = (run("one"), run("two"))

WORSE = [
    pytest.param((run("one"), run("two", record(of=graph(width=5)))), "conforms is now deviates",
                 id="another width"),
    pytest.param((run("one"), run("two", record(error=1e-9))), "conforms is now deviates",
                 id="a value beyond its bound"),
    pytest.param((run("one"), run("two", record(numbers=False))), "conforms is now inconclusive",
                 id="values no longer compared"),
    pytest.param((run("one"), run("two", record())), "Tiny-B in two-cpu: conforms is now not run",
                 id="a network no longer run"),
    pytest.param((run("one"),), "two-cpu: the run is gone", id="a run that is gone"),
    pytest.param((run("one"), run("two", record(of=STRANGE))), "no longer agree",
                 id="another kernel"),
    pytest.param((), "is now unmeasured", id="nothing run"),
]  # fmt: skip


@pytest.mark.parametrize(("after", "said"), WORSE)
def test_what_got_worse_is_a_regression(after, said, found):
    """A verdict that got worse, or what is not checked any more, is told as a regression."""
    changes = diff.changes(found(*BOTH), found(*after))
    assert any(said in sentence for sentence in changes.regressions), changes


@pytest.mark.parametrize(("before", "said"), WORSE)
def test_what_got_better_is_none(before, said, found):
    """The same the other way round is a change and no regression."""
    changes = diff.changes(found(*before), found(*BOTH))
    assert changes.others and not changes.regressions


def test_nothing_changed(found):
    """The same results, or other versions of ours alone, are no change."""
    changes = diff.changes(found(*BOTH), found(*BOTH))
    assert not changes.regressions and not changes.others


def test_versions_that_moved_are_told(found):
    """Another version of a package is told with both."""
    later = replace(run("two"), versions={"two": "1.1"})
    changes = diff.changes(found(*BOTH), found(run("one"), later))
    assert (changes.regressions, changes.others) == ([], ["two-cpu: two 1.0 is now 1.1"])


@pytest.mark.parametrize(("error", "moved"), [(3e-14, False), (1e-13, True)])
def test_a_margin_moves_beyond_its_spread(error, moved, found):
    """A margin that stays between those of other runs is not told; one that leaves them is."""
    spread = [run("one", record(error=1e-14)), run("two", record(error=3e-14))]
    after = [run("one", record(error=error)), spread[1]]
    changes = diff.changes(found(*spread), found(*after))
    assert any("margin" in sentence for sentence in changes.others) == moved
    assert not changes.regressions


DAMAGE = {
    "no JSON": ("{", "cannot be read"),
    "another schema": (dumped({"schema": 99}), "not results of this version"),
    "not an object": ("[]", "not results of this version"),
}


@pytest.mark.parametrize(("text", "said"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_results_are_refused(text, said, tmp_path):
    """A file that is not what a report of this version wrote is refused by name."""
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(DamagedEvidence, match=rf"old\.json: {said}"):
        diff.load(tmp_path / "old.json")


def test_the_command_tells_a_regression(tmp_path, capsys):
    """The command reads results and evidence alike, and its exit code is that of a deviation."""
    old, new = tmp_path / "old.json", tmp_path / "new"
    evidence.write(run("one", record(SMALLEST.name, OWN)), new)
    old.write_text(dumped(results([])))
    assert cli.main(["report", "--diff", str(new), str(new)]) == 0
    assert capsys.readouterr().out == "nothing changed\n"
    assert cli.main(["report", "--diff", str(old), str(new)]) == 1
    assert "one-cpu: the run is new" in capsys.readouterr().out
    assert cli.main(["report", "--diff", str(new), str(old), "--json", "-"]) == 1
    assert "one-cpu: the run is gone" in json.loads(capsys.readouterr().out)["regressions"]
    assert cli.main(["report", "--diff", str(old), str(tmp_path / "none")]) == 2
    assert "none: cannot be read" in capsys.readouterr().err


def test_two_seeds_are_told_apart(tmp_path, capsys):
    """Evidence of two seeds cannot be compared, and the command says so in a line."""
    name = SMALLEST.name
    evidence.write(run("one", record(name, OWN)), tmp_path)
    evidence.write(run("two", record(name, OWN, seed=7)), tmp_path)
    assert cli.main(["report", str(tmp_path)]) == 3
    said = f"{name}: one-cpu and two-cpu cannot be compared: seeds 0 and 7 are different weights"
    assert said in capsys.readouterr().out


def test_a_site_is_put_into_no_strange_folder(tmp_path, capsys):
    """A folder that holds something else, or is a file, is refused in one line."""
    evidence.write(run("one", record(SMALLEST.name, OWN)), tmp_path / "evidence")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for target, said in (("taken", "no report wrote notes.txt"), ("file", "File exists")):
        place = str(tmp_path / target)
        assert cli.main(["report", str(tmp_path / "evidence"), "--html", place]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1


def test_a_row_a_claim(found):
    """The CSV has every claim with what each run found; no cell is a formula to a spreadsheet."""
    all_ = found(run("one"), run("=two"))
    rows = list(csv.reader(StringIO(ledger.rows(all_))))
    assert [row[0] for row in rows[1:]] == [claim["id"] for claim in all_["claims"]]
    assert {len(row) for row in rows} == {len(ledger.COLUMNS) + 2}
    parameters = next(row for row in rows if row[0] == "tiny/Tiny-A/conv1/parameters/1")
    assert parameters[-2:] == ["20", "20"]
    assert rows[0][-1] == "'=two-cpu"


BADGES = [
    pytest.param(BOTH, "4 of 4 conform", "brightgreen", id="all is well"),
    pytest.param((run("one", record(error=1e-9)),), "0 of 1 conform", "red", id="a deviation"),
    pytest.param((run("one", record(numbers=False)),), "0 of 1 conform", "yellow", id="in doubt"),
    pytest.param((run("one"), run("two", record(of=STRANGE))), "2 of 3 conform", "red",
                 id="two that differ"),
    pytest.param((), "nothing ran", "yellow", id="nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "message", "colour"), BADGES)
def test_the_badge_is_green_only_if_all_is_well(runs, message, colour, found):
    """The badge is what its endpoint asks for, begins as a report's file, and never too green."""
    badge = ledger.badge(found(*runs))
    assert badge == {
        "schemaVersion": 1,
        "label": "conformance",
        "message": message,
        "color": colour,
    }
    assert ledger.files(found(*runs))["badge.json"].startswith(ledger.BADGE)
