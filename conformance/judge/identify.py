"""Identification: which published network, and which variant of it, a port is closest to.

Their layers with weights say which networks can be meant at all; a port is compared with the best
of those as the gate does, structure only.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import cache
from math import log
from typing import Any

from msgspec import UNSET

from conformance import reference
from conformance.data import written
from conformance.graph.model import Graph, Node
from conformance.judge import published, results
from conformance.judge.gate import opened
from conformance.judge.port import sizes
from conformance.judge.port.subject import Stage
from conformance.judge.port.verdict import Judged, judge
from conformance.reference import Model
from conformance.trace.canonical import canonical
from conformance.trace.port import Port, Size, Unfinished, UntraceableModel
from conformance.values import text

Json = dict[str, Any]

#: How many networks are tried for each candidate that is asked for, unless one is what it is.
TRACED = 2


class Remembering:
    """A port that is traced and read once in each way, however many networks it is beside."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.trace = cache(port.trace)
        self.canonical = cache(canonical)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def work(job: Json, stage: Stage) -> Json:
    """The result of ``conformance identify`` for a job of ``port``, ``top``, ``size``, …"""
    port: Any = Remembering(opened(job, stage))
    stage("tracing the port", 0, 0)
    images = [tuple(job["size"])] if job["size"] else [*sizes.known(), *sizes.declared(port)]
    try:
        first, graph = sizes.first(port, images, port.canonical)
    except UntraceableModel as refused:
        if job["size"] or isinstance(refused, Unfinished):
            raise
        images = sizes.grey()
        first, graph = sizes.first(port, images, port.canonical)
    models = list(reference.models().values())
    parts = [model for model in models if _part(images, model)]
    whole = [model for model in models if model not in parts]
    whole.sort(key=lambda model: _distance(graph, model))
    most, enough = TRACED * job["top"], max(TRACED, job["top"])
    candidates: list[Judged] = []
    left_out = {"read maps inside a network, not images": [each.name for each in parts]}
    less_like = left_out.setdefault("have layers less like the port's than those compared", [])
    for number, model in enumerate(whole):
        known = number >= enough and any(not each.findings for each in candidates)
        if number >= most or known:
            less_like.append(model.name)
            continue
        stage(f"comparing with {model.name}", number, min(most, len(whole)))
        try:
            size = model.input if model.input in images and _takes(port, model.input) else first
            candidates.append(judge(port, model, size=size, numbers=False))
        except UntraceableModel as refused:  # the two have no size of image in common
            left_out.setdefault(str(refused), []).append(model.name)
    if not candidates:
        raise UntraceableModel("the port takes the image of no network that is known here")
    candidates.sort(key=_rank)
    others = [results.LeftOut(tuple(each), why) for why, each in left_out.items() if each]
    result: Json = written(
        results.Identify(
            schema=1,
            port=job["port"],
            framework=port.framework,
            verdict=candidates[0].verdict,
            candidates=tuple(_candidate(each.result("")) for each in candidates[: job["top"]]),
            left_out=tuple(others),
        )
    )
    return result


def _rank(found: Judged) -> tuple[bool, bool, int, int]:
    """What has no difference comes first, then a known network that bears another one's name."""
    return bool(found.findings), not found.another, len(found.findings), len(found.profiles)


def _candidate(found: results.Gate) -> results.Candidate:
    return results.Candidate(
        len(found.findings), found.architecture, found.verdict, found.variant, found.variants,
        found.findings, found.remarks, found.open, found.another or UNSET,
    )  # fmt: skip


def _part(images: list[Size], model: Model) -> bool:
    """Whether a network reads maps where the port reads an image: a module, a block."""
    return model.input[-1] > sizes.CHANNELS and all(size[-1] <= sizes.CHANNELS for size in images)


def _takes(port: Port, size: Size) -> bool:
    with suppress(UntraceableModel):
        sizes.at(port, size)
        return True
    return False


def _distance(graph: Graph, model: Model) -> float:
    """How unlike a port is to a network: its layers with weights, and what its kernels hold.

    Kernels of dense layers do not count: they are as large as the image makes the last map.  So
    one size of image tells as much as another.
    """
    paper = published.network(model).inference
    theirs, ours = (Counter(map(_layer, each)) for each in (graph, paper))
    del theirs[""], ours[""]
    unlike = (ours - theirs).total() + (theirs - ours).total()
    here, there = (sum(n.weights for n in each if n.kind == "conv") for each in (graph, paper))
    return unlike / (ours.total() + theirs.total() or 1) + abs(log((here or 1) / (there or 1)))


def _layer(node: Node) -> str:
    """A layer without its stride, which ports move; empty for one without a kernel."""
    if node.kind == "conv":
        return f"{text(node.attributes['kernel'])} {node.shape[-1]}"
    return f"fc {node.shape[-1]}" if node.kind == "dense" else ""
