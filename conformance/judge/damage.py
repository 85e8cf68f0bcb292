"""What a record of evidence cannot be, though its schema allows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from conformance import reference

Json = dict[str, Any]


def damage(record: Json, name: str) -> str:
    """Why a record is not one of the network that it is filed under; empty if it can be."""
    return next(_damages(record, name), "")


def _damages(record: Json, name: str) -> Iterator[str]:
    if record["model"] != name:
        yield f"it is of {record['model']}, run.json lists it as {name}"
    for mode, graph in (("graph", record["graph"]), ("training", record["training"])):
        if graph is not None:
            yield from _graph(graph, mode, name)
    for key in ("parity", "training_parity", "gradients", "training_gradients"):
        if (compared := record[key]) is not None:
            graph = record["training" if key.startswith("training") else "graph"]
            yield from _compared(compared, graph, key)
    for number, compared in enumerate(record["executions"]):
        yield from _compared(compared, record["graph"], f"executions[{number}]")


def _graph(graph: Json, mode: str, name: str) -> Iterator[str]:
    """Nodes in order of execution: each reads what stands before it."""
    nodes = graph["nodes"]
    if not nodes or not graph["inputs"] or not graph["outputs"]:
        yield f"{mode} has no nodes, no input or no output"
    for index, node in enumerate(nodes):
        if any(source >= index for source in node["inputs"]):
            yield f"{mode}: node {index} reads a node that is not before it"
    if strange := [i for i in (*graph["inputs"], *graph["outputs"]) if i >= len(nodes)]:
        yield f"{mode} has no node {strange[0]}"
    image = nodes[graph["inputs"][0]]["shape"]
    if (model := reference.models().get(name)) and image != list(model.input):
        taken = "x".join(map(str, image))
        yield f"{mode} takes an image of {taken}, {name} one of {'x'.join(map(str, model.input))}"


def _compared(compared: Json, graph: Json | None, key: str) -> Iterator[str]:
    """Every result is of a node that is there, and of each there is one."""
    if graph is None:
        yield f"{key} is of a mode that has no graph"
        return
    results = compared.get("nodes", []), compared.get("slots", []), compared.get("statistics", [])
    for some in results:
        counts = Counter((each["node"], each.get("slot")) for each in some)
        if twice := [node for (node, _), count in counts.items() if count > 1]:
            yield f"{key} has node {twice[0]} more than once"
    of = [each["node"] for some in (*results, compared["controls"]) for each in some]
    if strange := [node for node in of if node >= len(graph["nodes"])]:
        yield f"{key} is of a node {strange[0]}, which is not there"
