"""The process between a command and a port: it starts the port's process and leaves none behind.

    command ── a line with the job, then open as long as the result is wanted ──> supervisor
    command <── how the worker ended, once all that it had started has ended ── supervisor
    command <────────────── lines of JSON, on a pipe of their own ─────────────── worker

On Linux orphans become the supervisor's children, whatever session they have made for themselves;
elsewhere it ends those that it has seen, and one that forks twice within a look may escape.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

from conformance.files import clear
from conformance.ports import worker

#: How often descendants are looked for, and how long their end is waited for, in seconds.
LOOK, PATIENCE = 0.5, 5.0

#: Linux: the signal that a process gets when its parent dies; orphans are adopted by it.
PDEATHSIG, SUBREAPER = 1, 36


def main(pipe: int) -> None:
    """Do the job on standard input in a process of its own, end it, and say how it ended."""
    _linux(SUBREAPER, 1)
    _linux(PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    if not (line := _line()).endswith(b"\n"):  # the command has gone before it said what to do
        return
    job = json.loads(line)
    own, scratch = os.getpid(), _made(job["scratch"])
    child = os.fork()
    if not child:
        signal.set_wakeup_fd(-1)
        for end in (wake, alarm):
            os.close(end)
        if scratch:
            os.environ["TMPDIR"] = tempfile.tempdir = scratch
        _become_worker(job, pipe, own)
    os.close(pipe)
    ended = Ended(child)
    while not ended.how and not _told_to_end(wake):
        ended.look()
    how = ended.how  # how it ends from here on is not its own doing
    if not how and job.get("patience"):
        ended.ask(child, job["patience"])
    ended.all()
    clear(scratch)
    with suppress(BrokenPipeError):
        os.write(1, how.encode())


def _made(scratch: str) -> str:
    """The folder for temporary files, which goes with the port; empty where none can be made."""
    try:
        os.mkdir(scratch, 0o700)
    except OSError:
        return ""
    return scratch


def _line() -> bytes:
    """A line of standard input, and nothing after it."""
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 1 << 16)):
        line += more  # after it nothing comes but the end
    return line


def _become_worker(job: dict[str, Any], pipe: int, parent: int) -> None:
    """In the forked process: undo what is the supervisor's alone, and do the job."""
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()  # a port that signals its group means its own
    _linux(PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has died in between
        os._exit(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2 if job["debug"] else null, 1)
    if not job["debug"]:
        os.dup2(null, 2)
    os.close(null)
    worker.main(job, pipe)


def _told_to_end(wake: int) -> bool:
    """Wait for a change; whether the command wants no result any more, or is no more."""
    ready, _, _ = select.select([0, wake], [], [], LOOK)
    if wake in ready and signal.SIGTERM in os.read(wake, 4096):
        return True
    return 0 in ready and not os.read(0, 4096)


class Ended:
    """The worker and what it started: reaped, and at the end made to end.

    ``how`` is the worker's exit code and the most memory that it held; empty while it runs.
    """

    def __init__(self, child: int) -> None:
        import psutil

        self.child = child
        self.how = ""
        self.psutil = psutil
        self.seen: dict[int, Any] = {}

    def look(self) -> None:
        """Reap what has ended; remember what is there, for systems without a subreaper."""
        self._reap()
        if sys.platform != "linux":
            self._living()

    def ask(self, child: int, seconds: float) -> None:
        """Let the worker clear away what it has begun to write.

        Again and again: Python sees a signal that came just before a long sleep only after it.
        """
        end = time.monotonic() + seconds
        while not self.how and time.monotonic() < end:
            os.kill(child, signal.SIGTERM)
            time.sleep(0.02)
            self._reap()

    def all(self) -> None:
        """Kill until there is nothing left to kill."""
        end = time.monotonic() + PATIENCE
        while (living := self._living()) and time.monotonic() < end:
            for process in living:
                try:
                    process.kill()
                except self.psutil.Error:  # gone, or another user's
                    continue
            time.sleep(0.005)
            self._reap()
        self._reap()

    def _living(self) -> list[Any]:
        for each in self.psutil.Process().children(recursive=True):
            self.seen.setdefault(each.pid, each)
        self.seen = {pid: each for pid, each in self.seen.items() if self._runs(each)}
        return list(self.seen.values())

    def _runs(self, process: Any) -> bool:
        try:
            return process.is_running() and process.status() != self.psutil.STATUS_ZOMBIE
        except self.psutil.Error:
            return False

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.child:
                self.how = f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}"


def _linux(option: int, value: int) -> None:
    """Set an attribute of this process where the system has it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
