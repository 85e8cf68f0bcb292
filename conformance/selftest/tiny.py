"""Two tiny networks that no framework builds: their reference, graphs, records and runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.evidence import Record, Run
from conformance.parity import Control, NodeParity, Parity
from conformance.trace.graph import Graph, Node, Where

REFERENCE = """# Tiny <b>networks</b>

- paper: Nobody. *Nothing.* 1900.
- document: *Less.*

## Models

- from: paper, *Table 1*
- parameters: `trainable`

| model  | input | parameters |
|--------|-------|------------|
| Tiny-A | 4x4x1 | 47         |
| Tiny-B | 4x4x1 | 4e1        |

## Layers

- from: paper, *Table 1*

| layer | operation | output |
|-------|-----------|--------|
| conv1 | 3x3 2     | 2x2x2  |
| fc    | fc 3      | 3      |

## Claims

- from: document, *Text*

| line | model  | layer | subject       | quantity   | printed | convention | expression  |
|------|--------|-------|---------------|------------|---------|------------|-------------|
| 1    | Tiny-A | conv1 |               | parameters | 21      | trainable  |             |
| 2    |        |       | two \\| layers | parameters | 40      | trainable  | 2 * (9 * 2) |
| 3    |        |       | year          | cited      | 1900    |            |             |

## Disputed

| claim                          | printed | counted | why       | alternative  |
|--------------------------------|---------|---------|-----------|--------------|
| tiny/Tiny-A/conv1/parameters/1 | 21      | 20      | 9 * 2 + 2 | a third bias |
| tiny/two-layers/parameters/2   | 40      | 36      | 2 * 18    |              |
"""


def graph(width: int = 2, last: str = "fc", **attributes: Any) -> Graph:
    """Convolution, ReLU, flatten, dense layer."""
    conv = {"kernel": (3, 3), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "bias": True}
    nodes = [
        Node("input", {}, (), (4, 4, 1)),
        Node(
            "conv", conv | attributes, (0,), (2, 2, width),
            slots={"kernel": (3, 3, 1, width), "bias": (width,)}, where=Where("conv1"),
        ),
        Node("relu", {}, (1,), (2, 2, width), where=Where("conv1")),
        Node("flatten", {}, (2,), (4 * width,), where=Where(last)),
        Node(
            "dense", {"bias": True}, (3,), (3,),
            slots={"kernel": (4 * width, 3), "bias": (3,)}, where=Where(last),
        ),
    ]  # fmt: skip
    return Graph(nodes, (0,), (4,))


def parity(of: Graph, error: float = 1e-14, caught: bool = True, **changes: Any) -> Parity:
    """Values of every node, and one control arm."""
    nodes = tuple(
        NodeParity(i, 1.0, error, 1e-10, (0.5, -0.25 * i)) for i in range(1, len(of.nodes))
    )
    control = Control(1, "first two output channels swapped", 0.1 if caught else 1e-12, 1e-10)
    return replace(Parity(0, nodes, (control,)), **changes)


def record(
    model: str = "Tiny-A", of: Graph | None = None, numbers: bool = True, **changes: Any
) -> Record:
    of = of or graph()
    return Record(model, of, parity(of, **changes) if numbers else None)


def run(framework: str = "one", *records: Record) -> Run:
    records = records or (record("Tiny-A"), record("Tiny-B"))
    return Run(framework, "cpu", {framework: "1.0"}, 0, "c0de", {r.model: r for r in records})


def sampled(**changes: Any) -> dict[str, Any]:
    """Values of which those of the first node are changed."""
    nodes = parity(graph()).nodes
    return {"nodes": (replace(nodes[0], **changes), *nodes[1:])}


UNKNOWN = graph()
UNKNOWN.nodes[2] = replace(UNKNOWN.nodes[2], kind="unknown:erf")
STRANGE = graph(kernel=(9, 9))
STRANGE.nodes[1] = replace(STRANGE.nodes[1], where=Where("<script>|`a`|[x](y)</script>.conv1"))
