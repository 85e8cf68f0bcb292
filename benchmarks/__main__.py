"""Time, memory and counts of the suite beside other tools.

A ratio that exceeds its stated limit by half ends in exit code 1, and a measurement that cannot be
made in 4; one that lacks a package is skipped with a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

from tabulate import tabulate

from benchmarks.plan import Measurement, Probe, measurements, missing
from benchmarks.probe import Figures

ROOT = Path(__file__).resolve().parent.parent

#: How a figure is called, its unit and how many of ours are one of it, and the digits shown.
SHOWN = {
    "seconds": ("time", "s", 1.0, ".2f"),
    "memory": ("new memory", "MB", 1e6, ",.0f"),
    "peak": ("peak memory", "MB", 1e6, ",.0f"),
    "multiply-adds": ("multiply-adds", "", 1.0, ",.0f"),
    "parameters": ("parameters", "", 1.0, ",.0f"),
}
#: Installed packages that the figures depend on.
PACKAGES = frozenset("flax jax keras numpy tensorflow torch torchinfo".split())


#: How many times its stated limit a ratio may be before the run fails.
TOLERATED = 1.5


@dataclass(frozen=True, slots=True)
class Spread:
    """Several repetitions of one figure."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def text(self, unit: str, scale: float, digits: str) -> str:
        """The median, and the least and the most where they differ."""
        middle, *ends = (f"{x / scale:{digits}}" for x in (self.median, self.low, self.high))
        return f"{middle} {unit}".strip() + (f" ({'-'.join(ends)})" if ends[0] != ends[1] else "")


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of ours beside another tool's; the ratio is ours to theirs in the same turn."""

    name: str
    what: str
    figure: str
    tool: str
    ours: Spread
    theirs: Spread
    ratio: Spread
    target: float | None
    limit: float | None

    @property
    def above(self) -> str:
        """The sentence that says by how much the ratio is above what is required, or nothing."""
        if self.limit is None or self.ratio.median <= self.limit:
            return ""
        return (
            f"{self.what} takes {self.ratio.median:.2f} times {self.tool}, required {self.limit:g}"
        )

    @property
    def fails(self) -> bool:
        """Whether the ratio exceeds what is required by half: no busy machine does that."""
        return self.limit is not None and self.ratio.median > TOLERATED * self.limit

    def cells(self) -> list[str]:
        called, unit, scale, digits = SHOWN[self.figure]
        ours, theirs = (spread.text(unit, scale, digits) for spread in (self.ours, self.theirs))
        ratio = self.ratio.text("", 1.0, ".2f" if unit else ".6f")
        target = ""
        if self.target is not None:
            met = "met" if self.ours.median < self.target else "missed"
            target = f"< {self.target / scale:,g} {unit}, {met}"
        if self.limit is not None:
            target = f"ratio <= {self.limit:g}, {'MISSED' if self.above else 'met'}"
        return [f"{self.what}: {called}", ours, self.tool, theirs, ratio, target]


def run(probe: Probe) -> dict[str, Figures]:
    """A probe's figures for each tool.  Raises :class:`RuntimeError` that says what went wrong."""
    command = [sys.executable, "-m", "benchmarks.probe", *probe]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(f"{' '.join(probe)}: {said[-1]}")
    figures: dict[str, Figures] = json.loads(done.stdout.splitlines()[-1])
    return figures


def rows(measurement: Measurement, probes: list[Probe], repeats: int) -> Iterator[Row]:
    """Let the probes take turns, and compare turn by turn."""
    turns: list[dict[str, Figures]] = []
    for turn in range(repeats):
        print(f"{measurement.name} {turn + 1}/{repeats}", file=sys.stderr, flush=True)
        turns.append({tool: took for probe in probes for tool, took in run(probe).items()})
    for figure, target in measurement.figures.items():
        for tool in turns[0]:
            if tool != "ours" and figure in turns[0][tool]:
                ours, theirs = ([turn[who][figure] for turn in turns] for who in ("ours", tool))
                ratio = Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])
                both = Spread.of(ours), Spread.of(theirs)
                limit = measurement.limit(tool) if figure == "seconds" else None
                yield Row(
                    measurement.name, measurement.what, figure, tool, *both, ratio, target, limit
                )


def main() -> int:
    """Measure, print the table, and say whether every measurement could be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="those whose names contain NAME")
    parser.add_argument("--repeat", metavar="N", type=int, help="repetitions of each")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write seconds and bytes here")
    options = parser.parse_args()
    every = list(measurements())
    chosen = [m for m in every if (options.only or "").casefold() in m.name.casefold()]
    if not chosen:
        parser.error(f"no {options.only!r}; there are {', '.join(m.name for m in every)}")
    if options.repeat is not None and options.repeat < 1:
        parser.error("--repeat takes a whole number from 1 on")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"{options.json}: there is no such folder")

    found: list[Row] = []
    notes: list[str] = []
    failed: list[str] = []
    for measurement in chosen:
        reasons = {probe: missing(probe) for probe in measurement.probes}
        probes = [probe for probe, reason in reasons.items() if not reason]
        notes += [f"{measurement.name}: {reason}" for reason in set(reasons.values()) - {""}]
        try:
            if measurement.probes[0] in probes:
                found += rows(measurement, probes, options.repeat or measurement.repeats)
        except RuntimeError as error:
            failed.append(f"{measurement.name} failed: {error}")
    headers = ["what", "ours", "tool", "theirs", "ratio", "target"]
    print(tabulate([row.cells() for row in found], headers, disable_numparse=True))
    above = [row.above for row in found if row.above]
    for line in (*above, *notes, *failed):
        print(line)
    if options.json:
        _write(options.json, found, notes, failed)
    return 4 if failed else 1 if any(row.fails for row in found) else 0


def _write(file: Path, found: list[Row], skipped: list[str], failed: list[str]) -> None:
    """All or nothing, in seconds and bytes."""
    versions = {d.name: d.version for d in distributions() if d.name in PACKAGES}
    rows_ = [asdict(row) for row in found]
    data = {"versions": versions, "rows": rows_, "skipped": skipped, "failed": failed}
    beside = file.with_name(f".{file.name}-{os.getpid()}")
    beside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    beside.replace(file)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing written")
