"""Situations that a command gets into: the command line, its exit code, and what it says.

A row may have files of its own (``files``; ``@`` a link, ``|`` a named pipe), something to be done
to a folder of evidence first (``damage``), or a shell that closes or fills a stream (``shell``, in
which ``conformance`` stands for the command).  ``needs`` is a framework; with ``warm`` it is
imported once for all such rows.  ``never`` is what must not be said.  Every row but those of a
shell is also held to one line on standard error where the code is 2, and to no traceback and no
control character.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
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


USAGE = [
    Situation("", 2, "COMMAND"),
    Situation("chek", 2, "invalid choice"),
    Situation("gate", 2, "required: PORT"),
    Situation("gate seven.py:net", 2, "required: --arch"),
    Situation("gate --schema", 0, "JSON Schema|json-schema"),
    Situation("check --schema", 0, "json-schema"),
    Situation("compare --schema", 0, "json-schema"),
    Situation("report --schema", 0, "json-schema"),
    Situation("--version", 0, "conformance"),
    Situation("--help", 0, "exit codes"),
    *(
        Situation(f"{each} --help", 0, "exit codes")
        for each in "list facts claims check gate identify report compare convert".split()
    ),
    Situation("list", 0, "ResNet-50"),
    Situation("list --json -", 0, '"architectures"|ResNet-50'),
    Situation("facts nothing", 2, "no architecture is called 'nothing'"),
    Situation("facts resnet50", 0, "ResNet-50"),
    Situation("claims --status maybe", 2, "maybe"),
    Situation("claims --arch nothing", 2, "nothing"),
    Situation("check --framework tench", 2, "did you mean torch"),
    Situation("check --seed -1", 2, "whole number"),
    Situation("check --repeat 0", 2, "whole number"),
    Situation("check --precision float12", 2, "float12"),
    Situation("check nothing", 2, "nothing"),
    Situation("check lenet5 --no-numbers --thorough", 2, "leave out --no-numbers"),
    Situation("check lenet5 --arrays all", 2, "--evidence"),
    gate("seven.py:net", 2, "is not height x width", "--input 32x32"),
    gate("seven.py:net", 2, "is not height x width", "--input 0x32x1"),
    gate("seven.py:net", 2, "number of seconds", "--timeout soon"),
    gate("seven.py:net", 2, "not a size", "--memory much"),
    gate("seven.py:net", 2, "no such size", f"--memory {'9' * 400}G"),
    gate("seven.py:net", 2, "abacus", "--framework abacus"),
    gate("seven.py:net", 2, "whole number", "--seed x"),
    Situation("gate seven.py:net --arch nothing", 2, "no architecture is called"),
    Situation("identify seven.py:net --top 0", 2, "--top"),
    Situation("compare seven.py:net seven.py:net", 2, "--input"),
    Situation("convert seven.py:net seven.py:net --arch lenet5", 2, "--out"),
    Situation("report", 2, "EVIDENCE is missing"),
    Situation("report nowhere", 2, "no such folder"),
    Situation("report . --diff . .", 2, "stands alone"),
]

BUILDS = [
    gate("seven.py", 2, "names no factory"),
    gate("seven.py:", 2, "names no factory"),
    gate(":net", 2, "names no factory"),
    gate("nowhere.py:net", 2, "no such file"),
    gate("nowhere:net", 2, "no module named nowhere"),
    gate("seven.py:nets", 2, "did you mean net"),
    gate("seven.py:number", 2, "is a int, not a function"),
    gate("seven.py:two", 2, r"needs arguments \(a, b\)"),
    gate("seven.py:net", 2, "returns int"),
    gate("seven.py:Net", 2, "returns Net"),
    gate("fails.py:net", 2, r"ValueError: no weights \(.*fails.py:2\)"),
    gate("import_fails.py:net", 2, r"ZeroDivisionError: division by zero \(.*import_fails.py:1\)"),
    gate("broken.py:net", 2, "SyntaxError"),
    gate("missing.py:net", 2, "no module named no_such_package"),
    gate("leaves.py:net", 2, "calls exit"),
    gate("empty.py:net", 2, "has no 'net'"),
    gate("recursion.py:net", 2, "RecursionError"),
    gate("wordless.py:net", 2, r"does not build a model: E \(.*wordless.py:3\)"),
    gate("escapes.py:net", 2, r"a\\x1b\[2J\\x07\\u202e b"),
    gate("bold.py:net", 2, r"ValueError: bold \(.*bold.py:1\)"),
    gate("surrogate.py:net", 2, r"a\\udc80b"),
    gate("nul.py:net", 2, r"a\\x00b"),
    gate("long.py:net", 2, r"xxx\.\.\.", never="x{400}"),
    gate("flood.py:net", 2, "flooded", never="xxx|yyy"),
    gate("seterr.py:net", 2, "returns int"),
    gate("chdir.py:net", 2, "returns int"),
    gate("stdin.py:net", 2, "EOFError"),
    gate("closes.py:net", 2, "returns int"),
    gate("threads.py:net", 2, "returns int"),
    gate("fails.py:net", 2, "Traceback", "--debug"),
    gate("breaks.py:net", 2, "returns NoneType"),
    gate("deep.py:net", 2, "returns int"),
    gate("lying.py:net", 2, r"cannot be looked at: OSError: no \(.*lying.py:3\)"),
    gate("attributes.py:net", 2, r"cannot be looked at: OSError: net \(.*attributes.py:1\)"),
    gate("nothing_in_it.py:net", 2, r"cannot be looked at: OSError: no \(.*_it.py:1\)"),
    gate("alarm.py:net", 2, r"OSError: rings \(.*alarm.py:2\)"),
    gate("shallow.py:net", 2, "RecursionError"),
    gate("handlers.py:net", 2, "returns int"),
    gate("cleared.py:net", 2, "returns int"),
    gate("generates.py:net", 2, "returns generator"),
    gate("awaits.py:net", 2, "returns coroutine"),
    gate("refuses.py:net", 2, "Refused: fine"),
    gate("torch.py:net", 2, "hides the library torch", files={"torch.py": "net = dict"}),
    gate("os:getcwd", 2, "returns str"),
    gate("'a port'\"'\"'s, né.py:net'", 2, "returns int"),
    gate(f"{'n' * 300}.py:net", 2, "File name too long"),
    Situation("identify seven.py:net", 2, "returns int"),
    Situation("identify nowhere.py:net", 2, "no such file"),
    Situation("compare seven.py:net fails.py:net --arch lenet5", 2, "A: the factory returns int"),
    Situation("compare nowhere.py:net seven.py:net --arch lenet5", 2, "A: nowhere.py: no such"),
    Situation("convert fails.py:net seven.py:net --arch lenet5 --out o", 2, "A: .*no weights"),
]

ENDS = [
    gate("later.py:net", 3, "calls exit"),
    gate("status.py:net", 3, "exit code 7"),
    gate("green.py:net", 3, "exit code 0"),
    gate("aborts.py:net", 3, "SIGABRT"),
    gate("segfault.py:net", 3, "SIGSEGV"),
    gate("killed.py:net", 3, "SIGKILL, probably for want of memory"),
    gate("group.py:net", 3, "exit code 143|SIGTERM"),
    gate("endless.py:net", 3, "took longer than 1 s", "--timeout 1"),
    gate("daemon.py:net", 3, "exit code 7"),
    gate("sleeps.py:net", 3, "took longer than 1 s", "--timeout 1"),
    gate("stubborn.py:net", 3, "took longer than 1 s", "--timeout 1"),
    gate("hungry.py:net", 3, "took more than 0.195 GiB", "--memory 200M"),
    gate("memory.py:net", 3, "out of memory"),
    gate("interrupts.py:net", 3, "SIGINT"),
    gate("base.py:net", 3, r"raises BaseException: base \(.*base.py:1\)"),
    gate("patricide.py:net", 3, "was killed from outside"),
    gate("intruder.py:net", 3, "wrote where only the gate writes"),
    gate("endless_line.py:net", 3, "wrote where only the gate writes"),
    gate("json_gone.py:net", 3, "exit code 1"),
    gate("writes.py:net", 3, "exit code 1"),
    gate("pipes.py:net", 3, "exit code [01]"),
    gate("orphan.py:net", 3, "was killed from outside"),
    gate("orphans.py:net", 3, "was killed from outside"),
    Situation("identify status.py:net", 3, "exit code 7"),
    Situation("identify endless.py:net --timeout 1", 3, "took longer"),
    Situation("compare status.py:net seven.py:net --arch lenet5", 3, "exit code 7"),
    Situation(
        "compare endless.py:net seven.py:net --arch lenet5 --timeout 1",
        3,
        "one of the ports took longer than 1 s",
    ),
    Situation("convert aborts.py:net seven.py:net --arch lenet5 --out o", 3, "SIGABRT"),
    Situation(
        "convert hungry.py:net seven.py:net --arch lenet5 --out o --memory 200M",
        3,
        "one of the ports took more than 0.195 GiB",
    ),
]

FILES = [
    gate("status.py:net", 3, "", "--json r.json"),
    gate("status.py:net", 3, "", "--json -"),
    gate("status.py:net", 3, "", "--json /dev/null"),
    gate("status.py:net", 2, "No space left", "--json /dev/full"),
    gate("status.py:net", 2, "is a folder", "--json ."),
    gate("status.py:net", 2, "there is no folder", "--json no/r.json"),
    gate("status.py:net", 2, "is a folder", "--badge ."),
    gate("status.py:net", 2, "there is no folder", "--html no/page.html"),
    gate("status.py:net", 3, "was not written", "--html page.html"),
    gate("status.py:net", 3, "", "--json link", files={"@link": "linked.json"}),
    gate("status.py:net", 2, "nobody reads from this pipe", "--json p", files={"|p": ""}),
    gate("status.py:net", 2, "nobody reads from this pipe", "--badge p", files={"|p": ""}),
    gate("status.py:net", 2, "nobody writes to this pipe", "--baseline p", files={"|p": ""}),
    Situation("list --json p", 2, "nobody reads from this pipe", files={"|p": ""}),
    Situation("report --diff p p", 2, "nobody writes to this pipe", files={"|p": ""}),
    Situation(f"report {'n' * 300}", 2, "no such folder"),
    Situation(f"report --diff {'n' * 300} .", 2, "File name too long"),
    gate("status.py:net", 2, "cannot write", "--json loop", files={"@loop": "loop"}),
    gate("status.py:net", 2, "cannot write", f"--json {'n' * 300}"),
    Situation("list --json .", 2, "is a folder"),
    Situation("facts lenet5 --json /dev/full", 2, "No space left"),
    Situation("convert seven.py:net seven.py:net --arch lenet5 --out .", 2, "is a folder"),
    Situation("convert seven.py:net seven.py:net --arch lenet5 --out no/o", 2, "no folder"),
    Situation("convert seven.py:net seven.py:net --arch lenet5 --out loop", 2, "cannot write",
              files={"@loop": "loop"}),
    *(
        gate("status.py:net", 2, f"{name}.*{said}", f"--baseline {name}", files={name: text})
        for name, text, said in (
            ("nothing.json", "", "is not a result"),
            ("list.json", "[]", "is not a result"),
            ("other.json", "{}", "is not a result"),
            ("nan.json", '{"schema": NaN}', "NaN is not JSON"),
            ("deep.json", "[" * 100_000, "nested too deeply"),
            ("big.json", '{"schema": 1e999}', "too large a number"),
        )
    ),
    gate("status.py:net", 2, "cannot read nowhere.json", "--baseline nowhere.json"),
    gate("status.py:net", 2, "cannot read", "--baseline ."),
    gate("status.py:net", 2, "longer than 64 MB", "--baseline /dev/zero"),
]  # fmt: skip


# Evidence: what is done to a folder that a check has left, and by what it is refused.


def run_json(**changes: Any) -> Callable[[Path], None]:
    """Other values in ``run.json``."""

    def done(place: Path) -> None:
        data = json.loads((place / "run.json").read_text())
        (place / "run.json").write_text(json.dumps(data | changes))

    return done


def record(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """A change of the network's record, with a checksum that fits."""

    def done(place: Path) -> None:
        run = json.loads((place / "run.json").read_text())
        (name,) = run["networks"]
        data = json.loads((place / f"{name}.json").read_text())
        change(data)
        rewrite(place, json.dumps(data))

    return done


