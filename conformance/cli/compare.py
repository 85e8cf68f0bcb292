"""``conformance compare``: two ports with their own weights, layer by layer."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.cli import arguments, baseline
from conformance.cli.output import Output, code
from conformance.cli.pair import apart, sides
from conformance.data import written
from conformance.files import refuse_early
from conformance.judge import render
from conformance.judge.answers import compared
from conformance.judge.compare import compare
from conformance.judge.document import Document
from conformance.judge.results import Compare, printable

Json = dict[str, Any]

HELP = """\
A port is package.module:factory or path/to/file.py:factory; called without arguments, it
returns a model with its weights loaded.  Layers are matched by structure, never by name.
Weights are compared slot by slot; then both models run in float64 on one image.

example:
  conformance compare mine.py:ported torchvision.models:resnet18 --input 224x224x3
  conformance compare old.py:model new.py:model --arch resnet50 --json -
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    arguments.ports(command)
    arguments.form(command)
    command.add_argument("--html", metavar="FILE", help="write a page with both graphs")
    arguments.baseline(command)
    arguments.schema(command, "compare")


def run(options: Namespace) -> int:
    """Compare, show what differs, and say where the two first differ."""
    output = Output(options.json)
    if options.html:
        refuse_early(Path(options.html))
    known = baseline.read(options.baseline, Compare)
    answer = apart("cli.compare", options, output, drawing=bool(options.html))
    drawing, result = answer.get("drawing"), baseline.set_aside(compared(answer), known)
    output.result(written(result))
    if drawing:
        from conformance.reports.site import port_page

        port_page(written(result) | drawing, Path(options.html))
    document = render.compare(printable(result))
    if options.format == "text":
        render_text(document, result, output)
    else:
        output.document(document, options.format)
    return code(result)


def work(job: Json, say: Callable[..., None]) -> Json:
    """The job of the process that holds the two."""
    a, b = sides(job, say)
    found = compare(a, b, lambda done, total: say("comparing", done, total))
    result: Json = written(found.result())
    return result | ({"drawing": found.drawing()} if job["drawing"] else {})


def render_text(document: Document, result: Compare, output: Output) -> None:
    """A table of what differs between what was compared and the verdict."""
    for letter, side in (("A", result.a), ("B", result.b)):
        size = f"{side.nodes} nodes, {side.numbers:,} numbers"
        output.line(f"{letter}  {side.port} ({side.framework}): {size}")
    output.line()
    if document.rows:
        output.table(document.columns, document.rows)
        output.line()
    for line in document.closing:
        output.line(line)
    output.line(document.headline, document.colour)
