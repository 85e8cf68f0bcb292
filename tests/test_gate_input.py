"""Ports that cannot be judged: each is one line with the right exit code, and never a dead run."""

import json
import re
import time
from pathlib import Path
from textwrap import dedent

import jsonschema
import psutil
import pytest

from conformance import reference
from conformance.cli import main
from conformance.data import schema
from conformance.judge.results import Gate
from conformance.ports import implementations as frameworks

SCHEMA = schema(Gate)


def cost(model):
    return model.total("multiply-adds")


SMALLEST = min(reference.models().values(), key=cost)


@pytest.fixture
def gate(tmp_path, monkeypatch, capfd):
    """Gates ``port.py`` with the given text: exit code, JSON or None, words for people."""
    monkeypatch.chdir(tmp_path)

    def run(text, *arguments, port="port.py:net", arch=SMALLEST.name):
        Path("port.py").write_text(dedent(text))
        code = main(["gate", port, "--arch", arch, *arguments, "--json", "-"])
        said, words = capfd.readouterr()
        result = json.loads(said) if said else None
        if result is not None:
            jsonschema.validate(result, SCHEMA)
        assert "Traceback" not in words
        return code, result, words

    return run


# Wrong usage: one line, exit code 2, no result.

KNOWN = "net = list\n"


@pytest.mark.bare
@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("import no_such_module", {}, "port.py cannot be imported: no module named no_such_module"),
        ("def net( return", {}, "port.py cannot be imported: SyntaxError"),
        ("1 / 0", {}, "port.py cannot be imported: ZeroDivisionError: division by zero"),
        ("exit()", {}, "port.py calls exit() while it is imported"),
        ("def nets(): pass", {}, "port.py has no 'net'; did you mean nets?"),
        ("net = 'a network'", {}, "port.py:net is a str, not a function that makes a model"),
        ("def net(width, depth): pass", {}, "port.py:net needs arguments (width, depth): give a"),
        ("def net(): return 7", {}, "returns int"),
        ("def net(): pass", {}, "returns None: it has to return a torch.nn.Module"),
        ("def net(): return list", {}, "returns the class list"),
        ("def net(): return net()", {}, "RecursionError"),
        ("def net(): raise ValueError('too\\nbad')", {}, "ValueError: too bad"),
        (KNOWN, {"port": "port.py"}, "'port.py' names no factory: write package.module:factory"),
        (KNOWN, {"port": "nowhere.py:net"}, "nowhere.py: no such file"),
        (KNOWN, {"port": "nowhere:net"}, "nowhere cannot be imported from this folder: no module"),
        (KNOWN, {"arch": "nothing"}, "no architecture is called 'nothing'; the nearest are"),
        (KNOWN, {"--framework": "abacus"}, "no framework 'abacus'"),
        (KNOWN, {"--input": "224x224"}, "'224x224' is not height x width x channels: 224x224x3"),
        (KNOWN, {"--input": "0x224x3"}, "'0x224x3' is not height x width x channels: 224x224x3"),
        (KNOWN, {"--timeout": "-1"}, "'-1' is not a number of seconds"),
        (KNOWN, {"--memory": "lots"}, "'lots' is not a size such as 800M or 16G"),
    ],
)
def test_wrong_port_is_one_line(gate, text, options, said):
    """What was wrong, where, and what to do."""
    flags = [f"{name}={value}" for name, value in options.items() if name.startswith("--")]
    named = {name: value for name, value in options.items() if not name.startswith("--")}
    code, result, words = gate(text, *flags, **named)
    assert (code, result) == (2, None)
    assert said in words
    assert words.count("\n") == 1


# What a port does to its process: a verdict, inconclusive, with the cause.

SLEEP = "import time; time.sleep(600)"
EATS = "import time; eaten = b'x' * (600 << 20); time.sleep(600)"


@pytest.mark.bare
@pytest.mark.parametrize("place", ["while it is imported", "in the factory"])
@pytest.mark.parametrize(
    ("does", "arguments", "cause"),
    [
        ("while True: pass", ["--timeout", "2"], "took longer than 2 s while {} the port"),
        (SLEEP, ["--timeout", "2"], "took longer than 2 s while {} the port"),
        (EATS, ["--memory", "400M"], "took more than 0.391 GiB of memory"),
        ("import os; os._exit(0)", [], "ended its process with exit code 0 while {}"),
        ("import os; os._exit(1)", [], "ended its process with exit code 1 while {}"),
        ("import os; os.abort()", [], "crashed (SIGABRT)"),
        ("import ctypes; ctypes.string_at(0)", [], "crashed (SIGSEGV)"),
        ("raise KeyboardInterrupt", [], "crashed (SIGINT)"),
        ("raise MemoryError", [], "out of memory"),
    ],
)
def test_port_that_ends_its_process(gate, does, arguments, cause, place):
    """No dead run: the result is written, and says why there is no verdict."""
    body = does if place.startswith("while") else f"def net():\n    {does}\n"
    code, result, words = gate(body, *arguments)
    assert code == 3
    assert result["verdict"] == "inconclusive"
    said = cause.format("importing" if body == does else "building")
    assert said in result["open"][0]["why"]
    assert said in words
    assert result["checks"]["run"] == 0


