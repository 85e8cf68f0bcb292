"""``python -m tests.selftest``: every wrong model judged, and every right one beside it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from conformance import errors as codes
from conformance.cli.output import Output
from conformance.errors import Refused
from conformance.ports import implementations as frameworks
from conformance.ports.sandbox import NO_GPU
from conformance.trace.registry import UnknownFramework
from tests.quiet import aside, bar, environment
from tests.selftest.corpus import Tally, tally

COLUMNS = (
    "framework",
    "mutants",
    "killed",
    "at its layer",
    "by its word",
    "false alarms",
    "separation",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and what was missed.

    Returns 0 when every mutant is killed at its layer and by its word and no right network raises
    an alarm, 1 otherwise, 2 for wrong usage, 3 when no framework is installed.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.selftest", description=__doc__)
    parser.add_argument(
        "--framework", metavar="F", action="append", default=[],
        help="judge this framework's wrong models (repeatable; default: all that are installed)",
    )  # fmt: skip
    parser.add_argument(
        "--numbers", action="store_true", help="run those that numbers see in float64 as well"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result of one framework as well")
    options = parser.parse_args(arguments)
    try:
        return _run(_chosen(options.framework, options.json), options.numbers, options.json)
    except Refused as refused:
        print(f"tests.selftest: {refused}", file=sys.stderr)
        return refused.code


def _chosen(asked: list[str], json: str | None) -> list[str]:
    try:
        named = list(dict.fromkeys(map(frameworks.find, asked)))
        for name in named:
            frameworks.require(name)
    except (UnknownFramework, frameworks.NotInstalled) as unknown:
        raise Refused(str(unknown)) from None
    found = named or [f for f in frameworks.frameworks() if not frameworks.missing(f)]
    if not found:
        raise Refused("no framework is installed: pip install '.[torch]'", codes.INCONCLUSIVE)
    if json and len(found) > 1:
        raise Refused(f"--json is about one framework, here are {', '.join(found)}: --framework F")
    return found


def _run(chosen: list[str], numbers: bool, json: str | None) -> int:
    output = Output(json)
    tallies = []
    for name in chosen:
        with environment(NO_GPU), aside(False) as terminal, bar(name, terminal) as progress:
            tallies.append(tally(name, numbers, progress))
    output.table(COLUMNS, list(map(_row, tallies)), right=", ".join(COLUMNS[1:]))
    for each in tallies:
        _tell(each, output)
    if len(tallies) == 1:
        output.result(tallies[0].as_json())
    return codes.CONFORMS if all(each.holds for each in tallies) else codes.DEVIATES


def _row(found: Tally) -> tuple[str, ...]:
    counts = (
        len(found.mutants),
        sum(m.killed for m in found.mutants),
        sum(m.at_layer for m in found.mutants),
        sum(m.by_word for m in found.mutants),
    )
    alarms = f"{sum(found.alarms.values())} of {len(found.alarms)}"
    apart = f"{found.separation:.1e}" if found.separation else "not run"
    return (found.framework, *map(str, counts), alarms, apart)


def _tell(found: Tally, output: Output) -> None:
    """What was missed, one line each, and what was not judged."""
    for mutant in found.missed:
        output.line(f"  {'elsewhere' if mutant.killed else 'survives'}: {mutant}")
    for mutant in found.unseen:
        output.line(f"  numbers do not see {mutant}")
    for name, count in found.alarms.items():
        if count:
            output.line(f"  {count} false alarms: {name}")
    for mode, count in Counter(found.unjudged.values()).items():
        output.line(f"  {count} mutants wait for a check of {mode}")


if __name__ == "__main__":
    sys.exit(main())
