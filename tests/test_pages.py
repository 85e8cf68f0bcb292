"""Pages beside the networks': self-test and variants; and pages that the command line writes."""

import re
from typing import Any

import pytest
from msgspec import structs

from conformance import errors as codes
from conformance.cli import main
from conformance.judge.record import evidence
from conformance.judge.record.modes import compared
from conformance.reference.variants import profiles
from conformance.reports import curves, markdown, site
from conformance.reports.results import results
from tests.selftest.tiny import PROFILE, REFERENCE, mutant, record, run, tally, thorough
from tests.test_check import SMALLEST

ELSEWHERE: dict[str, Any] = {"at_layer": False, "by_word": False, "said": "fc: bias"}
SURVIVES: dict[str, Any] = {**ELSEWHERE, "killed": False, "said": "nothing"}

#: Self-tests, and what the page has to say of them: where the counts stand, and below them.
TOLD = {
    "not run": (None, "No run has judged the wrong models"),
    "caught": (tally(mutant()), "| two | 1 of 1 | 1 | 1 | 1 | 0 of 2 networks | > 1e9 bounds |"),
    "elsewhere": (
        tally(mutant(**ELSEWHERE)),
        "- two: wide in Tiny-A elsewhere: planted is conv1: width, said is fc: bias",
    ),
    "survives": (
        tally(mutant(**SURVIVES)),
        "- two: wide in Tiny-A survives: planted is conv1: width, said is nothing",
    ),
    "half of them": (tally(mutant(), planned=2), "- two: 1 wrong model that a check looks at were"),
    "no check": (tally(mutant(), unjudged=["deep"]), "- two: no check looks at deep"),
    "alarms": (tally(mutant(), false_alarms=3), "- two: 3 findings on right networks"),
    "no numbers": (tally(mutant(), separation=None), "0 of 2 networks | not run |"),
}


@pytest.fixture
def documents(tmp_path):
    """A reference of two tiny networks and a variant."""
    place = tmp_path / "reference"
    (place / "profiles").mkdir(parents=True)
    (place / "tiny.md").write_text(REFERENCE)
    (place / "profiles/tiny.md").write_text(PROFILE)
    return place


@pytest.fixture
def write(documents, tmp_path):
    """Writes a report and a site of two runs, of which the second has a self-test, into folders."""

    def written(selftest):
        second = run("two")
        second.selftest = selftest
        evidence.write(run("one"), tmp_path / "evidence")
        evidence.write(second, tmp_path / "evidence")
        runs = evidence.read(tmp_path / "evidence")
        for name, target in (("report", markdown), ("site", site)):
            target.write(results(runs, documents), runs, tmp_path / name, documents)
        return tmp_path

    return written


@pytest.mark.bare
@pytest.mark.parametrize(("selftest", "said"), TOLD.values(), ids=TOLD)
def test_the_self_test_is_told_as_it_went(selftest, said, write):
    """What was missed is on both pages with the reason, and what was not run is no pass."""
    place = write(selftest)
    page = (place / "report/selftest.md").read_text(encoding="utf-8")
    assert re.sub(r" +", " ", said) in re.sub(r" +", " ", page)
    html = (place / "site/selftest.html").read_text(encoding="utf-8")
    if said.startswith(("- ", "No run")):
        assert said.removeprefix("- ") in html
    if selftest:
        assert "| one | not run |" in re.sub(r" +", " ", page)
        assert '<th scope="row">one</th><td class="n">not run</td>' in html
    front = (place / "report/index.md").read_text(encoding="utf-8")
    killed = sum(each["killed"] for each in selftest["mutants"]) if selftest else 0
    everyone = selftest["planned"] + len(selftest["unjudged"]) if selftest else 0
    two = f"two {killed} of {everyone}" if selftest else "two not run"
    assert f"[Self-test](selftest.md), wrong models killed: one not run, {two}." in front
    assert f"wrong models killed: one not run, {two}" in (place / "site/index.html").read_text()


@pytest.mark.bare
def test_every_variant_is_told(tmp_path):
    """Both pages have each known variant once, with all of its differences."""
    site.write(results([]), [], tmp_path / "site")
    markdown.write(results([]), [], tmp_path / "report")
    html = (tmp_path / "site/variants.html").read_text(encoding="utf-8")
    page = (tmp_path / "report/variants.md").read_text(encoding="utf-8")
    assert len(set(re.findall(r'<h3 id="([^"]+)"', html))) == len(profiles()) > 0
    assert len(set(re.findall(r'<a id="([^"]+)"', page))) == len(profiles())
    differences = sum(len(each.differences) for each in profiles())
    heads = len(re.findall("<thead>", html))
    assert len(re.findall("<tr>", html)) - heads == differences
    assert len(re.findall(r"^\|", page, re.MULTILINE)) - 2 * heads == differences