def rewrite(place: Path, text: str) -> None:
    """Another record in the place of the one that is there."""
    run = json.loads((place / "run.json").read_text())
    (name,) = run["networks"]
    (place / f"{name}.json").write_text(text)
    run["networks"][name] = sha256(text.encode()).hexdigest()
    (place / "run.json").write_text(json.dumps(run))


def replace_run(place: Path, text: str) -> None:
    """Another ``run.json``."""
    (place / "run.json").write_text(text)


def arrays(place: Path) -> None:
    """Junk in the place of whole results."""
    (place / "Tiny-A.safetensors").write_bytes(b"junk")
    found = sha256(b"junk").hexdigest()
    record(lambda data: data.update(arrays=found))(place)


def first(**changes: Any) -> Callable[[Any], Any]:
    return lambda data: data["parity"]["nodes"][0].update(changes)


def node(index: int, **changes: Any) -> Callable[[Any], Any]:
    return lambda data: data["graph"]["nodes"][index].update(changes)


DAMAGES: dict[str, Callable[[Path], None]] = {
    r"Expected `int`, got `null` - at `\$.seed`": run_json(seed=None),
    "NaN is not JSON": run_json(seed=float("nan")),
    r"Expected `int` >= 0 - at `\$.seed`": run_json(seed=-1),
    "schema 9": run_json(schema=9),
    r"at `\$.device`": run_json(device="abacus"),
    "unknown field `note`": run_json(note="well"),
    r"Expected `object`, got `array` - at `\$.networks`": run_json(networks=[]),
    r"at `key` in `\$.networks`": run_json(networks={"../Tiny-A": "0" * 64}),
    "not the file that run.json lists": run_json(networks={"Tiny-A": "0" * 64}),
    "missing, though run.json lists it": run_json(networks={"Tiny-B": "0" * 64}),
    "cannot be read": lambda place: replace_run(place, ""),
    "not a JSON object": lambda place: replace_run(place, "[]"),
    "nested too deeply": lambda place: rewrite(place, "[" * 100_000),
    "missing required field `model`": lambda place: rewrite(place, "{}"),
    "a field is missing": record(lambda data: data["parity"].pop("problem")),
    "field is missing, or one too many": record(
        lambda data: data["graph"]["nodes"][1]["parameters"].update(
            kernel=[{"handle": "w", "shape": [1], "steps": [], "region": None, "note": "well"}]
        )
    ),
    r"Expected `float`, got `str` - at `\$.parity.nodes\[0\].error`": record(first(error="much")),
    "has an error or a bound below zero": record(first(error=-1)),
    "too large a number|error": lambda place: rewrite(place, '{"model": 1e999}'),
    "has node . more than once": record(
        lambda data: data["parity"]["nodes"].extend(data["parity"]["nodes"] * 24)
    ),
    "a node 99, which is not there": record(first(node=99)),
    "has no nodes": record(
        lambda data: data.update(graph={"inputs": [], "outputs": [], "nodes": []})
    ),
    "reads a node that is not before it": record(node(1, inputs=[3])),
    "graph has no node 77": record(lambda data: data["graph"].update(outputs=[77])),
    r"Expected `array`, got `str` - at `\$.graph.nodes\[1\].shape`": record(node(1, shape="wide")),
    "it is of Tiny-B, run.json lists it as Tiny-A": record(
        lambda data: data.update(model="Tiny-B")
    ),
    r"safetensors: cannot be read": arrays,
    "of a mode that has no graph": record(
        lambda data: data.update(training=None, training_parity=data["parity"])
    ),
}
EVIDENCE = [
    Situation("report evidence", 2, f"evidence.*({said})", damage=damage)
    for said, damage in DAMAGES.items()
] + [
    Situation("report --diff evidence evidence", 2, "below zero", damage=record(first(error=-1))),
    Situation(
        "report e", 2, "run.json: cannot be read.*longer", files={"e/r/@run.json": "/dev/zero"}
    ),
    Situation("report e", 2, "nobody writes to this pipe", files={"e/r/|run.json": ""}),
    Situation("report e", 2, "run.json: cannot be read", files={"e/r/run.json/.keep": ""}),
    Situation("report empty", 3, "no evidence in empty", files={"empty/.keep": ""}),
]

