"""The process in which a port is imported, built and run: one job in, lines of JSON out.

A port is somebody's code.  It may print, exit, hang or crash, so it gets a process of its own whose
standard output is ours alone.  What is said there, a line each after the job's token, so that
nothing else is taken for it: ``{"stage": …, "done": …, "total": …}`` while it works, and at the end
one of ``{"result": …}`` or ``{"refused": …, "code": …}``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from conformance.errors import FAULT, INCONCLUSIVE, USAGE

Json = dict[str, Any]
Say = Callable[[Json], None]


def main() -> None:
    """Do the job on standard input and end without waiting for what the port left running."""
    job: Json = json.load(sys.stdin)
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    if job["debug"]:
        os.dup2(2, 1)
    else:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)

    def say(line: Json) -> None:
        ours.write(f"{job['token']} {json.dumps(line, allow_nan=False)}\n")
        ours.flush()

    _answer(job, say)
    ours.flush()
    os._exit(0)


def _answer(job: Json, say: Say) -> None:
    from conformance.ports.implementations import NotInstalled
    from conformance.ports.loading import BadPort
    from conformance.trace.port import UntraceableModel

    try:
        module = import_module(f"conformance.judge.{job['task']}")
        say({"result": module.work(job, _stages(say))})
    except (BadPort, UntraceableModel) as refused:
        say({"refused": str(refused), "code": USAGE})
    except NotInstalled as missing:
        say({"refused": str(missing), "code": INCONCLUSIVE})
    except MemoryError:
        say({"refused": "out of memory", "code": INCONCLUSIVE})
    except SystemExit:
        say({"refused": "the port calls exit()", "code": INCONCLUSIVE})
    except Exception as fault:
        if job["debug"]:
            traceback.print_exc()
        said = " ".join(f"{type(fault).__name__}: {fault}".split())
        say({"refused": f"{said} (run again with --debug)", "code": FAULT})


def _stages(say: Say) -> Callable[[str, int, int], None]:
    last = [("", 0)]

    def stage(name: str, done: int = 0, total: int = 0) -> None:
        # A hundred lines are enough for a bar.
        step = (name, done * 100 // total if total else 0)
        if step != last[0]:
            last[0] = step
            say({"stage": name, "done": done, "total": total})

    return stage


if __name__ == "__main__":
    main()
