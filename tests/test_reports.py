"""Reports say what the evidence says: nothing more, nothing less, nothing that runs in a page."""

import json
import re
from dataclasses import replace
from math import nan
from pathlib import Path

import jsonschema
import pytest

from conformance.data import schema
from conformance.judge.claims import CannotMeasure
from conformance.judge.record import evidence
from conformance.judge.record.agreement import agreement
from conformance.judge.record.evidence import DamagedEvidence
from conformance.reports import folder, markdown
from conformance.reports.results import dumped, results
from conformance.reports.rows import Results
from tests.selftest.tiny import (
    PROFILE,
    REFERENCE,
    STRANGE,
    UNKNOWN,
    executed,
    graph,
    parity,
    record,
    run,
    sampled,
    thorough,
    whole,
)

pytestmark = pytest.mark.bare

PUBLISHED = Path(__file__).parents[1] / "reports" / "published"

WRONG = [
    pytest.param(record(of=graph(width=5)), "deviates", id="another width"),
    pytest.param(record(error=1e-9), "deviates", id="a value beyond its bound"),
    pytest.param(record(error=nan), "deviates", id="not a number"),
    pytest.param(record(caught=False), "inconclusive", id="a control arm not caught"),
    pytest.param(record(controls=()), "inconclusive", id="no control arm"),
    pytest.param(record(problem="stopped"), "inconclusive", id="a run that stopped"),
    pytest.param(record(nodes=parity(graph()).nodes[1:]), "inconclusive", id="a value missing"),
    pytest.param(record(numbers=False), "inconclusive", id="no values"),
    pytest.param(record(of=UNKNOWN), "inconclusive", id="an unknown operation"),
    pytest.param(record(of=graph(last="head")), "deviates", id="a row missing"),
    pytest.param(thorough(error=1e-9), "deviates", id="a gradient beyond its bound"),
    pytest.param(thorough(slots=()), "inconclusive", id="no gradient"),
    pytest.param(thorough(controls=()), "inconclusive", id="no control arm of gradients"),
    pytest.param(
        replace(thorough(), training_parity=parity(graph(), error=nan)),
        "deviates",
        id="not a number in training",
    ),
    pytest.param(executed(error=1e-9), "deviates", id="a value beyond its bound in float32"),
    pytest.param(executed(problem="stopped"), "inconclusive", id="a run that stopped in float32"),
    pytest.param(executed(caught=False), "inconclusive", id="float32 sees nothing"),
    pytest.param(executed(compiled=True, nodes=()), "inconclusive", id="no output of a compiler"),
    pytest.param(whole(differing=1), "deviates", id="a bit on whole numbers"),
    pytest.param(whole(problem="stopped"), "inconclusive", id="whole numbers cut short"),
    pytest.param(whole(controls=()), "inconclusive", id="no control arm on whole numbers"),
    pytest.param(
        replace(thorough(), training_gradients=thorough(error=1e-9).gradients),
        "deviates",
        id="a gradient of training beyond its bound",
    ),
]

EVIDENCE = {
    "two that agree": [run("one"), run("two")],
    "two that differ": [run("one"), run("two", record(of=STRANGE, error=1e-9))],
    "one without values": [run("one", record(numbers=False))],
    "not a number": [run("one", record(error=nan)), run("two", record(error=nan))],
    "in float32": [run("one", executed()), run("two", executed(error=1e-9))],
    "in every mode": [run("one", thorough(), selftest=True), run("two", thorough(error=1e-9))],
    "on whole numbers": [run("one", whole()), run("two", whole(1)), run("three")],
    "none": [],
}


@pytest.fixture
def documents(tmp_path):
    """A reference of two tiny networks."""
    place = tmp_path / "reference"
    place.mkdir()
    (place / "tiny.md").write_text(REFERENCE)
    (place / "profiles").mkdir()
    (place / "profiles/tiny.md").write_text(PROFILE)
    return place


@pytest.fixture
def write(documents, tmp_path):
    """Writes a report of some runs and returns its pages."""

    def written(runs, to=tmp_path / "report"):
        markdown.write(results(runs, documents), runs, to, documents)
        return {path.name: path.read_text(encoding="utf-8") for path in to.iterdir()}

    return written


@pytest.mark.parametrize("runs", EVIDENCE.values(), ids=EVIDENCE)
def test_results_have_their_schema(runs, documents):
    """Whatever the evidence, the results are what the published schema says."""
    jsonschema.validate(json.loads(dumped(results(runs, documents))), schema(Results))