GONE = "mkdir gone && cd gone && rmdir ../gone"
STREAMS = [
    Situation("", 2, shell="conformance list > /dev/full"),
    Situation("", 2, shell="conformance list --json - > /dev/full"),
    Situation("", 2, shell="conformance gate --schema > /dev/full"),
    Situation("", 2, shell="conformance report --help > /dev/full"),
    Situation("", 2, "it is closed", shell="conformance list >&-"),
    Situation("", 2, "it is closed", shell="conformance list --json - >&-"),
    Situation("", 2, "it is closed", shell="conformance gate --schema >&-"),
    Situation("", 2, "it is closed", shell="conformance report --help >&-"),
    Situation("", 0, "^141$", shell="conformance list | true; echo ${PIPESTATUS[0]}"),
    Situation("", 0, "^141$", shell="conformance list --help | true; echo ${PIPESTATUS[0]}"),
    Situation("", 0, "^141$",
              shell="conformance claims --json - 2> words | head -1 > json; echo ${PIPESTATUS[0]}"),
    Situation("", 0, "^141$",
              shell="export PYTHONUNBUFFERED=1; conformance claims --json - 2> words | head -1"
              " > json; echo ${PIPESTATUS[0]}"),
    Situation("", 0, "^0$",
              shell="conformance claims --json - 2>&1 > json | true; echo ${PIPESTATUS[0]}"),
    Situation("", 2, "^conformance: cannot write to standard output: it is closed$",
              shell="conformance gate status.py:net --arch lenet5 --json - >&-"),
    Situation("", 0, "ResNet", shell="conformance list 2>&- <&-"),
    Situation("", 2, shell="conformance facts nothing 2>&-"),
    Situation("", 2, shell="conformance facts nothing 2> /dev/full"),
    Situation("", 2, shell="conformance facts nothing >&- 2>&- <&-"),
    Situation("", 3, shell="conformance gate status.py:net --arch lenet5 > /dev/full"),
    Situation("", 3, shell="conformance gate status.py:net --arch lenet5 >&- 2>&- <&-"),
    Situation("", 3, shell="conformance gate status.py:net --arch lenet5 --json r.json >&-"),
    Situation("", 3, "exit code 7.*}",
              shell="conformance gate status.py:net --arch lenet5 --json /dev/stdout 2>&1"),
    Situation("", 3, "could not be started: Too many open files",
              shell="ulimit -n 8 && conformance gate status.py:net --arch lenet5"),
    Situation("", 3, "100,000|97 MB, too few for NumPy",
              shell="ulimit -v 100000 && conformance gate status.py:net --arch lenet5"),
    Situation("", 3, "too few for NumPy", shell="ulimit -v 100000 && conformance report --schema"),
    Situation("", 0, "framework  installed", shell="COLUMNS=1 conformance list"),
    Situation("", 0, "ResNet", shell="PYTHONIOENCODING=ascii conformance facts resnet50"),
    Situation("", 0, "ResNet",
              shell="PYTHONIOENCODING=latin-1 conformance facts resnet50 --json - 2>&1"),
    Situation("", 2, "udc80|x80",
              shell="LC_ALL=C conformance gate $(printf 'a\\200b').py:net --arch lenet5"),
    Situation("", 0, "exit codes", shell="PYTHONOPTIMIZE=2 conformance gate --help"),
    Situation("", 2, "no such file",
              shell=f"{GONE} && conformance gate x.py:net --arch lenet5"),
    Situation("", 0, "ResNet", shell=f"{GONE} && conformance list"),
    Situation("", 2, "returns int", shell="conformance gate seven.py:net --arch lenet5",
              files=dict.fromkeys(("locale.py", "subprocess.py", "numpy.py"), "1 / 0\n")),
    Situation("", 0, "ResNet", shell="unset HOME; TMPDIR=/nowhere conformance list"),
    Situation("", 3, "exit code 7",
              shell="TMPDIR=/nowhere conformance gate status.py:net --arch lenet5"),
]  # fmt: skip

