"""A signal at any moment: children end, temporary folders go, and no file is half there."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from conformance import reference, signals
from conformance.judge.record import evidence

ROOT = Path(__file__).parents[1]
SMALLEST = min(reference.models().values(), key=lambda model: model.total("multiply-adds") or 0)

#: What the shell reports; SIGKILL leaves nobody to report anything else.
SIGNALS = {
    signal.SIGTERM: 143,
    signal.SIGHUP: 129,
    signal.SIGQUIT: 131,
    signal.SIGINT: 130,
    signal.SIGKILL: -signal.SIGKILL,
}

#: Leaves a child, a daemon and a daemon's child behind, says so, and never ends.
PORT = """
import os, subprocess, sys, time
from pathlib import Path

def leave():
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = subprocess.Popen(sleep, start_new_session=True).pid
    if not os.fork():
        os.setsid()
        if not os.fork():
            Path("daemon").write_text(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    while not Path("daemon").exists() or not Path("daemon").read_text():
        time.sleep(0.01)
    Path("left").write_text(f"{started} {os.getpid()} " + Path("daemon").read_text())
    while True:
        pass
"""
WHILE_IMPORTED = PORT + "\nleave()\n"
IN_THE_FACTORY = PORT + "\ndef net():\n    leave()\n"
TEST = "from conformance import port\n{}\n@port({!r})\ndef net():\n    leave()\n"
#: The same in the module itself, once it is imported where ports are.
TEST_IMPORTED = f"{TEST}\nif 'CONFORMANCE_PORT' in os.environ:\n    leave()\n"


def heard():
    """A signal that whoever started the tests ignores, as nohup does, is not ignored here."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Started:
    """Commands in a folder of their own, with one for temporary files beside it."""

    def __init__(self, place):
        self.room, self.scratch = place / "room", place / "scratch"
        self.room.mkdir()
        self.scratch.mkdir()
        self.processes = []

    def __call__(self, *arguments):
        self.processes.append(
            subprocess.Popen(
                [sys.executable, *arguments], cwd=self.room, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, preexec_fn=heard,
            )
        )  # fmt: skip
        return self.processes[-1]


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Starts commands; at the end none is left."""
    start = Started(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(start.scratch))
    yield start
    for each in start.processes:
        each.kill()
        each.communicate()


def until(happens, seconds=60):
    """Wait for something; what it is in the end."""
    end = time.monotonic() + seconds
    while not (found := happens()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def alive(pids):
    """The processes that are still there and no zombies."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


def ended(process, number, pids):
    """Send a signal; the exit code and what it said, with every process gone."""
    process.send_signal(number)
    said = process.communicate(timeout=60)
    # A process that is killed outright leaves it to its children to end.
    if number == signal.SIGKILL:
        until(lambda: not alive(pids), 15)
    assert not alive(pids)
    return process.returncode, "".join(said)


MOMENTS = {
    "starting": (IN_THE_FACTORY, lambda room, me: me.children()),
    "importing": (WHILE_IMPORTED, lambda room, me: (room / "left").exists()),
    "in the factory": (IN_THE_FACTORY, lambda room, me: (room / "left").exists()),
}


@pytest.mark.bare
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_gate(number, moment, started):
    """Nothing of the port is left, whatever it has daemonised, and no result is half there."""
    text, come = MOMENTS[moment]
    (started.room / "port.py").write_text(text)
    command = ["-m", "conformance", "gate", "port.py:net", "--arch", SMALLEST.name]
    process = started(*command, "--json", "result.json")
    me = psutil.Process(process.pid)
    assert until(lambda: come(started.room, me))
    pids = [each.pid for each in me.children(recursive=True)]
    if (started.room / "left").exists():
        pids += map(int, (started.room / "left").read_text().split())
        assert len(set(pids)) >= 4
    code, said = ended(process, number, pids)
    assert code == SIGNALS[number], said
    assert number == signal.SIGKILL or "nothing is half-written" in said
    there = {path.name for path in started.room.iterdir()}
    assert there <= {"port.py", "__pycache__", "daemon", "left"}
    assert not list(started.scratch.iterdir())


COMMANDS = {
    "identify": "identify port.py:net",
    "compare": f"compare port.py:net port.py:net --arch {SMALLEST.name} --html page.html",
    "convert": f"convert port.py:net port.py:net --arch {SMALLEST.name} --out a.safetensors",
}


@pytest.mark.bare
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_other_commands(number, command, started):
    """They run a port in the same way, and leave no file and no process either."""
    (started.room / "port.py").write_text(IN_THE_FACTORY)
    process = started("-m", "conformance", *command.split(), "--json", "result.json")
    assert until((started.room / "left").exists)
    pids = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
    pids += map(int, (started.room / "left").read_text().split())
    code, said = ended(process, number, pids)
    assert code == SIGNALS[number], said
    there = {path.name for path in started.room.iterdir()}
    assert there <= {"port.py", "__pycache__", "daemon", "left"}
    assert not list(started.scratch.iterdir())


TESTED = {
    "starting": (TEST, lambda room, me: me.children()),
    "importing": (TEST_IMPORTED, lambda room, me: (room / "left").exists()),
    "in the factory": (TEST, lambda room, me: (room / "left").exists()),
}


@pytest.mark.bare
@pytest.mark.parametrize("moment", TESTED)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_pytest(number, moment, started):
    """The same of a decorated factory; pytest says by itself that it was interrupted."""
    text, come = TESTED[moment]
    (started.room / "test_port.py").write_text(text.format(PORT, SMALLEST.name))
    plugin = ["-p", "convnet_conformance_pytest", "-p", "no:cacheprovider"]
    process = started("-B", "-m", "pytest", *plugin, "test_port.py")
    me = psutil.Process(process.pid)
    assert until(lambda: come(started.room, me))
    pids = [each.pid for each in me.children(recursive=True)]
    if (started.room / "left").exists():
        pids += map(int, (started.room / "left").read_text().split())
    code, said = ended(process, number, pids)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 2), said
    assert not list(started.scratch.iterdir())


