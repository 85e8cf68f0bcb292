"""Rows of a table of commands, run side by side: each in a process of its own, in its own folder.

The processes are forked from one that has imported what the commands need, so that a row costs what
it does and no more; of a row with a framework the port's process is too, and has that imported.  A
row adopts what its command leaves behind, and says what that is.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: Seconds that a row may take, and that what it has ended may take to go.
LONGEST, PATIENCE = 100, 5

_processes = get_context("forkserver")
_COMMANDS = "cli.check cli.compare cli.report cli.convert judge.published judge.gate reports.site"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a row's command ended: its code, both streams, and the processes that it has left."""

    code: int
    out: str
    err: str
    left: str


class Table:
    """Rows by any key, the first of which are begun before anybody asks for them."""

    def __init__(self, keys: Iterable[Hashable], begin: Callable[[Any], Any]) -> None:
        self.waiting, self.begin = deque(keys), begin
        self.running: dict[Any, Any] = {}
        self.ended: set[Any] = set()

    def wait(self, key: Hashable) -> None:
        """Until this row has ended, with as many beside it as there are processors."""
        if key in self.waiting:
            self.waiting.remove(key)
            self.waiting.appendleft(key)
        elif key not in self.running and key not in self.ended:
            self.waiting.appendleft(key)
        while key not in self.ended:
            while self.waiting and len(self.running) < (os.cpu_count() or 1):
                first = self.waiting.popleft()
                self.running[first] = self.begin(first)
            connection.wait([each.sentinel for each in self.running.values()])
            for each in [each for each, row in self.running.items() if not row.is_alive()]:
                self.running.pop(each).close()
                self.ended.add(each)


def load(frameworks: Iterable[str]) -> None:
    """Have these and the commands imported before the first row begins."""
    ours = (f"conformance.{name}" for name in (*_COMMANDS.split(), "ports.supervisor"))
    _processes.set_forkserver_preload([*ours, *frameworks])


def begun(command: str, shell: str, place: Path, warm: bool = False) -> Any:
    """The process of a row.  ``conformance`` in the shell's text is the command.

    ``warm`` has the port's process forked as well, where it would be a new interpreter.
    """
    process = _processes.Process(target=_row, args=(command, shell, place, warm))
    process.start()
    return process


def result(place: Path) -> Ended:
    """What a row has left beside its folder."""
    code, left = place.with_suffix(".code").read_text().split("\n", 1)
    out, err = (place.with_suffix(f".{n}").read_bytes().decode(errors="replace") for n in (1, 2))
    return Ended(int(code), out, err, left)


class _Forked(subprocess.Popen[bytes]):
    """The process that a new interpreter would be, without its start."""

    # fmt: off
    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any,
                       pass_fds: Any, cwd: Any, env: Any, startupinfo: Any, flags: Any, shell: Any,
                       given: int, ours: int, told: int, result: int, *_: Any) -> None:
        # fmt: on
        from conformance.ports import supervisor

        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            os.dup2(given, 0)
            os.dup2(result, 1)
            os.closerange(3, pass_fds[0])
            os.closerange(pass_fds[0] + 1, 256)
            os.environ.clear()
            os.environ.update(env)
            try:
                supervisor.main(pass_fds[0])
            finally:
                os._exit(0)
        self._child_created = True
        os.close(given)
        os.close(result)


def _row(command: str, shell: str, place: Path, warm: bool) -> None:
    from conformance import files
    from conformance.ports import supervisor

    os.chdir(place)
    scratch = place.with_suffix(".tmp")
    scratch.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
    os.environ["PYTHONPATH"] = str(ROOT)
    files.PATIENCE = 0.3
    supervisor._linux(supervisor.SUBREAPER, 1)
    if warm and not shell:
        subprocess.Popen = _Forked  # type: ignore[assignment, misc]
    for number in (1, 2):
        os.dup2(os.open(place.with_suffix(f".{number}"), os.O_CREAT | os.O_WRONLY), number)
    code = _shell(shell) if shell else _command(command)
    place.with_suffix(".code").write_text(f"{code}\n{_left(scratch)}")


def _command(text: str) -> int:
    from conformance.cli import main

    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    code = main(shlex.split(text))
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _shell(text: str) -> int:
    command = f'conformance() {{ {shlex.quote(sys.executable)} -m conformance "$@"; }}'
    return subprocess.run(["bash", "-c", f"{command}\n{text}"], timeout=LONGEST).returncode


def _left(scratch: Path) -> str:
    """Processes and temporary files that are there still."""
    import psutil

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.005)
        except ChildProcessError:
            break
    there = [" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)]
    return "\n".join([*there, *map(str, scratch.iterdir())])
