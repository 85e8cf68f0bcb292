"""A job done in a process of its own, with a limit on its time and on its memory.

There is one kind of job: a dictionary with the ``task``, a module of ours whose ``work(job, say)``
returns the result.  Nothing that it has started outlives the answer; see :mod:`.supervisor`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from conformance import boot
from conformance.errors import CODES, CONFORMS, FAULT, INCONCLUSIVE, Refused
from conformance.files import clear, strict
from conformance.ports import memory
from conformance.signals import deferred, stopping

#: How often memory is looked at, and how long an end is waited for, in seconds.
LOOK, PATIENCE = 0.2, 15.0
#: No honest answer is longer, in bytes; a page with both graphs of the largest network has 4 MB.
LONGEST = 64 << 20

#: Threads of a framework that wait awake take the processor from whoever else computes: our own
#: oracle and other programs.  Asleep they lose microseconds.  A breakpoint that was left in a port
#: has nobody to talk to.  Memory that was given back to the system is cleared before it is had
#: again, which takes as long as computing what goes there: the GNU C library keeps it.
QUIETLY = {
    "OMP_WAIT_POLICY": "passive",
    "PYTHONBREAKPOINT": "0",
    "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
    ":glibc.malloc.arena_max=1",
}

#: Without a GPU in sight a framework computes on the processor, which is then what we may say.
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}

#: The variable by which what a port has started is known where its supervisor is no more.
MARK = "CONFORMANCE_PORT"

Json = dict[str, Any]


def on_gpu() -> dict[str, str]:
    """Variables by which a framework leaves the memory that it does not need to others, and
    computes the same in every run, without trying first which of several ways is the fastest.

    XLA's own autotuning stays on: without it convolutions never use the units that compute TF32.
    """
    flag = "--xla_gpu_deterministic_ops=true"
    return {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "XLA_FLAGS": f"{flag} {os.environ.get('XLA_FLAGS', '')}".rstrip(),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TF_DETERMINISTIC_OPS": "1",
    }


@dataclass(slots=True)
class Limits:
    """Seconds and bytes that a port may take; None for no limit."""

    seconds: float | None = 600.0
    memory: int | None = None


class Ended(Refused):
    """The port ended its process, or was ended: there is no verdict, and the message says why.

    ``exit`` is the worker's exit code, negative for a signal; None where it did not end by itself.
    """

    def __init__(self, message: str, exit: int | None = None):
        super().__init__(message, INCONCLUSIVE)
        self.exit = exit


def work(
    job: Json,
    limits: Limits,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    *,
    part: Callable[[Json], None] = lambda data: None,
    variables: Mapping[str, str] | None = None,
    who: str = "the port",
) -> Json:
    """The result of a job.  Raises :class:`Refused`, or :class:`Ended` where none came.

    ``progress`` and ``part`` hear what the job says on the way; ``variables`` are added to its
    environment; ``who`` begins the sentence that says how it ended.
    """
    with stopping():
        running = None
        try:
            with deferred():  # a process that was begun is one that is ended
                running = _Sandbox(job, variables or {}, who)
            for said in running.lines(limits):
                if "result" in said:
                    result: Json = said["result"]
                    return result
                if "refused" in said:
                    raise Refused(said["refused"], said["code"])
                if "part" in said:
                    part(said["part"])
                else:
                    running.stage = said["stage"]
                    progress(said["stage"], said["done"], said["total"])
            raise running.ended()
        finally:
            if running:
                running.end()


class _Sandbox:
    """A supervisor, the pipe on which its worker answers, and the end of both."""

    def __init__(self, job: Json, variables: Mapping[str, str], who: str) -> None:
        self.token, self.who, self.stage = token_hex(8), who, "starting"
        self.scratch, self.mark = _scratch(), token_hex(8)
        self.start = time.monotonic()
        try:
            self.answers, answers = os.pipe()
            try:
                self.process = subprocess.Popen(
                    boot.command("conformance.ports.supervisor", str(answers)),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(answers,),
                    start_new_session=True,
                    env=QUIETLY | dict(os.environ) | dict(variables) | {MARK: self.mark},
                )  # fmt: skip
            finally:
                os.close(answers)
        except OSError as error:  # no more files, processes or memory
            raise Ended(f"{who} could not be started: {error.strerror}") from None
        assert self.process.stdin is not None and self.process.stdout is not None
        self.job, self.status = self.process.stdin, self.process.stdout
        own = {"token": self.token, "scratch": self.scratch}
        with suppress(BrokenPipeError):  # it is gone, and how is asked below
            self.job.write(json.dumps(job | own).encode() + b"\n")
            self.job.flush()

    def end(self) -> None:
        """Nothing of the port outlives its answer."""
        with suppress(BrokenPipeError):
            self.job.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            self.status.close()
            os.close(self.answers)
            if self.process.returncode or sys.platform != "linux":
                _end_marked(self.mark)
            clear(self.scratch)  # it is there still where the supervisor itself was killed

    def lines(self, limits: Limits) -> Iterator[Json]:
        """What the worker says, until it has ended.  Raises :class:`Ended`."""
        status = self.status.fileno()
        rest, waiting = b"", [self.answers, status]
        while True:
            ready, _, _ = select.select(waiting, [], [], LOOK)
            if self.answers in ready:
                rest += (data := os.read(self.answers, 1 << 20))
                if not data:
                    waiting.remove(self.answers)
                *whole, rest = rest.split(b"\n")
                yield from (self._said(line) for line in whole)
                if len(rest) > LONGEST or not rest.startswith(self.token.encode()[: len(rest)]):
                    raise Ended(f"{self.who} {STRANGE}")
            elif status in ready:  # all that could still write has ended
                return
            self._hold(limits)

    def _said(self, line: bytes) -> Json:
        """A line of the worker.  Raises :class:`Ended` where it is not ours."""
        begins, _, rest = line.partition(b" ")
        if begins != self.token.encode():
            raise Ended(f"{self.who} {STRANGE}")
        try:
            said = strict(rest.decode())
        except ValueError as wrong:
            raise Ended(f"{self.who} gave no readable answer: {wrong}") from None
        if not _is_line(said):
            raise Ended(f"{self.who} gave an answer of another form")
        found: Json = said
        return found

    def _hold(self, limits: Limits) -> None:
        """Raises :class:`Ended` where a limit is passed."""
        if limits.seconds is not None and time.monotonic() - self.start > limits.seconds:
            raise Ended(f"{self.who} took longer than {limits.seconds:g} s while {self.stage}")
        if limits.memory is not None and _resident(self.process.pid) > limits.memory:
            size = f"{limits.memory / 2**30:.3g} GiB"
            raise Ended(f"{self.who} took more than {size} of memory while {self.stage}")

    def ended(self) -> Refused:
        """Why there was no answer."""
        said = self.status.read().split()
        if not said:
            if self.stage == "starting":  # what Python says of itself, before there was a job
                reason = f"{self.who} could not be started; run again with --debug"
                return Refused(reason, FAULT)
            return Ended(f"{self.who} was killed from outside while {self.stage}")
        code, peak = map(int, said)
        if code >= 0:
            how = f"ended its process with exit code {code}"
        elif code == -signal.SIGKILL:  # nobody else does that to a process
            how = f"was killed (SIGKILL, probably for want of memory: {memory.held(peak)})"
        else:
            how = f"crashed ({signal.Signals(-code).name})"
        return Ended(f"{self.who} {how} while {self.stage}", code)


def _end_marked(mark: str) -> None:
    """End what a port has started and its supervisor could not end.

    Either the port has killed its supervisor, or the system lets orphans go.
    """
    import psutil

    def bears(process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == mark
        except (psutil.Error, OSError):  # gone, a zombie, or another user's
            return False

    end = time.monotonic() + PATIENCE
    while (left := [*filter(bears, psutil.process_iter())]) and time.monotonic() < end:
        for process in left:
            with suppress(psutil.Error):
                process.kill()


def _scratch() -> str:
    """The name of a folder for temporary files; empty where there can be none."""
    try:
        return os.path.join(tempfile.gettempdir(), f"conformance-{token_hex(8)}")
    except OSError:
        return ""


STRANGE = "wrote where only the gate writes, to a file that it did not open"

#: The forms of a line, by its keys.
FORMS: tuple[dict[str, type], ...] = (
    {"stage": str, "done": int, "total": int},
    {"part": dict},
    {"result": dict},
    {"refused": str, "code": int},
)


def _is_line(said: Any) -> bool:
    return isinstance(said, dict) and any(
        said.keys() == form.keys() and all(type(said[key]) is form[key] for key in form)
        for form in FORMS
    ) and said.get("code", FAULT) in {*CODES} - {CONFORMS}  # fmt: skip


def _resident(pid: int) -> int:
    """Bytes of memory that a process and its children hold."""
    import psutil

    try:
        parent = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))
    except psutil.Error:
        return 0