CHECKED = {
    "starting": lambda place, me: me.children(),
    "tracing": lambda place, me: len(me.children(recursive=True)) > 1,
    "evidence in place": lambda place, me: list(place.glob("[!.]*")),
}


@pytest.mark.parametrize("moment", CHECKED)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_check(number, moment, room, started):
    """Evidence is there whole or not at all, and so is the result."""
    place, target = started.room / "evidence", started.room / "result.json"
    command = ["-m", "conformance", "check", "--framework", room, "--no-numbers"]
    process = started(*command, "--evidence", str(place), "--json", str(target))
    me = psutil.Process(process.pid)
    assert until(lambda: place.exists() and CHECKED[moment](place, me))
    pids = [each.pid for each in me.children(recursive=True)]
    code, said = ended(process, number, pids)
    assert code == SIGNALS[number], said
    assert not target.exists()
    assert not list(started.scratch.iterdir())
    assert not [path for path in place.iterdir() if path.name.startswith(".")]
    for run in evidence.read(place):
        assert run.records


@pytest.mark.bare
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda each: each.name)
def test_who_watches_the_port_is_lost(number, started):
    """Killed or stopped from outside: the gate still ends, and clears away what is left."""
    (started.room / "port.py").write_text(
        "import os, tempfile, time\nfrom pathlib import Path\ndef net():\n"
        "    Path(tempfile.gettempdir(), 'f').touch()\n    Path('left').touch()\n"
        "    time.sleep(600)\n"
    )
    script = (
        "import sys; from conformance.ports import sandbox; sandbox.PATIENCE = 0.5;"
        "from conformance.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    gate = ["gate", "port.py:net", "--arch", SMALLEST.name, "--timeout", "3"]
    process = started("-c", script, *gate)
    assert until((started.room / "left").exists)
    pids = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
    assert list(started.scratch.iterdir())
    os.kill(psutil.Process(process.pid).children()[0].pid, number)
    said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert until(lambda: not alive(pids), 5)
    assert not list(started.scratch.iterdir())


@pytest.mark.bare
@pytest.mark.parametrize("imported", ["argparse", "conformance.cli", "rich.console"])
def test_ctrl_c_while_a_command_is_imported(imported, started):
    """One line and its code, however little of the command is there yet."""
    process = started("-X", "importtime", "-m", "conformance", "facts", SMALLEST.name)
    assert next(line for line in process.stderr if line.split()[-1] == imported)
    process.send_signal(signal.SIGINT)
    said = [line for line in process.stderr if not line.startswith("import time:")]
    assert said == ["conformance: interrupted; nothing is half-written\n"]
    assert process.wait(60) == 130
    assert not process.stdout.read()


@pytest.mark.bare
def test_a_signal_that_was_to_be_ignored_is_ignored(started):
    """As under nohup: the gate goes on, and says what it was asked."""
    script = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "from conformance.cli import main;"
        "sys.exit(main(sys.argv[1:]))"
    )
    (started.room / "port.py").write_text("import time\ntime.sleep(1)\ndef net(): return 7\n")
    process = started("-c", script, "gate", "port.py:net", "--arch", SMALLEST.name, "--json", "-")
    assert until(lambda: psutil.Process(process.pid).children())
    os.kill(process.pid, signal.SIGHUP)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 2, words
    assert "returns int" in words


@pytest.mark.bare
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_what_was_begun_is_finished(number):
    """A process that is just being started is known to whoever has to end it, threads or not."""
    done = threading.Event()
    threading.Thread(target=done.wait).start()
    finished = False
    try:
        with pytest.raises(KeyboardInterrupt), signals.stopping():
            with signals.deferred():
                os.kill(os.getpid(), number)
                time.sleep(0.05)
                finished = True
            pytest.fail("the signal is lost")
    finally:
        done.set()
    assert finished
