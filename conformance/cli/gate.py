"""``conformance gate``: a stranger's port against a published network."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from conformance import errors as codes
from conformance.cli import arguments, baseline
from conformance.cli.facts import found
from conformance.cli.output import Output, code
from conformance.errors import Refused
from conformance.files import put, refuse_early
from conformance.trace import registry

if TYPE_CHECKING:
    from conformance.judge.results import Gate

Json = dict[str, Any]

HELP = """\
PORT is package.module:factory or path/to/file.py:factory; the factory takes nothing and
returns a torch.nn.Module, a Keras model, a Flax NNX or Linen module, or for any other JAX
library a pair (apply, variables) with apply(variables, images).  Nothing is configured: no
names are mapped, no tolerance is chosen.  The port runs in a process of its own.

example:
  conformance gate my_models:resnet50 --arch resnet50
  conformance gate models/googlenet.py:build --arch googlenet --format markdown
  conformance gate my_models:net --arch vgg16 --baseline known.json --json -
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    arguments.port(command)
    command.add_argument(
        "--arch", metavar="ARCH", required=True, help="a name or alias from the list"
    )
    command.add_argument("--no-numbers", action="store_true", help="structure only: run nothing")
    command.add_argument(
        "--trained", action="store_true", help="it loads a checkpoint: do not judge initial values"
    )
    arguments.form(command)
    command.add_argument("--html", metavar="FILE", help="write a page with both graphs")
    command.add_argument("--badge", metavar="FILE", help="write a badge endpoint, JSON")
    arguments.baseline(command)
    arguments.schema(command, "gate")


def run(options: Namespace) -> int:
    """Judge the port in a process of its own and tell the verdict."""
    output = Output(options.json)
    for target in filter(None, (options.html, options.badge)):
        refuse_early(Path(target))
    known = _known(options.baseline)
    job = job_of(options) | {
        "task": "judge.gate",
        "architecture": found(options.arch).name,
        "numbers": not options.no_numbers,
        "trained": options.trained,
        "drawing": bool(options.html),
    }
    try:
        answer = apart(job, options, output)
        from conformance.judge.answers import accepted

        result = accepted(job, answer)
    except Refused as refused:
        if refused.code != codes.INCONCLUSIVE:
            raise
        answer, result = {}, _unjudged(job, str(refused))
    from conformance.data import written
    from conformance.judge import render
    from conformance.judge.results import printable

    drawing = answer.get("drawing")
    result = baseline.set_aside(result, known)
    # Files first: whoever reads the lines may have seen enough before the last one.
    output.result(written(result))
    if options.badge:
        put(json.dumps(render.badge(result), ensure_ascii=False) + "\n", Path(options.badge))
    if options.html and drawing:
        from conformance.reports.site import port_page

        port_page(written(result) | drawing, Path(options.html))
    output.document(render.gate(printable(result)), options.format)
    if options.html and not drawing:
        output.line(f"  there is nothing to draw: {options.html} was not written")
    return code(result)


def _known(path: str | None) -> Gate | None:
    """The baseline, if there is one."""
    if not path:
        return None
    from conformance.judge.results import Gate

    return baseline.read(path, Gate)


def _unjudged(job: Json, reason: str) -> Gate:
    """The result for a port that ended before its verdict: a reason, and nothing that ran."""
    from conformance.judge.finding import Judgement, Part, Unjudged
    from conformance.judge.port.verdict import Judged

    nothing = Judgement.of([Part(open=[Unjudged("structure", reason)])])
    judged = Judged(job["framework"] or "unknown", found(job["architecture"]), nothing)
    return judged.result(job["port"])


def job_of(options: Namespace) -> Json:
    """What a process needs to know of a port."""
    framework = None
    if options.framework:
        try:
            framework = registry.find(options.framework).name
        except registry.UnknownFramework as unknown:
            raise Refused(str(unknown)) from None
    return {
        "port": options.port,
        "framework": framework,
        "size": options.input,
        "seed": options.seed,
        "debug": options.debug,
    }


def apart(job: Json, options: Namespace, output: Output, who: str = "the port") -> Json:
    """The job's result, from a process of its own, with a bar on a terminal."""
    from conformance.ports.sandbox import NO_GPU, Limits, work

    limits = Limits(options.timeout or None, options.memory)
    with output.progress() as progress:

        def part(data: Json) -> None:
            progress.line(f"{data['structure']} in structure")

        Thread(target=_meanwhile, daemon=True).start()
        return work(job, limits, progress, part=part, variables=NO_GPU, who=who)


def _meanwhile() -> None:
    """Load what the answer is read and told with, while the port is at work."""
    for name in ("answers", "render", "published"):
        import_module(f"conformance.judge.{name}")
