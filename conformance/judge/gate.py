"""The gate's job: one port judged against one network."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

from conformance import reference
from conformance.data import written
from conformance.judge import published
from conformance.judge.finding import Remark
from conformance.judge.port.subject import Stage
from conformance.judge.port.verdict import Judged, judge
from conformance.ports import loading
from conformance.trace.port import Port

Json = dict[str, Any]

#: A port is held against the wrong network if there is a finding for one in so many of its layers,
#: and in another network fewer differ by so many times.
MANY, FAR = 4, 2


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
    found.judgement.remarks += meant(found)
    result: Json = written(found.result(job["port"]))
    return result | ({"drawing": found.drawing} if job["drawing"] else {})


def meant(found: Judged) -> Iterator[Remark]:
    """The network that was meant, where little of a port is as in the one that was named."""
    named = found.model
    many = MANY * len(found.findings) >= len(published.network(named).inference)
    if found.another or found.graph is None or not many:
        return
    if other := published.another(found.graph, named.name, FAR):
        said = f"most of its layers are those of {other}: is --arch {other} meant?"
        yield Remark("network", "network", named.name, other, hint=said)


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
