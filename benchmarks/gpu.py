"""Every network on a GPU, in every precision and framework, in the minutes that there are.

    python -m benchmarks.gpu --minutes 8 --evidence gpu

The networks are divided among processes that share the GPU, each of them ``conformance check``,
and each does its small networks first.  Evidence is written after every network, so a run that is
cut off keeps what it has; ``--minutes 0`` joins what such a run has left.  With ``--device cpu``
everything is the same but the device.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import IO

from tabulate import tabulate

from conformance import boot, reference
from conformance.judge.record import evidence
from conformance.ports import implementations as frameworks
from conformance.reference import Model

ROOT = Path(__file__).resolve().parent.parent
DEVICES = ("gpu", "cpu")


@dataclass(frozen=True, slots=True)
class Lane:
    """A framework, the backend it computes with, and seconds for a network and for each layer."""

    name: str
    framework: str
    network: float
    layer: float
    backend: str = ""

    def seconds(self, model: Model) -> float:
        """About how long a network takes in one of many processes, by its table."""
        layers = sum(len(row.layers) for row in model.rows)
        products, weights = (model.total(each) or 0 for each in ("multiply-adds", "weights"))
        return self.network + self.layer * layers + GIGA * products / 1e9 + MEGA * weights / 1e6

    def whole(self, models: Iterable[Model]) -> float:
        """The same of several, one after another."""
        return sum(map(self.seconds, models))


#: The fastest first.
LANES = (
    Lane("torch", "torch", 2.0, 0.035),
    Lane("flax", "flax", 5.0, 0.10),
    Lane("keras-jax", "keras", 6.5, 0.11, "jax"),
)
#: Seconds that the oracle takes for a thousand million multiply-adds, and for a million weights.
GIGA, MEGA = 0.25, 0.16

#: What ``check`` is asked for besides float64, which decides and is always there; and where.
MODES = (
    (("--precision", "float32"), DEVICES),
    (("--precision", "tf32"), ("gpu",)),
    (("--precision", "bfloat16"), DEVICES),
    (("--exact",), DEVICES),
)

#: Seconds that a process has to write down what it has when the time is up.
PATIENCE = 15


def dealt(lane: Lane, models: Sequence[Model], hands: int) -> list[list[Model]]:
    """Divide networks so that all hands take about as long, the small ones of each first."""
    found: list[list[Model]] = [[] for _ in range(hands)]
    for model in sorted(models, key=lane.seconds, reverse=True):
        min(found, key=lane.whole).append(model)
    return [hand[::-1] for hand in found if hand]


def divided(processes: int, lanes: Sequence[Lane], models: Sequence[Model]) -> dict[Lane, int]:
    """How many processes each lane has; where there are too few, lanes come one after another."""
    if processes < len(lanes):
        return dict.fromkeys(lanes, processes)
    found = dict.fromkeys(lanes, 1)
    while sum(found.values()) < processes:
        found[max(lanes, key=lambda lane: lane.whole(models) / found[lane])] += 1
    return found


class Race:
    """Processes against the clock, what they say, and when they said it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.start, self.over = options, monotonic(), False
        self.parts: Path = options.evidence / "parts"
        self.running: set[subprocess.Popen[str]] = set()
        self.lock = Lock()
        #: Lane, network, seconds, verdict.
        self.times: list[tuple[str, str, float, str]] = []

    def say(self, who: str, what: str) -> None:
        print(f"{monotonic() - self.start:6.1f} s  {who:12}  {what}", flush=True)

    def work(self, lane: Lane, number: int, models: list[Model]) -> None:
        """Check networks in one process, and go on behind one that has ended it."""
        todo, turn = [model.name for model in models], 0
        while todo and not self.over:
            place = self.parts / f"{lane.name}-{number}.{turn}"
            place.mkdir(parents=True, exist_ok=True)
            code = self._check(lane, todo, place)
            kept = {path.stem for path in place.glob("*/*.json")}
            rest = [name for name in todo if name not in kept]
            if not rest or self.over:
                return
            if not kept:
                self.say(place.name, f"did not start: exit code {code}, see {place / 'log'}")
                return
            self.say(place.name, f"{rest[0]} ended it: exit code {code}, see {place / 'log'}")
            self.times.append((lane.name, rest[0], 0.0, f"exit code {code}"))
            todo, turn = rest[1:], turn + 1

    def _check(self, lane: Lane, names: list[str], place: Path) -> int:
        device = self.options.device
        command = [
            *boot.command("conformance", "check", *names),
            *("--framework", lane.framework, "--device", device, "--debug"),
            *("--evidence", str(place)),
            *(word for words, devices in MODES if device in devices for word in words),
        ]
        last = monotonic()
        with (place / "log").open("w") as log, self._started(command, lane, log) as process:
            assert process.stdout
            for line in process.stdout:
                self.say(place.name, line.rstrip())
                match line.split():  # a network's line; what is wrong with it is indented
                    case [name, lane.framework, verdict, *_] if name in names:
                        self.times.append((lane.name, name, monotonic() - last, verdict))
                        last = monotonic()
        self.running.discard(process)
        return process.returncode

    def _started(self, command: list[str], lane: Lane, log: IO[str]) -> subprocess.Popen[str]:
        cache = {
            "JAX_COMPILATION_CACHE_DIR": str(self.parts / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        backend = {"KERAS_BACKEND": lane.backend} if lane.backend else {}
        threads = {"OMP_NUM_THREADS": "1"}
        with self.lock:
            process = subprocess.Popen(
                command, cwd=ROOT, env=threads | cache | os.environ | backend, text=True,
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
            self.running.add(process)
            if self.over:
                process.send_signal(signal.SIGINT)
        return process

    def stop(self) -> None:
        """Have every process write down what it has, and end."""
        with self.lock:
            self.over = True
            for process in self.running:
                process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        for process in list(self.running):
            process.kill()


def run(race: Race, lanes: Sequence[Lane], models: Sequence[Model]) -> None:
    """Deal the networks and wait for the end, or for the end of the time."""
    options = race.options
    pool = ThreadPoolExecutor(options.processes)
    jobs = [
        pool.submit(race.work, lane, number, hand)
        for lane, hands in divided(options.processes, lanes, models).items()
        for number, hand in enumerate(dealt(lane, models, hands))
    ]
    with suppress(KeyboardInterrupt):
        wait(jobs, options.minutes * 60)
    if any(not job.done() for job in jobs):
        race.say("", "time is up")
        race.stop()
        wait(jobs, PATIENCE)
        race.kill()
    pool.shutdown()
    for job in jobs:
        job.result()


def join(parts: Path, target: Path) -> dict[str, evidence.Run]:
    """Put together what processes found in the same framework, beside what is there already."""
    found: dict[str, evidence.Run] = {}
    for place in [target, *sorted(parts.glob("*.*"))]:
        for part in evidence.read(place):
            known = found.get(part.name)
            same = known and replace(part, records={}) == replace(known, records={})
            if known and same:
                known.records |= part.records
            else:  # of other code or versions: the later one counts
                found[part.name] = part
    for each in found.values():
        evidence.write(each, target)
    return found


def table(race: Race, lanes: Sequence[Lane], runs: dict[str, evidence.Run]) -> str:
    """How far each framework came and how long its networks took."""
    rows = []
    for lane in lanes:
        times = [each for each in race.times if each[0] == lane.name]
        verdicts = Counter(verdict for *_, verdict in times)
        slowest = max(times, key=lambda each: each[2], default=("", "", 0.0, ""))
        joined = runs.get(f"{lane.name}-{race.options.device}")
        rows.append(
            [
                lane.name,
                ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items())),
                len(joined.records) if joined else 0,
                f"{sum(each[2] for each in times):.0f} s",
                f"{slowest[1]} {slowest[2]:.0f} s",
            ]
        )
    return tabulate(rows, ["framework", "in this run", "evidence", "process time", "slowest"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("architectures", metavar="ARCH", nargs="*", help="default: every network")
    parser.add_argument("--device", choices=DEVICES, default="gpu")
    parser.add_argument("--evidence", metavar="DIR", type=Path, required=True)
    parser.add_argument("--minutes", metavar="M", type=float, default=8.0, help="default: 8")
    parser.add_argument(
        "--processes", metavar="N", type=int, default=os.cpu_count() or 1,
        help="at the same time (default: one for each core)",
    )  # fmt: skip
    options = parser.parse_args()
    if unknown := [name for name in options.architectures if name not in reference.models()]:
        parser.error(f"no network {unknown[0]!r}; see conformance list")
    if options.processes < 1:
        parser.error("--processes takes a whole number from 1 on")
    return options


def main() -> int:
    """Run, join, and say how far it came: 0 if every network conforms in every framework."""
    options = _options()
    os.environ.setdefault("KERAS_BACKEND", "jax")  # what is missing depends on it
    models = [reference.models()[name] for name in options.architectures or reference.models()]
    lanes = [lane for lane in LANES if not frameworks.missing(lane.framework)]
    for lane in LANES:
        if lane not in lanes:
            print(f"{lane.name} is left out: {frameworks.missing(lane.framework)}")
    race = Race(options)
    if options.minutes > 0:
        run(race, lanes, models)
    runs = join(race.parts, options.evidence)
    if race.times:
        times = json.dumps(sorted(race.times), indent=1) + "\n"
        (options.evidence / "times.json").write_text(times, encoding="utf-8")
    print(table(race, lanes, runs))
    verdicts = [verdict for *_, verdict in race.times]
    every = len(verdicts) == len(models) * len(LANES)
    return 1 if "deviates" in verdicts else 0 if every and {*verdicts} == {"conforms"} else 3


if __name__ == "__main__":
    sys.exit(main())
