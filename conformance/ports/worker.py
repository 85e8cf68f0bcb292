"""The process in which a port is imported, built and run: one job in, lines of JSON out.

A port is somebody's code.  It may print, exit, hang or crash, so it gets a process of its own and a
pipe that is nobody else's.  On it, a line each after the job's token, so that nothing else is taken
for one: ``{"stage": …, "done": …, "total": …}`` and ``{"part": …}`` while it works, and at the end
one of ``{"result": …}`` or ``{"refused": …, "code": …}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

from conformance.errors import FAULT, INCONCLUSIVE, USAGE, Refused, scarce
from conformance.printable import message
from conformance.signals import Stopped, stopping

Json = dict[str, Any]


class Say:
    """What a job says while it works: how far it is, and what is finished."""

    def __init__(self, job: Json, pipe: int):
        self.token, self.pipe = job["token"], pipe
        self.last = ("", 0)

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """The stage of the work; a hundred lines of each are enough for a bar."""
        step = (stage, done * 100 // total if total else 0)
        if step != self.last:
            self.last = step
            self.line({"stage": stage, "done": done, "total": total})

    def part(self, data: Json) -> None:
        """A part of the result that holds whatever becomes of the rest."""
        self.line({"part": data})

    def line(self, data: Json) -> None:
        """One line, whole."""
        text = memoryview(f"{self.token} {json.dumps(data, allow_nan=False)}\n".encode())
        while text:
            text = text[os.write(self.pipe, text) :]


def main(job: Json, pipe: int) -> NoReturn:
    """Do the job and end without waiting for what the port left running."""
    if "path" in job:
        sys.path[:] = job["path"]
    say = Say(job, pipe)
    with stopping():
        try:
            answer(job, say)
        except Stopped as stopped:  # all that was begun has been cleared away
            os._exit(stopped.code)
        except KeyboardInterrupt:  # the port's own
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    os._exit(0)


def answer(job: Json, say: Say) -> None:
    """Do the job, and say what came of it."""
    from conformance.ports import memory
    from conformance.ports.implementations import NotInstalled
    from conformance.ports.intact import Interpreter
    from conformance.ports.loading import BadPort, told
    from conformance.trace import registry
    from conformance.trace.port import Unfollowed, UntraceableModel

    before = None

    def refuse(said: str, code: int = INCONCLUSIVE) -> None:
        say.line({"refused": said, "code": code})

    try:
        registry.ready()
        module = import_module(f"conformance.{job['task']}")
        before = Interpreter()  # with all of ours, and nothing of the port's
        say.line({"result": module.work(job, say)})
    except Refused as refused:
        refuse(str(refused), refused.code)
    except (BadPort, UntraceableModel) as refused:
        if job["debug"]:
            traceback.print_exc()
        code = INCONCLUSIVE if isinstance(refused, Unfollowed) else USAGE
        short = memory.shortage(refused)
        refuse(short or str(refused), INCONCLUSIVE if short else code)
    except NotInstalled as missing:
        refuse(str(missing))
    except MemoryError as error:
        refuse(memory.shortage(error))
    except SystemExit as stopped:
        refuse("the port calls exit()" + ("" if stopped.code is None else f": {told(stopped)}"))
    except Exception as fault:
        if job["debug"]:
            traceback.print_exc()
        said = " ".join(f"{type(fault).__name__}: {message(fault)}".split())
        if port_has := before and before.blame(fault):
            refuse(f"the port {port_has}: {said}")
        elif short := memory.shortage(fault) or scarce(fault):
            refuse(short)
        else:
            refuse(f"{said} (run again with --debug)", FAULT)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # no library of anybody's catches that, so it is the port's
        refuse(f"the port raises {told(raised)}")