# With a framework: ports that are models, and yet cannot be judged, or only look hard to judge.

LENET = """
import torch
from torch import nn

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.c5, self.f6, self.out = nn.Conv2d(16, 120, 5), nn.Linear(120, 84), nn.Linear(84, 10)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        x = torch.tanh(self.pool(torch.tanh(self.c1(x))))
        x = torch.tanh(self.pool(torch.tanh(self.c3(x))))
        x = torch.tanh(self.c5(x)).flatten(1)
        return self.out(torch.tanh(self.f6(x))).softmax(1)

"""


def torch(name: str, text: str, code: int, says: str, never: str = "", more: str = "") -> Situation:
    """A port in PyTorch."""
    return gate(
        f"{name}.py:net", code, says, more, never=never, files={f"{name}.py": LENET + text},
        needs="torch", warm=True,
    )  # fmt: skip


MADE = "def net():\n    m = LeNet()\n    {}\n    return m\n"
STUB = "class S(LeNet):\n    def forward(self, x): return {}\nnet = S\n"
PLAIN = (
    "class S(LeNet):\n    def forward(self, x):\n        y = super().forward(x)\n"
    "        return {}\nnet = S\n"
)
TORCH = [
    torch("right", "net = LeNet\n", 0, "conforms"),
    torch("double", "net = lambda: LeNet().double()\n", 0, "conforms"),
    torch("parallel", "net = lambda: nn.DataParallel(LeNet())\n", 0, "conforms"),
    torch("instance", "net = LeNet()\n", 2, "is a model", never=r"Conv2d\("),
    torch("zeros", STUB.format("torch.zeros(len(x), 10)"), 2, "depend", "AssertionError"),
    torch("weight", STUB.format("self.c1.weight"), 2, "depend", "AssertionError"),
    torch("seterr", "import numpy\nnumpy.seterr(all='raise')\nnet = LeNet\n", 0, "conforms"),
    torch("raises", STUB.format("self.c9(x)"), 2, "c9.*raises.py"),
    torch("text", STUB.format("'logits'"), 2, "str"),
    torch(
        "names",
        "class N(nn.Sequential):\n    def __init__(self):\n        super().__init__()\n"
        "        self.add_module('a\\x1b[2J\\nb', nn.Conv2d(1, 6, 3))\nnet = N\n",
        1,
        r"a\\x1b\[2J",
    ),
    torch("flips", PLAIN.format("y if len(x) < 3 else y.flip(0)"), 1, "plainly|batch"),
    torch("single", PLAIN.format("y if x.dtype == torch.float64 else y * 1.01"), 1,
          "called plainly"),
    torch("asks", PLAIN.format("y if len(x) < 3 else y.roll(1, 1)"), 1, "called plainly"),
    torch("exits", STUB.format("__import__('os')._exit(0)"), 3, "exit code 0"),
    torch("emptied", "import sys\nsys.modules.clear()\nnet = LeNet\n", 2, "does not build"),
    torch("no_open", "import builtins\nbuiltins.open = None\nnet = LeNet\n", 3,
          "replaces builtins.open"),
    torch("audits", "import sys\ndef hook(event, _):\n    if event == 'open': raise OSError('no')\n"
          "sys.addaudithook(hook)\nnet = LeNet\n", 3, r"an exception in .*audits.py:\d+: OSError"),
    torch("hollow", PLAIN.format("y + torch.zeros(1, device='meta')"), 2, "forward fails"),
    torch("mute", "class S(LeNet):\n    def train(self, mode=True):\n        super().train(mode)\n"
          "net = S\n", 0, "conforms"),
    torch("wordless", "class E(Exception):\n    def __str__(self): raise E\n"
          "class S(LeNet):\n    def forward(self, x): raise E\nnet = S\n", 2, "fails.*: E "),
    torch("modes", "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"
          "torch.use_deterministic_algorithms(True)\ntorch.inference_mode(True).__enter__()\n"
          "net = LeNet\n", 0, "conforms"),
    torch("leaves", PLAIN.format("y if self.training else y") + "import os, time\n"
          "if not os.fork():\n    os.setsid()\n    time.sleep(300)\n", 0, "conforms"),
    torch("huge", "class H(LeNet):\n    def __init__(self):\n        super().__init__()\n"
          "        self.w = nn.Parameter(torch.zeros(1 << 45))\nnet = H\n", 3, "out of memory"),
]  # fmt: skip

