"""The gate's job: one port judged against one network."""

from __future__ import annotations

import gc
from typing import Any

from conformance import reference
from conformance.data import written
from conformance.judge.port.subject import Stage
from conformance.judge.port.verdict import judge
from conformance.ports import loading
from conformance.trace.port import Port

Json = dict[str, Any]


def work(job: Json, stage: Stage) -> Json:
    """The result of ``conformance gate`` for a job of ``port``, ``architecture``, ``size``, …

    What structure says is a part of it that comes first.
    """
    from conformance.judge.render import headline

    part = getattr(stage, "part", lambda data: None)
    port = opened(job, stage)
    size = tuple(job["size"]) if job["size"] else None
    model = reference.find(job["architecture"])
    found = judge(
        port, model, size=size, numbers=job["numbers"], seed=job["seed"],
        trained=job["trained"], expect=job.get("expect", ()), stage=stage,
        seen=lambda judged: part({"structure": headline(judged.result(job["port"]))}),
    )  # fmt: skip
    result: Json = written(found.result(job["port"]))
    return result | ({"drawing": found.drawing} if job["drawing"] else {})


def opened(job: Json, stage: Stage) -> Port:
    """The port of a job, with the tracer of its framework."""
    gc.disable()  # what importing a framework makes is there to stay
    try:
        stage("importing the port", 0, 0)
        factory = loading.load(job["port"])
        stage("building the port", 0, 0)
        return loading.opened(factory, job["framework"])
    finally:
        gc.freeze()  # a collection looks at what is made from here on, not at all of that again
        gc.enable()
