"""The pytest plugin: a decorated factory is one test a check, and no finding is lost."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from conformance import port, reference
from conformance.data import read
from conformance.judge.checks import Check, checks, failure, unjudged
from conformance.judge.expectations import BadExpectation, is_about, row_of_node, split
from conformance.judge.finding import Finding
from conformance.judge.results import Gate
from conformance.ports import implementations as frameworks
from tests.here import work
from tests.selftest import mutants

ROOT = Path(__file__).parents[1]


def cost(model):
    return model.total("multiply-adds")


SMALLEST = min(reference.models().values(), key=cost)
ROWS = [row.name for row in SMALLEST.rows]
FIRST, SECOND = ROWS[:2]
WEIGHTED = next(row.name for row in SMALLEST.rows if row.convolutions)
EVERY = checks(SMALLEST, {})
IDS = [str(check) for check in EVERY]

#: A correct port, as a module of its own.
RIGHT = """
from conformance import reference
from conformance.ports.implementations import factory

net = factory({framework!r}, reference.find({name!r}))
"""


@pytest.fixture
def tested(tmp_path, monkeypatch):
    """Runs pytest in a porter's folder: its exit code, each test's outcome by name, its words."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(files, *arguments):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(dedent(text))
        junit = tmp_path / "junit.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "convnet_conformance_pytest",
            f"--junitxml={junit}",
        ]
        ran = subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        cases = ElementTree.parse(junit).iter("testcase") if junit.exists() else ()
        return ran.returncode, {each.get("name"): each for each in cases}, ran.stdout + ran.stderr

    return run


def told(case):
    """What a test case failed with; empty if it passed."""
    return "\n".join(each.get("message") or "" for each in case if each.tag == "failure")


def failed(cases):
    """The checks that failed, by their name in brackets."""
    names = [name for name, case in cases.items() if told(case)]
    return [name.partition("[")[2].removesuffix("]") for name in names]


# What everybody gets who installs the package.


def test_plugin_is_light():
    """It is loaded in everybody's tests: no NumPy, no framework."""
    code = "import sys, convnet_conformance_pytest; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.split())
    assert "convnet_conformance_pytest" in loaded
    assert not loaded & {"numpy", "reference", "conformance.pytest.suite", *frameworks.frameworks()}


@pytest.mark.bare
def test_plugin_takes_no_option(tested):
    """A porter's own options may be called what the suite's are called."""
    names = "framework arch device evidence seed document port".split()
    conftest = f"""
        def pytest_addoption(parser):
            for name in {names}:
                parser.addoption(f"--{{name}}", default="mine")
    """
    test = f"""
        def test_mine(pytestconfig):
            assert {{pytestconfig.getoption(name) for name in {names}}} == {{"mine"}}
    """
    code, cases, words = tested({"conftest.py": conftest, "test_it.py": test})
    assert (code, list(cases)) == (0, ["test_mine"]), words


def test_checks_are_known_before_anything_runs(tested):
    """Collecting calls no factory and imports no framework; ids read aloud."""
    text = f"""
        from conformance import port

        @port({SMALLEST.name!r})
        def net():
            raise AssertionError("it was called")
    """
    code, _, words = tested({"test_it.py": text}, "--collect-only", "-q")
    listed = [line for line in words.splitlines() if "::" in line]
    assert code == 0
    assert listed == [f"test_it.py::net[{name}]" for name in IDS]


@pytest.mark.bare
def test_decorated_factory_is_still_the_factory():
    """Its name, its docstring and what it returns are kept."""

    def net():
        """A network."""
        return 7

    made = port(SMALLEST.name)(net)
    assert (made(), made.__name__, made.__doc__) == (7, "net", "A network.")
    with pytest.raises(TypeError, match="name the architecture"):
        port(net)  # type: ignore[arg-type]


@pytest.mark.bare
def test_wrong_option_is_told_when_collecting(tested):
    """One line, no traceback, and pytest does not go on as if nothing had been asked."""
    name = repr(SMALLEST.name)
    wrong = {
        "'no such network'": "no architecture is called 'no such network'; the nearest are",
        f"{name}, framework='abacus'": "no framework 'abacus'",
        f"{name}, expect={{'nowhere stride': 'why'}}": "'nowhere stride' names no place",
        f"{name}, expect={{'{FIRST} stride': ' '}}": "stride' is expected without a reason",
        f"{name}, expect={{'stride': 'why'}}": "'stride' names no place: write row and attribute",
    }
    texts = [f"import conformance\nnet = conformance.port({each})(list)\n" for each in wrong]
    files = {f"test_{number}.py": text for number, text in enumerate(texts)}
    code, _, words = tested(files)
    assert code == pytest.ExitCode.INTERRUPTED
    assert [said for said in wrong.values() if said not in words] == []
    assert "Traceback" not in words


