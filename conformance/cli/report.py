"""``conformance report``: evidence in, tables out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from conformance import errors as codes
from conformance.cli import arguments
from conformance.cli.output import Output
from conformance.errors import SEVERITY, Refused
from conformance.files import folder
from conformance.judge.record import evidence
from conformance.reports import diff, markdown, site
from conformance.reports.results import results

HELP = """\
'conformance check --evidence DIR' leaves evidence, and so does the suite.
The verdicts are shown; with --out the pages are written into DIR, and with --html a site
that needs no network, each in one move.

example:
  conformance report evidence --out report --html site
  conformance report laptop/evidence gpu/evidence --json results.json
  conformance report --diff old/results.json evidence
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("evidence", metavar="EVIDENCE", nargs="*", type=Path, help="folders")
    command.add_argument("--out", type=Path, metavar="DIR", help="write Markdown into this folder")
    command.add_argument(
        "--html", type=Path, metavar="DIR", help="write a static site, for people to look at"
    )
    command.add_argument(
        "--diff", nargs=2, type=Path, metavar=("OLD", "NEW"),
        help="say what changed between two results.json or folders of evidence; 1 on a regression",
    )  # fmt: skip
    arguments.schema(command, "results")


def run(options: Namespace) -> int:
    """Join the evidence, show the verdicts, and write the report."""
    if options.diff:
        return _diff(options)
    if not options.evidence:
        raise Refused("EVIDENCE is missing, folders or --diff OLD NEW; see conformance report -h")
    output = Output(options.json)
    try:
        runs = [run for each in options.evidence for run in evidence.read(each)]
        if not runs:
            names = " or ".join(map(str, options.evidence))
            reason = f"no evidence in {names}: conformance check --evidence DIR leaves some"
            raise Refused(reason, codes.INCONCLUSIVE)
        data = results(runs)
    except evidence.DamagedEvidence as damaged:
        raise Refused(str(damaged)) from None
    for target, write in ((options.out, markdown.write), (options.html, site.write)):
        if target:
            try:
                write(data, runs, folder(target))
            except OSError as error:
                raise Refused(f"cannot write into {target}: {error.strerror}") from None
    _verdicts(data, output)
    if options.out:
        output.line(f"written to {options.out}: begin with index.md")
    if options.html:
        output.line(f"written to {options.html}: open index.html")
    output.result(data)
    stale = [run.name for run in runs if evidence.stale(run)]
    if stale:
        output.line(f"recorded by other code than this, record again: {', '.join(stale)}", "yellow")
    return max(_code(data), codes.INCONCLUSIVE if stale else codes.CONFORMS, key=SEVERITY.index)


def _diff(options: Namespace) -> int:
    """Tell what changed between two results; a regression is a deviation."""
    if options.evidence or options.out or options.html:
        raise Refused("--diff OLD NEW stands alone: leave out EVIDENCE, --out and --html")
    output = Output(options.json)
    try:
        found = diff.changes(*map(diff.load, options.diff))
    except evidence.DamagedEvidence as damaged:
        raise Refused(str(damaged)) from None
    for sentence in found.regressions:
        output.line(f"regression: {sentence}", style="red")
    for sentence in found.others:
        output.line(sentence)
    output.line(
        f"{len(found.regressions)} regressions, {len(found.others)} other changes"
        if found.regressions or found.others
        else "nothing changed"
    )
    output.result({"schema": 1, "regressions": found.regressions, "others": found.others})
    return codes.DEVIATES if found.regressions else codes.CONFORMS


def _verdicts(data: dict[str, Any], output: Output) -> None:
    """The networks that were run anywhere, and why a verdict is not the wished one."""
    names = [run["name"] for run in data["runs"]]
    rows, reasons = [], []
    for network in data["networks"]:
        verdicts = {name: network["verdicts"][name] for name in names}
        if all(each["verdict"] == "not run" for each in verdicts.values()):
            continue
        agree = ["yes" if each["agrees"] else "no" for each in network["agreement"]]
        words = [verdicts[name]["verdict"] for name in names]
        rows.append((network["model"], *words, min(agree, default="")))
        reasons += [
            f"{network['model']} in {name}: {reason}"
            for name, each in verdicts.items()
            for reason in each["reasons"]
        ]
        reasons += [
            f"{network['model']}: {each['first']} and {each['second']} cannot be compared:"
            f" {each['problem']}"
            for each in network["agreement"]
            if each["problem"]
        ]
    output.table(("architecture", *names, "agree"), rows)
    output.line()
    counts = ", ".join(f"{status} {count}" for status, count in data["counts"].items() if count)
    output.line(f"claims: {counts}")
    for reason in reasons:
        output.line(reason)


def _code(data: dict[str, Any]) -> int:
    """The worst verdict on what ran and on whether the runs agree.

    What was not run is no verdict: the report says so where it would stand.
    """
    networks = data["networks"]
    verdicts = {each["verdict"] for network in networks for each in network["verdicts"].values()}
    apart = [each for network in networks for each in network["agreement"] if not each["agrees"]]
    if data["counts"]["deviates"] or "deviates" in verdicts or any(map(_differs, apart)):
        return codes.DEVIATES
    return codes.INCONCLUSIVE if "inconclusive" in verdicts or apart else codes.CONFORMS


def _differs(agreement: dict[str, Any]) -> bool:
    """Whether two runs really differ; otherwise they could not be compared."""
    return bool(agreement["findings"] or agreement["first_divergence"])