@pytest.mark.parametrize("runs", EVIDENCE.values(), ids=EVIDENCE)
def test_same_evidence_same_bytes(runs, write, tmp_path):
    """A second report from the same evidence changes no byte, and leaves nothing else behind."""
    assert write(runs) == write(runs) == write(runs, tmp_path / "again")


def test_all_is_well(documents):
    """Two runs that have what is printed conform and agree, with every claim decided."""
    found = results([run("one"), run("two")], documents)
    for network in found["networks"]:
        verdicts = [each["verdict"] for each in network["verdicts"].values()]
        assert verdicts == ["conforms", "conforms"]
        assert [pair["agrees"] for pair in network["agreement"]] == [True]
    assert found["counts"]["deviates"] == found["counts"]["unmeasured"] == 0
    assert [each["not_run"] for each in found["checks"].values()] == [[], []]


@pytest.mark.parametrize(("wrong", "verdict"), WRONG)
def test_what_is_wrong_turns_the_verdict(wrong, verdict, documents, write):
    """A deviation, or a check that did not run, is never a pass, and its reason is given."""
    runs = [run("one"), run("two", wrong)]
    network = results(runs, documents)["networks"][0]
    assert network["verdicts"]["one-cpu"] == {"verdict": "conforms", "reasons": []}
    found = network["verdicts"]["two-cpu"]
    assert (found["verdict"], bool(found["reasons"])) == (verdict, True)
    assert f"in two: {found['reasons'][0][:20]}" in write(runs)["tiny.md"]


def test_whole_numbers_have_a_page(write):
    """What share of the nodes of each run is exact, what is not, and what keeps others from it."""
    lines = write([run("one", whole()), run("two", whole(differing=1))])["exact.md"].splitlines()
    rows = [re.split(r" *\| *", line)[1:-1] for line in lines if line.startswith("|")]
    assert rows[2:5] == [
        ["Tiny-A", "one", "3 of 4"],
        ["Tiny-A", "two", "**✗** 0 of 4"],
        ["**all**", "", "3 of 8, 37.5%"],
    ]
    assert rows[-1] == ["it rounds", "2"]


def test_an_open_claim_is_no_pass(documents, monkeypatch):
    """A run that could not measure a claim which no formula decides is inconclusive."""

    def measure(*_):
        raise CannotMeasure("nobody looks")

    monkeypatch.setattr("conformance.reports.subjects.measure", measure)
    verdict = results([run()], documents)["networks"][0]["verdicts"]["one-cpu"]
    assert verdict["verdict"] == "inconclusive"
    assert "nobody measured: Tiny-A fc output 3" in verdict["reasons"]


def test_a_lower_precision_need_not_see_everything(documents, write):
    """One control arm of two suffices there; which was seen may be a matter of the machine."""
    blind, seen = executed(caught=False), executed()
    arms = blind.executions[0].controls + seen.executions[0].controls
    runs = [run("one", executed(controls=arms))]
    network = results(runs, documents)["networks"][0]
    assert network["verdicts"]["one-cpu"]["verdict"] == "conforms"
    found = network["executions"]["one-cpu"]["float32"]["controls"]
    assert [arm["measured"]["caught"] for arm in found] == [False, True]
    assert not any("caught" in arm for arm in found)
    assert "| 1 of 1" in (page := write(runs)["precisions.md"])
    assert "| 1 of 2" in page


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (record(seed=1), "different weights"),
        (record(numbers=False), "not recorded"),
        (record(problem="stopped"), "stopped"),
        (record(nodes=parity(graph()).nodes[1:]), "no value in the second run"),
        (record(**sampled(sample=(0.5,))), "different length"),
        (record(**sampled(sample=(0.5, nan))), "not a finite number"),
        (record(**sampled(sample=(0.5, -0.2))), ""),
        (record("Tiny-B"), "is not"),
        (record(of=graph(stride=(2, 2))), ""),
        (record(of=graph(width=5)), ""),
    ],
)
def test_what_differs_is_no_agreement(other, problem):
    """Two runs that differ, or cannot be compared, do not agree, whichever comes first."""
    found = agreement(record(), other)
    assert not found.agrees
    assert problem in found.problem
    assert found.problem or found.findings or found.modes["inference"].first_divergence == (1, "")
    assert not agreement(other, record()).agrees


def test_agreement_is_within_the_stricter_bound():
    """A difference within both bounds agrees; within one of them, it does not."""
    near = record(**sampled(sample=(0.5, -0.25 + 5e-11)))
    assert agreement(record(), near).agrees
    strict = record(**sampled(bound=1e-12))
    assert not agreement(strict, near).agrees


