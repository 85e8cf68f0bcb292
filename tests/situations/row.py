"""What a situation is, and the ports that stand in every folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Situation:
    """One row."""

    command: str
    code: int
    says: str = ""
    never: str = ""
    files: dict[str, str] = field(default_factory=dict)
    damage: Callable[[Path], None] | None = None
    shell: str = ""
    needs: str = ""
    warm: bool = False

    def __str__(self) -> str:
        return (self.shell or self.command).replace("/", "|")[:80] + f" {self.says[:40]}"


#: Ports that stand in every folder; none of them needs a framework.
PORTS = {
    "seven.py": "def net(): return 7\nnumber = 7\ndef two(a, b): pass\nclass Net: pass\n",
    "fails.py": "def net():\n    raise ValueError('no\\nweights')\n",
    "import_fails.py": "1 / 0\n",
    "broken.py": "def net(:\n",
    "missing.py": "import no_such_package\n",
    "leaves.py": "exit()\n",
    "later.py": "def net(): exit()\n",
    "status.py": "import os\ndef net(): os._exit(7)\n",
    "green.py": "import os\ndef net(): os._exit(0)\n",
    "aborts.py": "import os\ndef net(): os.abort()\n",
    "segfault.py": "import ctypes\ndef net(): ctypes.string_at(0)\n",
    "killed.py": "import os, signal\ndef net(): os.kill(os.getpid(), signal.SIGKILL)\n",
    "group.py": "import os, signal\ndef net(): os.killpg(0, signal.SIGTERM)\n",
    "endless.py": "def net():\n    while True: pass\n",
    "daemon.py": "import os, time\ndef net():\n    if not os.fork():\n        os.setsid()\n"
    "        time.sleep(300)\n    os._exit(7)\n",
    "sleeps.py": "import os, time\ndef net():\n    if not os.fork():\n        os.setsid()\n"
    "        time.sleep(300)\n    time.sleep(300)\n",
    "hungry.py": "import time\ndef net():\n    x = b'x' * (400 << 20)\n    time.sleep(300)\n",
    "memory.py": "def net(): raise MemoryError\n",
    "interrupts.py": "def net(): raise KeyboardInterrupt\n",
    "recursion.py": "def net(): return net()\n",
    "flood.py": "import os\ndef net():\n    for _ in range(20000): print('x' * 99)\n"
    "    os.write(2, b'y' * 9999)\n    raise ValueError('flooded')\n",
    "intruder.py": "import os\nfor n in range(3, 64):\n    try: os.write(n, b'{}\\n')\n"
    "    except OSError: pass\n",
    "endless_line.py": "import os\nfor n in range(3, 64):\n    try:\n        while True:"
    " os.write(n, b'x' * 65536)\n    except OSError: pass\n",
    "escapes.py": "def net(): raise ValueError('a\\x1b[2J\\x07\\u202e\\u2028b')\n",
    "bold.py": "def net(): raise ValueError('Could not automatically infer this. Error encountered:"
    "\\n\\n\\x1b[1mbold\\x1b[0m')\n",
    "surrogate.py": "def net(): raise ValueError('a\\udc80b')\n",
    "long.py": "def net(): raise ValueError('x' * 100000)\n",
    "seterr.py": "import numpy\nnumpy.seterr(all='raise')\ndef net(): return 7\n",
    "chdir.py": "import os\nos.chdir('/')\ndef net(): return 7\n",
    "stdin.py": "def net(): return input()\n",
    "closes.py": "import os\nos.closerange(0, 3)\ndef net(): return 7\n",
    "stubborn.py": "import signal, time\nfor n in (15, 1, 2, 3): signal.signal(n, signal.SIG_IGN)\n"
    "def net(): time.sleep(300)\n",
    "threads.py": "import threading, time\n"
    "def net():\n    threading.Thread(target=time.sleep, args=(300,)).start()\n    return 7\n",
    "empty.py": "",
    "base.py": "def net(): raise BaseException('base')\n",
    "wordless.py": "class E(Exception):\n    def __str__(self): raise RuntimeError\n"
    "def net(): raise E\n",
    "patricide.py": "import os, signal, time\ndef net():\n"
    "    os.kill(os.getppid(), signal.SIGTERM)\n    time.sleep(300)\n",
    "nul.py": "def net(): raise ValueError('a\\0b')\n",
    "cleared.py": "import sys\nsys.modules.clear()\ndef net(): return 7\n",
    "json_gone.py": "import json\njson.dumps = json.loads = None\ndef net(): return 7\n",
    "writes.py": "import os\nos.write = lambda *_: 1 / 0\ndef net(): return 7\n",
    "pipes.py": "import os\nfor n in range(3, 64):\n    try: os.dup2(1, n)\n"
    "    except OSError: pass\ndef net(): return 7\n",
    "shallow.py": "import sys\nsys.setrecursionlimit(60)\ndef net(): return net()\n",
    "breaks.py": "def net():\n    breakpoint()\n",
    "orphan.py": "import os, signal, time\ndef net():\n"
    "    os.kill(os.getppid(), signal.SIGKILL)\n    time.sleep(300)\n",
    "orphans.py": "import os, signal, time\ndef net():\n    if not os.fork():\n"
    "        os.setsid()\n        time.sleep(300)\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    "    time.sleep(300)\n",
    "deep.py": "import os, tempfile\nos.chdir(tempfile.gettempdir())\n"
    "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\ndef net(): return 7\n",
    "lying.py": "class Net:\n    @property\n    def __signature__(self): raise OSError('no')\n"
    "    def __call__(self): return 7\nnet = Net()\n",
    "attributes.py": "def __getattr__(name): raise OSError(name)\n",
    "nothing_in_it.py": "def __dir__(): raise OSError('no')\n",
    "alarm.py": "import signal\ndef rings(*_): raise OSError('rings')\ndef net():\n"
    "    signal.signal(signal.SIGALRM, rings)\n    signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
    "    while True: pass\n",
    "handlers.py": "import atexit, signal, time\natexit.register(time.sleep, 300)\n"
    "for n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\ndef net(): return 7\n",
    "generates.py": "def net(): yield 7\n",
    "awaits.py": "async def net(): return 7\n",
    "refuses.py": "from conformance.errors import Refused\ndef net(): raise Refused('fine', 0)\n",
    "a port's, né.py": "def net(): return 7\n",
}

GATE = "gate {} --arch lenet5-table"


def gate(port: str, code: int, says: str = "", more: str = "", **rest: Any) -> Situation:
    """A port through the gate."""
    return Situation(f"{GATE.format(port)} {more}".strip(), code, says, **rest)
