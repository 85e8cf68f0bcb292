"""``conformance identify``: the architectures and variants that a port is closest to."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from conformance import errors as codes
from conformance.cli.gate import apart, job_of
from conformance.cli.output import Output
from conformance.errors import Refused

Json = dict[str, Any]

#: Differences of a candidate that are shown on its line.
SHOWN = 3


def run(options: Namespace) -> int:
    """Rank the candidates; only a port that is one of them without a surplus is identified."""
    from conformance.judge import render as telling

    if options.top < 1:
        raise Refused(f"--top takes a number from 1 up, not {options.top}")
    output = Output(options.json)
    job = job_of(options) | {"task": "judge.identify", "top": options.top}
    result = apart(job, options, output)
    rows = []
    for each in result["candidates"]:
        named = each["architecture"] + (f" as {each['variant']}" if each["variant"] else "")
        groups = telling.causes(each["findings"])
        said = [f"{group[0]['node']}: {telling.difference(group[0])}" for group in groups[:SHOWN]]
        more = [f"and {len(groups) - SHOWN} more"] if len(groups) > SHOWN else []
        rows.append((named, str(each["differences"]), "; ".join([*said, *more])))
    output.table(("architecture", "differences", "which"), rows, right="differences")
    output.line()
    best = result["candidates"][0]
    output.line(
        f"{options.port} ({result['framework']}) has the structure of {rows[0][0]}"
        if not best["differences"]
        else f"{options.port} ({result['framework']}) is none of them; the nearest is {rows[0][0]}"
    )
    output.result(result)
    return codes.DEVIATES if best["differences"] else codes.CONFORMS