#: PyTorch in odd modes, and modules as other libraries wrap, hook and prepare them.
MODES = [
    torch("checkpoint", "from torch.utils.checkpoint import checkpoint\n" + STUB.format(
        "checkpoint(super().forward, x, use_reentrant=False)"), 0, "conforms"),
    torch("vmap", "class S(LeNet):\n    def one(self, x): return super().forward(x[None])[0]\n"
          "    def forward(self, x): return torch.vmap(self.one)(x)\nnet = S\n", 0, "conforms"),
    torch("weight_norm", MADE.format("nn.utils.parametrizations.weight_norm(m.c1)"), 1,
          "computed in every call"),
    torch("spectral_norm", MADE.format("nn.utils.spectral_norm(m.c3)"), 1,
          "computed in every call"),
    torch("orthogonal", MADE.format("nn.utils.parametrizations.orthogonal(m.f6)"), 3,
          "forward runs and cannot be followed in f6"),
    torch("compiled", MADE.format("m.compile()"), 0, "conforms"),
    torch("traced", "net = lambda: torch.jit.trace(LeNet(), torch.zeros(1, 1, 32, 32))\n", 2,
          "TorchScript"),
    torch("graph", "import torch.fx\nnet = lambda: torch.fx.symbolic_trace(LeNet())\n", 0,
          "conforms"),
    torch("functional", "class S(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
          "        self.m = LeNet()\n    def forward(self, x):\n        return"
          " torch.func.functional_call(self.m, dict(self.m.named_parameters()), (x,))\nnet = S\n",
          0, "conforms"),
    torch("averaged", "from torch.optim.swa_utils import AveragedModel\n"
          "net = lambda: AveragedModel(LeNet())\n", 0, "conforms"),
    torch("same", "one = nn.DataParallel(LeNet())\ndef net(): return one\n", 0, "conforms"),
    torch("uncopied", "import threading\nclass S(LeNet):\n    def __init__(self):\n"
          "        super().__init__()\n        self.lock = threading.Lock()\n"
          "    def __deepcopy__(self, memo): raise TypeError('no')\n"
          "    def __reduce_ex__(self, protocol): raise TypeError('no')\nnet = S\n", 0, "conforms"),
    torch("hooked", MADE.format("m.f6.register_forward_hook(lambda m, i, o: o * 2.0)"), 1,
          "after F6: scale is extra"),
    torch("hook_fails", "def h(*_): raise ValueError('hook')\n"
          + MADE.format("m.f6.register_forward_hook(h)"), 2, "ValueError: hook .*hook_fails.py"),
    torch("hooked_back", MADE.format(
        "m.c3.register_full_backward_hook(lambda m, i, o: (i[0] * 2,))"), 1, "gradient"),
    torch("lazy", "class S(LeNet):\n    def __init__(self):\n        super().__init__()\n"
          "        self.c5, self.f6 = nn.LazyConv2d(120, 5), nn.LazyLinear(84)\nnet = S\n", 0,
          "conforms"),
    torch("trained", MADE.format("o = torch.optim.SGD(m.parameters(), .1);"
          " m(torch.zeros(1, 1, 32, 32)).sum().backward(); o.step()"), 0, "conforms"),
    torch("listed", MADE.format("m.order = [m.c1, m.c3, m]"), 0, "conforms"),
    torch("into_the_image", PLAIN.format("y").replace("super().forward(x)",
          "super().forward(x.mul_(1))"), 0, "conforms"),
    torch("quantised", "from torch.ao.quantization import quantize_dynamic\n"
          "net = lambda: quantize_dynamic(LeNet(), {nn.Linear})\n", 3, "followed in f6"),
    torch("thread", "from concurrent.futures import ThreadPoolExecutor\n" + STUB.format(
        "ThreadPoolExecutor(1).submit(super().forward, x).result()"), 3, "be followed in c1"),
    torch("auxiliary", PLAIN.format("y, torch.zeros(len(x), 3)"), 2, "output 2 does not depend"),
    torch("array", PLAIN.format("y.detach().numpy()"), 2, "numpy"),
    torch("nothing", PLAIN.format("None"), 2, "returned NoneType; return the logits"),
    torch("keyword", "class S(LeNet):\n    def forward(self, *, x): return x\nnet = S\n", 2,
          "positional argument"),
    torch("pair", "net = lambda: (LeNet(), None)\n", 2, "returns tuple"),
    torch("draws", PLAIN.format("y + torch.rand(1)"), 1, "drawn at random in inference"),
    torch("not_a_number", MADE.format("nn.init.constant_(m.c1.weight, float('nan'))"), 1,
          "not finite"),
    torch("no_streams", "import sys\nsys.stdout.close()\nsys.stderr = sys.stdin = None\n"
          "net = LeNet\n", 0, "conforms"),
    torch("no_processor", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (3, 3))\n"
          "def net():\n    while True: pass\n", 3, "SIGKILL"),
    torch("blocked", "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
          "os.umask(0o777)\nos.environ.clear()\nnet = LeNet\n", 0, "conforms"),
]  # fmt: skip