def test_what_was_not_measured_is_listed(documents, write):
    """A claim that a run did not measure is listed with the reason, and counted."""
    runs = [run("one", record(of=graph(last="head")))]
    found = results(runs, documents)
    checks = found["checks"]["one-cpu"]
    listed = {each["reason"]: each["claims"] for each in checks["not_run"]}
    assert listed["the model has no fc"] == [
        "tiny/Tiny-A/fc/output",
        "tiny/Tiny-A/fc/convolutions",
    ]
    assert len(listed["the network was not run"]) == 5
    assert checks["claims"] == {"planned": 11, "run": 4}
    assert found["counts"]["unmeasured"] == 7
    assert "the model has no fc: 2 claims on Tiny-A" in write(runs)["index.md"]


def test_names_are_only_text(write):
    """Nothing of a name, a path or a reason is HTML or Markdown, and no bar splits a cell."""
    strange = record(of=STRANGE, error=1e-9, problem="<img src=x onerror=alert(1)> | **no**")
    pages = write([run("one"), run("<i>two</i>|", strange)])
    assert "&lt;script&gt;" in pages["tiny.md"]
    for name, page in pages.items():
        own = re.sub(r"</?(?:details|summary|br|a)\b[^<>]*>|<!--.*?-->", "", page)
        assert not name.endswith(".md") or not re.search(r"<[\w/!]|(?<!\\)\]\(y\)|\*\*no", own)
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def _truncate(place):
    place.write_bytes(place.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("run.json", _truncate),
        ("Tiny-A.json", _truncate),
        ("Tiny-A.json", Path.unlink),
        ("selftest.json", _truncate),
        ("selftest.json", Path.unlink),
        ("run.json", lambda place: place.write_text('{"schema": 99}')),
        ("run.json", lambda place: place.write_text("[]")),
    ],
)
def test_damaged_evidence_is_refused(file, damage, write, tmp_path):
    """Evidence that is damaged, truncated or of another schema is refused by name."""
    place = tmp_path / "evidence"
    evidence.write(run("one"), place)
    damage(evidence.write(run("two", selftest=True), place) / file)
    with pytest.raises(DamagedEvidence, match=f"two-cpu/{file}"):
        write(evidence.read(place))
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("runs", "message"),
    [([run("one", record("Huge"))], "no network 'Huge'"), ([run(), run()], "two runs are called")],
)
def test_evidence_that_fits_nothing_is_refused(runs, message, documents):
    """A network that the reference does not know, or a second run of one name, is refused."""
    with pytest.raises(DamagedEvidence, match=message):
        results(runs, documents)


def test_only_own_files_are_replaced(write, tmp_path):
    """Pages that are no longer written go; what no report wrote stays."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report/notes.md").write_text("mine")
    (tmp_path / "report/gone.md").write_text(f"{markdown.MARK}\n\nold")
    assert sorted(write([run()])) == [
        "badge.json",
        "index.md",
        "ledger.csv",
        "ledger.md",
        "notes.md",
        "precisions.md",
        "results.json",
        "selftest.md",
        "tiny.md",
        "variants.md",
    ]


def test_a_stranger_in_the_way_is_refused(write, tmp_path):
    """A page is not put in the place of a file that no report wrote."""
    write([run()])
    (tmp_path / "report/tiny.md").write_text("mine")
    before = (tmp_path / "report/index.md").read_bytes()
    with pytest.raises(folder.NotOurs, match=r"tiny\.md"):
        write([run("one"), run("two")])
    assert (tmp_path / "report/tiny.md").read_text() == "mine"
    assert (tmp_path / "report/index.md").read_bytes() == before


def test_an_interruption_leaves_the_old_report(write, tmp_path, monkeypatch):
    """Ctrl-C while pages are being written changes nothing."""
    before = write([run()])
    whole = Path.write_text

    def interrupted(path, *arguments, **options):
        if path.name == "results.json":
            raise KeyboardInterrupt
        return whole(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write([run("one"), run("two")])
    assert {path.name: path.read_text() for path in (tmp_path / "report").iterdir()} == before


def stable(value):
    """Results without what may differ between two machines that agree."""
    if isinstance(value, dict):
        local = ("measured", "environment")
        return {key: stable(each) for key, each in value.items() if key not in local}
    return [stable(each) for each in value] if isinstance(value, list) else value


def test_published_report_is_what_the_evidence_says(runs):
    """The committed results are those of this evidence, measured errors and versions aside."""
    published = json.loads((PUBLISHED / "results.json").read_text(encoding="utf-8"))
    found = json.loads(dumped(results(runs)))
    again = "write it anew: tox run -e report"
    assert [each["name"] for each in published["runs"]] == [each.name for each in runs], again
    for key in found:
        assert stable(published[key]) == stable(found[key]), f"{key}: {again}"