@pytest.mark.bare
def test_port_needs_an_architecture(tested):
    """``--port`` says what is missing."""
    code, _, words = tested({}, "--pyargs", "conformance", "--port", "it.py:net")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "--port is held against one --arch, here are 0" in words


@pytest.mark.bare
def test_unjudged_port_fails_every_check(tested):
    """The cause is told once, and nothing passes."""
    text = f"""
        from conformance import port

        @port({SMALLEST.name!r})
        def net():
            return 7
    """
    code, cases, words = tested({"test_it.py": text})
    assert (code, failed(cases)) == (1, IDS)
    messages = [told(case) for case in cases.values()]
    assert "int" in messages[0]
    assert messages[1:] == [f"not judged, see net[{IDS[0]}]"] * (len(IDS) - 1)


# What a check says of a result.


def result(**changes):
    """A result in which everything ran and nothing was found."""
    forward = {"compared": 3, "error": 1e-15, "bound": 1e-10, "first_divergence": None}
    data = {
        "schema": 1, "port": "net.py:net", "framework": "torch", "architecture": "Net",
        "verdict": "conforms", "variant": None, "variants": [], "another": None, "nearly": [],
        "findings": [], "expected": {}, "open": [], "unjudged": [], "remarks": [],
        "totals": {"parameters": 1, "multiply_adds": 2, "layers": 3}, "numbers": True,
        "forward": forward, "checks": {"planned": 9, "run": 9},
    }  # fmt: skip
    return read(data | changes, Gate)


def finding(check, node, attribute="stride"):
    return {
        "check": check, "node": node, "port_node": "a.b (net.py:7)", "kind": "conv",
        "attribute": attribute, "expected": (1, 1), "found": (2, 2), "hint": "", "source": "",
    }  # fmt: skip


def made(*of):
    return Finding(**finding(*of))


def reason(check):
    return {"check": check, "why": "it cannot be read"}


def failing(found):
    return [str(check) for check in EVERY if failure(check, found, EVERY)]


PARTED = {
    "compared": 3, "error": 1e-3, "bound": 1e-10, "first_divergence": f"{SECOND}/1/2",
    "port_node": "a.b", "before": 1e-15,
}  # fmt: skip
ALL_FORWARD = [name for name in IDS if name.startswith("forward")]


@pytest.mark.bare
@pytest.mark.parametrize(
    ("found", "fail"),
    [
        (result(), []),
        (result(findings=[finding("structure", f"{FIRST}/1/2")]), [f"structure {FIRST}"]),
        (result(findings=[finding("training", f"after {FIRST} relu")]), [f"training {FIRST}"]),
        (result(findings=[finding("initialisation", WEIGHTED)]), [f"initialisation {WEIGHTED}"]),
        (result(findings=[finding("structure", "softmax")]), ["elsewhere"]),
        (result(findings=[finding("shape", FIRST)]), ["elsewhere"]),
        (result(findings=[finding("weights", FIRST)]), ["elsewhere"]),
        (result(open=[reason("operation")]), [*ALL_FORWARD, "complete"]),
        (result(checks={"planned": 9, "run": 8}), ["complete"]),
        (result(checks={"planned": 0, "run": 0}), ["complete"]),
        (result(forward=None), ALL_FORWARD),
        (result(forward=PARTED), ALL_FORWARD[1:]),
        (
            result(open=[reason("training")]),
            [*(name for name in IDS if name.startswith("training")), "complete"],
        ),
    ],
)
def test_check_fails(found, fail):
    """A finding fails the check of its row; what did not run fails too."""
    assert failing(found) == fail


@pytest.mark.bare
@pytest.mark.parametrize("kind", ["training", "initialisation"])
def test_what_a_port_cannot_show_is_skipped(kind):
    """What a kind of port cannot show is skipped with the gate's sentence."""
    found = result(unjudged=[reason(kind)])
    skipped = [str(check) for check in EVERY if unjudged(check, found)]
    assert skipped == [name for name in IDS if name.startswith(kind)]


@pytest.mark.bare
def test_expectation_that_no_longer_occurs_fails():
    """It is about its own attribute in its own row or node, and fails where nothing is left."""
    name = f"{FIRST} stride"
    check = Check("expected", name)
    assert failure(check, result(expected={name: []}), EVERY) == [
        f"{name} no longer occurs: take it out of what is expected"
    ]
    assert not failure(check, result(expected={name: [finding("structure", FIRST)]}), EVERY)
    assert is_about(name, made("structure", f"{FIRST}/1/2 relu"), ROWS)
    assert not is_about(name, made("structure", f"{FIRST}/1/2", "padding"), ROWS)
    assert not is_about(name, made("structure", f"{SECOND}/1/2"), ROWS)
    assert not is_about(f"{FIRST}/1/2 stride", made("structure", f"{FIRST}/1/3"), ROWS)
    with pytest.raises(BadExpectation):
        split(f"{FIRST}x stride", ROWS)