# Unfinished ports of other frameworks: one sentence, from every command.

KERAS = "import keras\nfrom keras import layers, ops\n"
CALLED = f"{KERAS}class Net(keras.Model):\n    def call(self, x): {{}}\nnet = Net\n"
NNX = "from flax import nnx\nimport jax.numpy as jnp\nclass Net(nnx.Module):\n{}\nnet = Net\n"
LINEN = (
    "from flax import linen as nn\nimport jax.numpy as jnp\nclass Net(nn.Module):\n"
    "    @nn.compact\n    def __call__(self, x): {}\nnet = Net\n"
)
PAIR = "import jax.numpy as jnp\ndef net(): return (lambda variables, x: {}), {{}}\n"
TENSORFLOW = (
    "import tensorflow as tf\nclass Net(tf.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.w = tf.Variable([1.0])\n"
    "    def __call__(self, x): {}\nnet = Net\n"
)
CONSTANT, NOTHING = "does not depend on the image", "returns nothing: it has to return the logits"
FIXED = (
    f"{KERAS}def net():\n    image = keras.Input((32, 32, 1))\n    zeros = layers.Lambda("
    "lambda x: ops.zeros((ops.shape(x)[0], 10)), output_shape=(10,))\n"
    "    return keras.Model(image, zeros(image))\n"
)


