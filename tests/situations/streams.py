"""Streams and disks as they may be: of commands, and of whole runs that write."""

from __future__ import annotations

from tests.situations.models import LENET
from tests.situations.row import Situation

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
    Situation("", 0, "^141$", shell="conformance facts alexnet | true; echo ${PIPESTATUS[0]}"),
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