@pytest.mark.bare
def test_longest_row_owns_a_node():
    """A row whose name begins another's name does not take its nodes."""
    rows = ["fc", "fc 2", "fc 2/b"]
    owners = [row_of_node(node, rows) for node in ("fc/1", "fc 2/1", "fc 2/b/1 relu", "fc2")]
    assert owners == ["fc", "fc 2", "fc 2/b", ""]


# Real ports.


def gate(port, architecture):
    job = {
        "task": "judge.gate", "port": port, "architecture": architecture, "framework": None,
        "size": None, "seed": 0, "numbers": True, "trained": False, "drawing": False,
        "debug": False,
    }  # fmt: skip
    return work(job, None, part=lambda _: None)


@pytest.mark.numbers
def test_correct_port_passes_everything(tested, room):
    """Also in a class, in a package with relative imports, and beside ordinary tests."""
    test = f"""
        from conformance import port
        from .nets import net

        class TestPorts:
            mine = port({SMALLEST.name!r})(net)

        def test_ordinary():
            pass
    """
    right = RIGHT.format(framework=room, name=SMALLEST.name)
    files = {"tests/__init__.py": "", "tests/nets.py": right, "tests/test_it.py": test}
    code, cases, words = tested(files)
    assert code == 0, words
    assert list(cases) == [*(f"mine[{name}]" for name in IDS), "test_ordinary"]
    verdict = cases["mine[complete]"].find("properties/property[@name='verdict']")
    assert verdict is not None and verdict.get("value") == "conforms"
    few = tested({}, "-k", FIRST, "-m", "conformance", "--collect-only", "-q")[2]
    assert few.count("test_it.py::") == sum(FIRST in name for name in IDS)


@pytest.mark.numbers
def test_whole_suite_is_the_ports_with_port(tested, room):
    """``pytest --pyargs conformance --port`` runs its checks and nothing else."""
    files = {"it.py": RIGHT.format(framework=room, name=SMALLEST.name)}
    arguments = ["--pyargs", "conformance", "--port", "it:net", "--arch", SMALLEST.name]
    code, cases, words = tested(files, *arguments, "--framework", room)
    assert code == 0, words
    assert list(cases) == [f"it:net[{name}]" for name in IDS]


@pytest.mark.numbers
def test_every_finding_of_a_wrong_port_fails_a_test(tested, room, tmp_path):
    """What the gate finds is told; expected, it passes, and its reason is in the JUnit file."""
    name, mutant = min(
        ((n, m) for n, m in mutants(room).items() if m.numbers),
        key=lambda each: cost(reference.find(each[1].architecture)),
    )
    wrong = f"""
        from conformance import port
        from tests.selftest import mutants

        wrong = mutants({room!r})[{name!r}].wrong
        net = port({mutant.architecture!r})(wrong)
    """
    code, cases, words = tested({"test_it.py": wrong})
    found = gate(str(tmp_path / "test_it.py:net"), mutant.architecture)
    assert code == 1, words
    assert f"structure {mutant.layer}" in failed(cases)
    assert f"forward {mutant.layer}" in failed(cases)
    messages = "\n".join(map(told, cases.values()))
    assert found["findings"]
    for each in found["findings"]:
        assert each["node"] in messages
        assert each["attribute"] in messages

    rows = [row.name for row in reference.find(mutant.architecture).rows]
    keys = {f"{row_of_node(f['node'], rows)} {f['attribute']}": "ours" for f in found["findings"]}
    meant = wrong.replace(")(wrong)", f", expect={keys})(wrong)")
    code, cases, words = tested({"test_it.py": meant})
    assert code == 0, words
    reasons = [p.get("value") for p in ElementTree.parse(tmp_path / "junit.xml").iter("property")]
    assert reasons.count("ours") == len(keys)


@pytest.mark.numbers
def test_two_workers_find_the_same(tested, room):
    """Under xdist every check runs once, wherever."""
    if find_spec("xdist") is None:
        pytest.skip("pytest-xdist is not installed")
    text = RIGHT.format(framework=room, name=SMALLEST.name) + dedent(f"""
        from conformance import port
        net = port({SMALLEST.name!r})(net)
    """)
    code, cases, words = tested({"test_it.py": text}, "-n", "2", "--dist", "loadgroup")
    assert code == 0, words
    assert sorted(name.partition("@")[0] for name in cases) == sorted(f"net[{i}]" for i in IDS)