def unfinished(needs: str, text: str, says: str, command: str = "gate") -> Situation:
    """A port that is not finished, and a command that is given it."""
    line = {
        "gate": "gate net.py:net --arch lenet5-table",
        "identify": "identify net.py:net",
        "compare": "compare net.py:net net.py:net --arch lenet5-table",
        "convert": "convert net.py:net net.py:net --arch lenet5-table --out o",
    }[command]
    return Situation(line, 2, says, files={"net.py": text}, needs=needs)


UNFINISHED = [
    unfinished("keras", CALLED.format("return ops.ones((ops.shape(x)[0], 10))"), CONSTANT),
    unfinished("keras", CALLED.format("return None"), NOTHING),
    unfinished("keras", CALLED.format("raise NotImplementedError('todo')"), "todo.*net.py:4"),
    unfinished("keras", f"{KERAS}net = keras.Sequential\n", "no layers"),
    unfinished("keras", FIXED, CONSTANT, "identify"),
    unfinished("keras", FIXED, f"A: .*{CONSTANT}", "convert"),
    unfinished("keras", TENSORFLOW.format("return self.w"), CONSTANT),
    unfinished("keras", TENSORFLOW.format("raise NotImplementedError('todo')"), "todo.*net.py:6"),
    unfinished("flax", NNX.format("    pass"), "not be called|no __call__|takes no arguments"),
    unfinished("flax", NNX.format("    def __init__(self, rngs): self.w = nnx.Param(jnp.ones(10))\n"
               "    def __call__(self, x): return self.w[...]"), CONSTANT),
    unfinished("flax", NNX.format("    def __init__(self, rngs): pass\n"
               "    def __call__(self, x): return x.mean((1, 2)), jnp.zeros((len(x), 3))"),
               f"output 2 {CONSTANT}"),
    unfinished("flax", LINEN.format("return jnp.zeros((x.shape[0], 10))"), CONSTANT, "identify"),
    unfinished("flax", LINEN.format("raise KeyError('conv')"), "KeyError: 'conv'.*net.py:5"),
    unfinished("flax", PAIR.format("jnp.zeros((len(x), 10))"), f"A: .*{CONSTANT}", "compare"),
    unfinished("flax", PAIR.format("None"), NOTHING),
    unfinished("flax", PAIR.format("'logits'"), "returns str"),
]  # fmt: skip


