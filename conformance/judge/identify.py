"""Identification: which published network, and which variant of it, a port is closest to.

The reference alone says which networks can be meant at all, by their layers with weights; the best
of those are traced and compared as the gate does, structure only.
"""

from __future__ import annotations

from collections import Counter
from math import log
from typing import Any

from conformance import reference
from conformance.graph.model import Graph
from conformance.judge.gate import opened
from conformance.judge.port import Judged, judge
from conformance.judge.subject import Stage
from conformance.reference import Model
from conformance.trace.canonical import canonical
from conformance.trace.port import Port, Size, UntraceableModel

Json = dict[str, Any]

#: What is told of a candidate.
SHOWN = ("architecture", "verdict", "variant", "variants", "findings", "remarks", "open")

#: How many networks are traced for each candidate that is asked for.
TRACED = 2


def work(job: Json, stage: Stage) -> Json:
    """The result of ``conformance identify`` for a job of ``port``, ``top``, ``size``, …"""
    port = opened(job, stage)
    stage("tracing the port", 0, 0)
    size = tuple(job["size"]) if job["size"] else None
    graphs = _graphs(port, size)
    models = list(reference.models().values())
    near = sorted(models, key=lambda model: _distance(graphs, model, size))[: TRACED * job["top"]]
    candidates: list[Judged] = []
    left_out: dict[str, list[str]] = {}
    for number, model in enumerate(near):
        stage(f"comparing with {model.name}", number, len(near))
        try:
            candidates.append(judge(port, model, size=size, numbers=False))
        except UntraceableModel as refused:  # the two have no size of image in common
            left_out.setdefault(str(refused), []).append(model.name)
    if not candidates:
        raise UntraceableModel("the port takes the image of no network that is known here")
    candidates.sort(key=lambda each: (len(each.findings), len(each.profiles)))
    rows = [each.as_json("") for each in candidates[: job["top"]]]
    return {
        "schema": 1,
        "port": job["port"],
        "framework": port.framework,
        "verdict": candidates[0].verdict,
        "candidates": [
            {"differences": len(row["findings"])} | {key: row[key] for key in SHOWN} for row in rows
        ],
        "left_out": [{"architectures": each, "why": why} for why, each in left_out.items()],
    }


def _graphs(port: Port, size: Size | None) -> dict[Size, Graph]:
    """The port on images of every size that a network takes; those that it refuses are left out."""
    sizes = [size] if size else list({m.input: None for m in reference.models().values()})
    found: dict[Size, Graph] = {}
    refused: UntraceableModel | None = None
    for each in sizes:
        try:
            found[each] = canonical(port.trace(each))
        except UntraceableModel as reason:
            refused = refused or reason
    if not found:
        assert refused is not None
        raise refused
    return found


def _distance(graphs: dict[Size, Graph], model: Model, size: Size | None) -> float:
    """How unlike a port is to what the reference says: its layers with weights, and their sum."""
    graph = graphs.get(size or model.input)
    if graph is None:
        return float("inf")
    ours = Counter(
        _plain(layer) for row in model.rows if not row.after for layer in row.convolutions
    )
    theirs = Counter(
        f"{'x'.join(map(str, n.attributes['kernel']))} {n.shape[-1]}" if n.kind == "conv"
        else f"fc {n.shape[-1]}"
        for n in graph if n.kind in ("conv", "dense")
    )  # fmt: skip
    unlike = (ours - theirs).total() + (theirs - ours).total()
    weights = model.total("weights") or 1
    return unlike / (ours.total() + theirs.total() or 1) + abs(
        log((graph.parameters("weights") or 1) / weights)
    )


def _plain(layer: str) -> str:
    """A layer without its stride: ports move it."""
    first, _, rest = layer.partition(" ")
    return f"{first.partition('/')[0]} {rest}"