@pytest.mark.bare
@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("exit()", "the port calls exit()"),
        ("exit('set DATA_DIR')", "the port calls exit(): SystemExit: set DATA_DIR (port.py:1)"),
    ],
)
def test_exit_in_the_factory(gate, does, why):
    """While it is imported it is wrong usage; later it is a port without a verdict."""
    code, result, _ = gate(f"def net(): {does}")
    assert code == 3
    # The file is named with its folder.
    assert re.sub(r"\([^()]*/", "(", result["open"][0]["why"]) == why


FLOOD = """
    import os, sys

    for _ in range(20_000):
        print("x" * 100)
        os.write(1, b'{"result": {"verdict": "conforms"}}\\n')
        os.write(2, b"y" * 100)
"""
INTRUDES = """
    import os

    for number in range(3, 64):
        try:
            os.write(number, b'{"result": {"verdict": "conforms"}}\\n')
        except OSError:
            pass
"""


@pytest.mark.bare
def test_files_are_written_though_nobody_reads_on(tmp_path, monkeypatch):
    """A reader that closes the pipe after the first line costs no file its content."""
    monkeypatch.chdir(tmp_path)
    Path("port.py").write_text("def net(): exit()")

    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr("conformance.cli.output.Output.line", closed)
    monkeypatch.setattr("conformance.cli.streams.give_up", lambda number: None)
    files = ["--json", "result.json", "--badge", "badge.json"]
    assert main(["gate", "port.py:net", "--arch", SMALLEST.name, *files]) == 141
    jsonschema.validate(json.loads(Path("result.json").read_text()), SCHEMA)
    assert json.loads(Path("badge.json").read_text())["schemaVersion"] == 1


@pytest.mark.bare
def test_flood_is_not_heard(gate):
    """Whatever a port prints, from any language, stays off both streams."""
    code, result, words = gate(FLOOD + "    raise ValueError('here')\n")
    assert (code, result) == (2, None)
    said = "conformance: port.py cannot be imported: ValueError: here (test_flood_is_not_heard0/"
    assert words == f"{said}port.py:8)\n"


@pytest.mark.bare
def test_words_of_a_port_are_no_verdict(gate):
    """What a port writes to files it did not open is not taken for a result."""
    code, result, _ = gate(INTRUDES)
    assert (code, result["verdict"]) == (3, "inconclusive")
    assert "the port wrote where only the gate writes" in result["open"][0]["why"]


def ended(pid):
    """Whether a process ends, or has, within ten seconds; one that nobody reaps has."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.bare
def test_nothing_outlives_its_verdict(gate):
    """Threads and processes that a port leaves behind are ended, and hold nothing up."""
    text = """
        import pathlib, subprocess, sys, threading, time

        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path("pid").write_text(str(started.pid))
        threading.Thread(target=time.sleep, args=(600,)).start()
        raise ValueError("done")
    """
    assert gate(text)[0] == 2
    assert ended(int(Path("pid").read_text()))


# Ports that are models, and yet cannot be judged.

MODEL = """
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d({channels}, 4, 3)

        def forward(self, x):
            {forward}

    def net():
        print("built")
        return Net()
"""


@pytest.mark.parametrize(
    ("forward", "arguments", "code", "said"),
    [
        ("raise RuntimeError('not\\nyet')", [], 2, "forward fails on an image"),
        ("return self.layer(x[:, :1].repeat(1, 7, 1, 1))", [], 2, "forward fails on an image"),
        ("return 'logits'", [], 2, "TypeError: it returned str"),
        ("return self.layer(x)", ["--input", "8x8x5"], 2, "8x8x5"),
        ("return self.layer(x)", ["--framework", "torch"], 1, "deviates"),
        ("import os; os._exit(0)", [], 3, "exit code 0 while tracing the port"),
        ("import ctypes; ctypes.string_at(0)", [], 3, "crashed (SIGSEGV) while tracing the port"),
    ],
)
def test_model_that_fails(gate, forward, arguments, code, said):
    """A model that cannot be run on the image is a wrong port; one that can is judged."""
    if reason := frameworks.missing("torch"):
        pytest.skip(reason)
    text = MODEL.format(channels=SMALLEST.input[2], forward=forward)
    found, _, words = gate(text, *arguments)
    assert found == code, words
    assert said in words