# Whole runs: commands that write, with streams and disks as they may be.

CHECK = "conformance check lenet5-table --framework torch"
CONVERT = "conformance convert right.py:net right.py:net --arch lenet5-table --out"
COMPARE = "conformance compare right.py:net right.py:net --arch lenet5-table"
#: The same model, whose module works in another folder from its import on.
RIGHT = {
    "right.py": f"{LENET}\nnet = LeNet\n",
    "moved.py": f"import os\nos.chdir('/')\n{LENET}\nnet = LeNet\n",
}


def whole(shell: str, code: int, says: str = "", **files: str) -> Situation:
    """A command line whose words go to a file, and which shows what it was asked to write."""
    return Situation("", code, says, shell=shell, files=RIGHT | files, needs="torch")


WHOLE = [
    whole(f"export PYTHONOPTIMIZE=2; {CHECK} --evidence e --json r.json > words && conformance"
          " report e --out o --html h > words && cat r.json && ls o/index.md h/index.html",
          0, '"verdict": "conforms".*index.html'),
    whole(f"{CHECK} --evidence e > words; export PYTHONIOENCODING=ascii; conformance report e"
          " --out o --html h > words && conformance report e --json - 2> words", 0, '"runs"'),
    whole(f"PYTHONIOENCODING=latin-1 {CHECK} --json - 2> words", 0, '"verdict": "conforms"'),
    whole(f"{CHECK} --json r.json >&- 2>&- <&-; c=$?; cat r.json; exit $c", 0, ": .conforms"),
    whole(f"{CHECK} --json r.json > /dev/full 2>&1; c=$?; cat r.json; exit $c", 0, ": .conforms"),
    whole(f"{CHECK} --json - > /dev/full", 2, "cannot write to standard output: No space left"),
    whole(f"{CHECK} --no-numbers --json - >&-", 2, "cannot write to standard output: it is closed"),
    whole(f"(ulimit -f 1; {CHECK} --evidence e; c=$?; ls -A e; exit $c) 2>&1 | cat;"
          " exit ${PIPESTATUS[0]}", 2, "cannot write .*e: File too large\n$"),
    whole(f"for i in 1 2 3; do {CHECK} --no-numbers --evidence e & done > words; wait; ls -A e",
          0, "^torch-cpu$"),
    whole(f"mkdir e; touch e/torch-cpu; {CHECK} --no-numbers --evidence e > words; ls -A e", 0,
          "^torch-cpu$"),
    whole(f"{CHECK} --evidence e > words; echo '[' > e/torch-cpu/LeNet-5-table.json;"
          f" {CHECK} --evidence e --resume", 2, "not the file that run.json lists.*remove"),
    whole(f"{CHECK} --evidence e > words; : > e/torch-cpu/run.json; {CHECK} --evidence e --resume",
          2, "run.json: cannot be read.*remove"),
    whole(f"PYTHONOPTIMIZE=2 PYTHONIOENCODING=ascii {COMPARE} --json c.json --html c.html >&- 2>&-;"
          " c=$?; cat c.json; ls c.html; exit $c", 1, '"verdict": "differ".*c.html'),
    whole(f"{COMPARE} --json /dev/full", 2, "No space left"),
    whole(f"PYTHONOPTIMIZE=2 {CONVERT} o > /dev/full 2> words; c=$?; ls -A o; exit $c", 0, "^o$"),
    whole(f"{CONVERT} /dev/full", 2, "cannot write /dev/full: No space left"),
    whole(f"{CONVERT} /dev/stdout | cat; exit ${{PIPESTATUS[0]}}", 2, "a pipe without a name"),
    whole(f"export PYTHONDONTWRITEBYTECODE=1; (ulimit -f 1; {CONVERT} o) 2>&1 | cat;"
          " c=${PIPESTATUS[0]}; ls -A; exit $c", 2, "cannot write .*o: File too large"),
    whole("conformance convert moved.py:net right.py:net --arch lenet5-table --out o && ls o", 0,
          "o\n$"),
    whole("PYTHONOPTIMIZE=2 PYTHONIOENCODING=ascii conformance identify right.py:net --json i.json"
          " > /dev/full; c=$?; cat i.json; exit $c", 0, '"architecture": "LeNet-5-table"'),
]  # fmt: skip

SITUATIONS = [
    *USAGE,
    *BUILDS,
    *ENDS,
    *FILES,
    *EVIDENCE,
    *STREAMS,
    *TORCH,
    *MODES,
    *UNFINISHED,
    *WHOLE,
]
