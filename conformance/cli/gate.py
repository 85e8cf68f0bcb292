"""``conformance gate``: a stranger's port against a published network."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from conformance import errors as codes
from conformance.cli.facts import found
from conformance.cli.output import Output
from conformance.errors import Refused
from conformance.files import put, refuse_early
from conformance.quiet import NO_GPU
from conformance.trace import registry

Json = dict[str, Any]

CODES = {
    "conforms": codes.CONFORMS, "conforms-as-variant": codes.CONFORMS, "deviates": codes.DEVIATES
}  # fmt: skip
COLOURS = {"conforms": "green", "conforms-as-variant": "green", "deviates": "red"}


def run(options: Namespace) -> int:
    """Judge the port in a process of its own and tell the verdict."""
    from conformance.judge import render as telling
    from conformance.judge.answers import accepted

    output = Output(options.json)
    for target in filter(None, (options.html, options.badge)):
        refuse_early(Path(target))
    baseline = _baseline(options.baseline) if options.baseline else None
    job = job_of(options) | {
        "task": "judge.gate",
        "architecture": found(options.arch).name,
        "numbers": not options.no_numbers,
        "trained": options.trained,
        "drawing": bool(options.html),
    }
    try:
        result = accepted(job, apart(job, options, output))
    except Refused as refused:
        if refused.code != codes.INCONCLUSIVE:
            raise
        result = _unjudged(job, str(refused))
    drawing = result.pop("drawing", None)
    if baseline is not None:
        set_aside(result, baseline)
    # Files first: whoever reads the lines may have seen enough before the last one.
    output.result(result)
    if options.badge:
        put(json.dumps(telling.badge(result), ensure_ascii=False) + "\n", Path(options.badge))
    if options.html and drawing:
        from conformance.reports.site import port_page

        port_page(result | drawing, Path(options.html))
    if options.format == "markdown":
        output.line(telling.markdown(result).rstrip())
    else:
        first, *rest = telling.lines(result)
        output.line(first, COLOURS.get(result["verdict"], "yellow"))
        for line in rest:
            output.line(line)
        if baseline is not None:
            known, gone = result["baseline"]["known"], result["baseline"]["gone"]
            output.line(f"  {known} known from the baseline; {len(gone)} of it no longer occur")
    if options.html and not drawing:
        output.line(f"  there is nothing to draw: {options.html} was not written")
    return _code(result)


def _unjudged(job: Json, reason: str) -> Json:
    """The result for a port that ended before its verdict: a reason, and nothing that ran."""
    from conformance.judge.port import Judgement

    judgement = Judgement(found(job["architecture"]), job["framework"] or "unknown")
    judgement.open.append(reason)
    judgement.totals = {"parameters": 0, "multiply_adds": 0, "layers": 0}
    return judgement.as_json(job["port"])


def job_of(options: Namespace) -> Json:
    """What a process needs to know of a port."""
    framework = None
    if options.framework:
        try:
            framework = registry.find(options.framework).name
        except registry.UnknownTracer as unknown:
            raise Refused(str(unknown)) from None
    return {
        "port": options.port,
        "framework": framework,
        "size": options.input,
        "seed": options.seed,
        "debug": options.debug,
    }


def apart(job: Json, options: Namespace, output: Output) -> Json:
    """The job's result, from a process of its own, with a bar on a terminal."""
    from conformance.ports.sandbox import Limits, work

    limits = Limits(options.timeout or None, options.memory)
    with output.progress() as progress:
        return work(job, limits, progress, variables=NO_GPU)


def _baseline(path: str) -> Json:
    """An earlier result of the gate.  Raises :class:`Refused`."""
    import jsonschema

    from conformance.judge.schemas import schema

    try:
        data: Json = json.loads(Path(path).read_text(encoding="utf-8"))
        jsonschema.validate(data, schema("gate"))
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, jsonschema.ValidationError) as error:
        reason = error.message if isinstance(error, jsonschema.ValidationError) else error
        said = " ".join(str(reason).split())[:120]
        raise Refused(f"{path} is not a result of 'conformance gate --json': {said}") from None
    return data


def set_aside(result: Json, baseline: Json) -> None:
    """Leave only the findings that the baseline has not; the verdict stays what it is."""
    if baseline["architecture"] != result["architecture"]:
        raise Refused(f"the baseline is about {baseline['architecture']}: record one of its own")
    before = {_named(each) for each in baseline["findings"]}
    now = {_named(each) for each in result["findings"]}
    result["findings"] = [each for each in result["findings"] if _named(each) not in before]
    result["baseline"] = {"known": len(now & before), "gone": sorted(before - now)}


def _code(result: Json) -> int:
    """The verdict's exit code; with a baseline only what is new deviates."""
    if "baseline" in result and result["verdict"] == "deviates" and not result["findings"]:
        ran = 0 < result["checks"]["planned"] == result["checks"]["run"] and not result["open"]
        return codes.CONFORMS if ran else codes.INCONCLUSIVE
    return CODES.get(result["verdict"], codes.INCONCLUSIVE)


def _named(finding: Json) -> str:
    """What makes a finding the same in another run: not the error that was measured there."""
    names = ["check", "node", "attribute"]
    measured = finding["check"] in ("forward", "gradient", "initialisation")
    if not measured and finding["attribute"] not in ("value", "mean", "variance"):
        names += ["expected", "found"]
    return json.dumps([finding[name] for name in names])
