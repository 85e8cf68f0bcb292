"""A job done in a process of its own, with a limit on its time and on its memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from conformance import boot
from conformance.errors import FAULT, INCONCLUSIVE, Refused

#: How often memory is looked at, in seconds.
LOOK = 0.2

Json = dict[str, Any]


@dataclass(slots=True)
class Limits:
    """Seconds and bytes that a port may take; None for no limit."""

    seconds: float | None = 600.0
    memory: int | None = None


class Ended(Refused):
    """The port ended its process, or was ended: there is no verdict, and the message says why."""

    def __init__(self, message: str):
        super().__init__(message, INCONCLUSIVE)


def work(
    job: Json,
    limits: Limits,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Json:
    """The result of a job.  Raises :class:`Refused`, or :class:`Ended` where none came."""
    process = subprocess.Popen(
        boot.command("conformance.ports.worker"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        start_new_session=True,
    )  # fmt: skip
    watch = _Watch(process, limits)
    token = token_hex(8)
    assert process.stdin is not None and process.stdout is not None
    last = "starting"
    try:
        process.stdin.write(json.dumps(job | {"token": token}))
        process.stdin.close()
        for line in process.stdout:
            said = _said(line, token)
            if "result" in said:
                result: Json = said["result"]
                return result
            if "refused" in said:
                raise Refused(said["refused"], said["code"])
            last = said["stage"]
            progress(last, said["done"], said["total"])
        process.wait()
    except BrokenPipeError:
        process.wait()
    finally:
        watch.end()
    raise Ended(f"{watch.reason or _how(process.returncode, last)} while {last}")


def _said(line: str, token: str) -> Json:
    """A line of the process.  Raises :class:`Ended` where it is not ours."""
    begins, _, rest = line.partition(" ")
    if begins != token:
        raise Ended("the port wrote where only the gate writes, to a file that it did not open")
    said: Json = json.loads(rest)
    return said


def _how(code: int, last: str) -> str:
    if code < 0:
        return f"the port crashed ({signal.Signals(-code).name})"
    if code == 1 and last == "starting":  # what Python says of itself, before there was a job
        raise Refused("the port's process could not be started; run again with --debug", FAULT)
    return f"the port ended its process with exit code {code}"


class _Watch:
    """Ends a process, and all that it started, when it has taken too much."""

    def __init__(self, process: subprocess.Popen[str], limits: Limits) -> None:
        self.process, self.limits, self.reason = process, limits, ""
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        start = time.monotonic()
        while not self.over.wait(LOOK):
            seconds, memory = self.limits.seconds, self.limits.memory
            if seconds is not None and time.monotonic() - start > seconds:
                self.reason = f"the port took longer than {seconds:g} s"
            elif memory is not None and _resident(self.process.pid) > memory:
                self.reason = f"the port took more than {memory / 2**30:.3g} GiB of memory"
            if self.reason:
                self._kill()
                return

    def end(self) -> None:
        """Nothing of the port outlives its verdict."""
        self.over.set()
        self.thread.join()
        self._kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()


def _resident(pid: int) -> int:
    """Bytes of memory that a process and its children hold."""
    import psutil

    try:
        parent = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))
    except psutil.Error:
        return 0
