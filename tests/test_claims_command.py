"""``conformance claims``: the whole ledger, what a filter leaves of it, what it refuses."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from conformance import reference
from conformance.cli import main
from conformance.cli.claims import STATUSES
from conformance.cli.facts import LIVE

pytestmark = pytest.mark.bare

PUBLISHED = Path(__file__).parents[1] / "reports" / "published"
CLAIMS = reference.claims()
SECTIONS = sorted({claim.section for claim in CLAIMS})
#: One network of each family.
NAMES = sorted({model.family: name for name, model in reference.models().items()}.values())


@pytest.fixture
def ledger(capsys):
    """What the command's result holds, by its arguments."""

    def listed(*arguments):
        assert main(["claims", *arguments, "--json", "-"]) == 0
        return json.loads(capsys.readouterr().out)

    return listed


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The result without a filter."""
    target = tmp_path_factory.mktemp("ledger") / "claims.json"
    assert main(["claims", "--json", str(target)]) == 0
    return json.loads(target.read_text(encoding="utf-8"))


def test_every_claim_is_listed_once(whole):
    """Without a filter each claim of the reference is there, in its order, and is counted."""
    assert [row["id"] for row in whole["claims"]] == [claim.id for claim in CLAIMS]
    assert sum(whole["counts"].values()) == len(CLAIMS)
    assert whole["counts"] == {**dict.fromkeys(STATUSES, 0), **statuses(whole)}


def statuses(found):
    return Counter(row["status"] for row in found["claims"])


def test_the_report_says_the_same(whole):
    """What arithmetic decides, models have borne out."""
    with (PUBLISHED / "ledger.csv").open(encoding="utf-8", newline="") as file:
        published = {row["id"]: row["status"] for row in csv.DictReader(file)}
    decided = [row for row in whole["claims"] if row["status"] != LIVE]
    assert [row["id"] for row in decided if row["status"] != published[row["id"]]] == []


def test_what_does_not_hold_says_why(whole):
    """A contradicted or ambiguous claim has a reason and what holds instead; no other has."""
    rows = whole["claims"]
    assert all(
        bool(row["why"]) == bool(row["counted"]) == (row["status"] in ("contradicted", "ambiguous"))
        for row in rows
        if row["status"] != LIVE
    )


@pytest.mark.parametrize("status", STATUSES)
def test_status_filters(ledger, whole, status):
    """A status leaves the claims that have it, and every status has some."""
    rows = ledger("--status", status.upper().replace(" ", "-"))["claims"]
    assert rows
    assert rows == [row for row in whole["claims"] if row["status"] == status]


def test_two_statuses_add_up(ledger):
    """The option is repeatable."""
    both = ledger("--status", "rounded", "--status", "ambiguous")
    assert set(statuses(both)) == {"rounded", "ambiguous"}


@pytest.mark.parametrize("section", SECTIONS)
def test_section_filters(ledger, section):
    """A section leaves the claims that stand in it, of whichever document."""
    rows = ledger("--section", section.lower())["claims"]
    assert [row["id"] for row in rows] == [each.id for each in CLAIMS if each.section == section]


@pytest.mark.parametrize("name", NAMES)
def test_network_filters(ledger, name):
    """A network leaves the claims that it decides."""
    rows = ledger("--arch", name.lower())["claims"]
    assert [row["id"] for row in rows] == [each.id for each in CLAIMS if each.model == name]


def test_filters_that_leave_nothing_say_so(capsys):
    """Filters hold together; what they leave may be nothing, and that is said."""
    name, away = NAMES[0], {each.section for each in CLAIMS if each.model == NAMES[0]}
    section = next(section for section in SECTIONS if section not in away)
    assert main(["claims", "--section", section, "--arch", name]) == 0
    assert capsys.readouterr().out == f"0 of {len(CLAIMS):,} claims\n"


def test_table_fits_a_terminal(monkeypatch, capsys):
    """No line has more than 80 columns, and each claim's line of the document is there."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    begun = Counter(line.split()[0] for line in lines if line[:1].isdigit())
    assert all(begun[line] >= n for line, n in Counter(c.line for c in CLAIMS if c.line).items())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--status", "confirmt"], "no status is called 'confirmt'; the nearest are confirmed"),
        (["--section", f"{SECTIONS[0]}q"], f"q'; the nearest are {SECTIONS[0]}, "),
        (["--arch", "nonesuch"], "no architecture is called 'nonesuch'; the nearest are "),
        (["nonesuch"], "unrecognized arguments: nonesuch"),
    ],
)
def test_unknown_word_is_one_line(arguments, said, capsys):
    """A word that means nothing is named, with the nearest that do; nothing is listed."""
    assert main(["claims", *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_result_that_cannot_be_written_is_refused(tmp_path, capsys):
    """Where the result cannot be written nothing is listed."""
    assert main(["claims", "--json", str(tmp_path / "nowhere/claims.json")]) == 2
    assert "there is no folder" in capsys.readouterr().err
