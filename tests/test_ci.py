"""What other people's CI takes from the repository: the action, the hook, and their examples."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from conformance import cli, reference
from conformance.data import schema
from conformance.judge.results import Gate
from conformance.ports import implementations as frameworks
from tests.test_plugin import RIGHT, SMALLEST

pytestmark = pytest.mark.bare

ROOT = Path(__file__).parents[1]
SCHEMA = schema(Gate)


def loaded(text):
    """YAML as data; skips where nothing reads it."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(text)


def kept(name):
    """A file of the repository; skips where the package was installed without it."""
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip(f"{name} is in the repository only")
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture
def action():
    return loaded(kept("action.yml"))


@pytest.fixture
def hooks():
    return {hook["id"]: hook for hook in loaded(kept(".pre-commit-hooks.yaml"))}


@pytest.fixture
def run_gate(action, tmp_path):
    """Runs the action's script as a runner does: exit code, summary, outputs, standard error."""
    (step,) = [each for each in action["runs"]["steps"] if each.get("id") == "gate"]

    def run(**inputs):
        given = {name: each.get("default", "") for name, each in action["inputs"].items()} | inputs
        values = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], text)
            for name, text in step["env"].items()
        }
        summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
        environment = os.environ | values | {
            "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        pairs = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return ran.returncode, summary.read_text(), pairs, ran.stderr

    return run


def test_action_uses_what_it_declares(action):
    """Every input goes to the script and back comes every output."""
    steps = action["runs"]["steps"]
    used = re.findall(r"\$\{\{ (?:inputs|steps\.gate\.outputs)\.(\w+) \}\}", json.dumps(action))
    assert sorted(used) == sorted([*action["inputs"], *action["outputs"]])
    assert all(step["shell"] == "bash" for step in steps)
    for step in steps:  # an input in a script would be run as a part of it
        assert "${{" not in step["run"]


def test_action_tells_a_wrong_port(run_gate):
    """Exit code and line reach the log and the summary."""
    code, summary, outputs, words = run_gate(
        port="it.py:net", arch=SMALLEST.name, args="--timeout 60 --seed 1"
    )
    assert (code, outputs["code"]) == (2, "2")
    assert summary == words == "conformance: it.py: no such file\n"


@pytest.mark.parametrize("name", ["conformance", "token"])
def test_action_imports_nothing_of_the_project(run_gate, tmp_path, name):
    """Which may have a module of our name, or of one of Python's."""
    (tmp_path / f"{name}.py").write_text("raise ImportError")
    code, summary, _, _ = run_gate(port="it.py:net", arch=SMALLEST.name)
    assert (code, summary) == (2, "conformance: it.py: no such file\n")


def test_action_runs_nothing_that_an_input_says(run_gate, tmp_path):
    """What an input holds is an argument, whatever it holds."""
    code, summary, _, _ = run_gate(port="$(touch it);touch it:net", arch=SMALLEST.name)
    assert code == 2
    assert "$(touch it);touch it" in summary
    assert not (tmp_path / "it").exists()


def test_action_takes_no_port_for_an_option(run_gate):
    """Asking for help is no pass."""
    code, summary, _, _ = run_gate(port="--help", arch=SMALLEST.name)
    assert code == 2
    assert "'--help' names no factory" in summary


@pytest.mark.numbers
def test_action_judges_a_port(run_gate, tmp_path, framework):
    """The summary is Markdown, the result a file that the schema describes."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    (tmp_path / "it.py").write_text(RIGHT.format(framework=framework, name=SMALLEST.name))
    code, summary, outputs, _ = run_gate(
        port="it.py:net", arch=SMALLEST.name, framework=framework, json="found.json"
    )
    assert (code, outputs["code"]) == (0, "0")
    assert summary.startswith("### ✅ it.py:net")
    result = json.loads((tmp_path / outputs["json"]).read_text(encoding="utf-8"))
    jsonschema.validate(result, SCHEMA)
    assert result["verdict"] == "conforms"


def test_hook_is_a_command(hooks):
    """What the hook calls is on the command line, and gets no file names."""
    (hook,) = hooks.values()
    program, *arguments = hook["entry"].split()
    assert program == "conformance"
    options = cli.parser().parse_args([*arguments, "it.py:net", "--arch", SMALLEST.name])
    assert options.port == "it.py:net"
    assert hook["pass_filenames"] is False
    assert {"id", "name", "language", "types"} <= hook.keys()


def test_examples_fit(action, hooks):
    """The documents' examples name inputs that exist, a hook that exists, and real networks."""
    examples = re.findall(r"```yaml\n(.*?)```", kept("docs/porting.md"), re.DOTALL)
    pages = [loaded(text) for text in examples]
    steps = [
        step["with"]
        for page in pages
        for job in page.get("jobs", {}).values()
        for step in job["steps"]
        if "port" in step.get("with", {})
    ]
    configured = [
        hook for page in pages for repo in page.get("repos", ()) for hook in repo["hooks"]
    ]
    assert len(steps) == len(configured) == 1
    assert steps[0].keys() <= action["inputs"].keys()
    assert {name for name, each in action["inputs"].items() if each.get("required")} <= set(
        steps[0]
    )
    assert configured[0]["id"] in hooks
    options = cli.parser().parse_args(["gate", *configured[0]["args"]])
    for name in (steps[0]["arch"], options.arch):
        assert reference.find(name)