@pytest.mark.bare
def test_each_mode_has_its_plot(documents, tmp_path):
    """Values and gradients, in inference and in training, are plotted where they were compared."""
    runs = [run("one", thorough(), record("Tiny-B"))]
    site.write(results(runs, documents), runs, tmp_path / "site", documents)
    plots = {
        name: re.findall(
            r'id="errors-([\w-]+)"', (tmp_path / f"site/networks/{name}.html").read_text("utf-8")
        )
        for name in ("Tiny-A", "Tiny-B")
    }
    every = ["inference", "training", "gradients", "training-gradients"]
    assert plots == {"Tiny-A": every, "Tiny-B": ["inference"]}


@pytest.mark.bare
def test_a_node_is_drawn_by_its_worst_gradient():
    """Of a node's slots the one nearest to its bound stands for it, in whatever order."""
    first, *others = compared(thorough())["gradients"].results
    wrong = structs.replace(first, error=1e-3), *others
    found = compared(thorough(slots=wrong))["gradients"]
    curve = curves.of("one", found)
    assert curve.nodes == (0, 1, 4)
    assert curve.errors == (1e-14, 1e-14, 1e-3)


# On the command line.


@pytest.fixture
def gate(room, tmp_path):
    """Gates our own smallest network as if it were a stranger's; options come last."""
    port = tmp_path / "port.py"
    port.write_text(
        "from conformance import reference\n"
        "from conformance.ports import implementations as frameworks\n"
        f"network = frameworks.factory({room!r}, reference.find({SMALLEST.name!r}))\n"
        "def crash():\n"
        "    import os\n"
        "    os._exit(7)\n"
    )

    def gated(*options, factory="network"):
        arguments = ("--framework", room, "--arch", SMALLEST.name, "--no-numbers", *options)
        return main(["gate", f"{port}:{factory}", *map(str, arguments)])

    return gated


@pytest.fixture
def found(tmp_path):
    """Evidence of a run without a network: what is left is the documents' arithmetic."""
    evidence.write(evidence.Run("one", "cpu", {}, 0, "c0de"), tmp_path / "evidence")
    return str(tmp_path / "evidence")


def test_gate_writes_a_page(gate, tmp_path):
    """The page has the port's name, its verdict and both graphs."""
    assert gate("--html", tmp_path / "port.html") == codes.CONFORMS
    html = (tmp_path / "port.html").read_text(encoding="utf-8")
    assert "port.py:network" in html
    assert html.count('<svg class="graph"') > 1


def test_gate_tells_of_a_port_that_crashed(gate, tmp_path, capsys):
    """A port that ends its process is inconclusive, with a page or in one line."""
    assert gate("--html", tmp_path / "port.html", factory="crash") == codes.INCONCLUSIVE
    printed = capsys.readouterr()
    assert "exit code 7" in printed.out + printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(("target", "said"), [(".", "it is a folder"), ("no/p.html", "no folder")])
def test_gate_refuses_a_bad_target_at_once(target, said, gate, tmp_path, monkeypatch, capsys):
    """One line says what is wrong before the port is even started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("conformance.cli.gate.apart", None)
    assert gate("--html", target) == codes.USAGE
    printed = capsys.readouterr()
    assert said in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["port.py"]


@pytest.mark.bare
def test_report_writes_pages(found, tmp_path, capsys):
    """Markdown and a site, and where to begin."""
    arguments = ["--out", str(tmp_path / "report"), "--html", str(tmp_path / "site")]
    assert main(["report", found, *arguments]) == codes.CONFORMS
    assert "open index.html" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"index.md", "selftest.md", "variants.md"} <= names
    assert (tmp_path / "site/selftest.html").is_file()


@pytest.mark.bare
@pytest.mark.parametrize(
    ("target", "said"),
    [("port.txt", "port.txt: File exists"), ("mine", "no report wrote notes.txt")],
)
def test_report_refuses_a_bad_target(target, said, found, tmp_path, capsys):
    """One line names the file in the way, and nothing is changed."""
    (tmp_path / "port.txt").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    assert main(["report", found, "--html", str(tmp_path / target)]) == codes.USAGE
    printed = capsys.readouterr()
    assert said in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
