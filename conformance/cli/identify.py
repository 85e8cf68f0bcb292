"""``conformance identify``: the architectures and variants that a port is closest to."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from conformance.cli import arguments
from conformance.cli.gate import apart, job_of
from conformance.cli.output import Output, code
from conformance.errors import Refused

HELP = """\
The candidates are ranked by the differences that no variant explains, fewest first.

example:
  conformance identify my_models:net
  conformance identify net.py:build --top 10 --json -
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    arguments.port(command)
    command.add_argument(
        "--top", metavar="N", type=int, default=5, help="how many candidates (default: 5)"
    )
    arguments.form(command)
    arguments.schema(command, "identify")


def run(options: Namespace) -> int:
    """Rank the candidates; only a port that is one of them without a surplus is identified."""
    if options.top < 1:
        raise Refused(f"--top takes a number from 1 up, not {options.top}")
    output = Output(options.json)
    job = job_of(options) | {"task": "judge.identify", "top": options.top}
    answer = apart(job, options, output)
    from conformance.data import written
    from conformance.judge import render
    from conformance.judge.answers import identified
    from conformance.judge.results import printable

    result = identified(answer)
    output.result(written(result))
    document = render.identify(printable(result))
    if options.format == "text":
        output.table(document.columns, document.rows, right="differences")
        output.line()
    output.document(document, options.format)
    return code(result)
