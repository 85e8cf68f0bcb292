"""Two tiny networks that no framework builds: their reference, graphs, records and runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import structs

from conformance.graph.model import Graph, Node, Where
from conformance.judge.record.evidence import Record, Run
from conformance.numbers.exact import Exact, ExactNode
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Control, NodeParity, Parity, SlotParity

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


PROFILE = """# Tiny networks: known variants

## <b>wide</b>

- models: Tiny-A
- says: the convolution is <i>5</i> wide | or `wider`
- source: Nobody, <script>alert(1)</script>
- found in: [x](javascript:y)
- verdict: another network

| layer | node    | attribute | paper | variant | how many |
|-------|---------|-----------|-------|---------|----------|
| conv1 | conv *  | width     | 2     | 5       | 1        |
| *     | dense * | inputs    | *     | *       | any      |
"""


def mutant(name: str = "wide", **changes: Any) -> dict[str, Any]:
    """What became of a wrong model: caught, unless something else is said."""
    caught = {"killed": True, "at_layer": True, "by_word": True, "error": 0.1, "bound": 1e-10}
    words = {"architecture": "Tiny-A", "mode": "structure", "layer": "conv1", "attribute": "width"}
    return {"name": name, "who": "Nobody.", "said": "conv1: width", **words, **caught, **changes}


def tally(*mutants: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A self-test that judged these wrong models, all that were planned."""
    return {
        "schema": 1,
        "framework": "one",
        "planned": len(mutants),
        "mutants": list(mutants),
        "unjudged": [],
        "false_alarms": 0,
        "checked": 2,
        "separation": 1e9,
    } | changes


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
    return structs.replace(Parity(0, nodes, (control,)), **changes)


def record(
    model: str = "Tiny-A", of: Graph | None = None, numbers: bool = True, **changes: Any
) -> Record:
    of = of or graph()
    return Record(model, of, parity(of, **changes) if numbers else None)


def thorough(model: str = "Tiny-A", error: float = 1e-14, **changes: Any) -> Record:
    """A record with a step of training and gradients, whose errors those in the last two are."""
    of = graph()
    slots = [(4, "bias"), (4, "kernel"), (1, "bias"), (1, "kernel"), (0, "image")]
    found = tuple(SlotParity(node, s, 1.0, error, 1e-10, 1.0, (0.5,)) for node, s in slots)
    controls = (Control(4, "bias: channels reversed", 0.1, 1e-10),)
    gradients = structs.replace(Gradients(0, found, controls), **changes)
    taught = replace(record(model), training=of, training_parity=parity(of))
    return replace(taught, gradients=gradients, training_gradients=gradients)


def executed(caught: bool = True, precision: str = "float32", **changes: Any) -> Record:
    """A record that was executed in another way as well, of which something is changed."""
    other = parity(graph(), caught=caught, precision=precision, **changes)
    return replace(record(), executions=(other,))


def whole(differing: int = 0, **changes: Any) -> Record:
    """A record that was run on whole numbers as well, where so many of each node's differ."""
    nodes = [ExactNode(1, "it rounds")]
    nodes += [ExactNode(i, "", differing, (0,), 2.0, entropy=9.0, needed=1.0) for i in (2, 3, 4)]
    found = Exact(0, "float32", "cpu", tuple(nodes), (Control(2, "left out", 3.0, 0.0),))
    return replace(record(), exact=(structs.replace(found, **changes),))


def run(framework: str = "one", *records: Record, selftest: bool = False) -> Run:
    records = records or (record("Tiny-A"), record("Tiny-B"))
    found = {r.model: r for r in records}
    missed = mutant("<i>x</i>", killed=False, by_word=False, said="<script>|nothing", mode="a|b")
    judged = tally(mutant(), missed) if selftest else None
    return Run(framework, "cpu", {framework: "1.0"}, 0, "c0de", found, judged)


def sampled(**changes: Any) -> dict[str, Any]:
    """Values of which those of the first node are changed."""
    nodes = parity(graph()).nodes
    return {"nodes": (structs.replace(nodes[0], **changes), *nodes[1:])}


UNKNOWN = graph()
UNKNOWN.nodes[2] = replace(UNKNOWN.nodes[2], kind="unknown:erf")
STRANGE = graph(kernel=(9, 9))
STRANGE.nodes[1] = replace(STRANGE.nodes[1], where=Where("<script>|`a`|[x](y)</script>.conv1"))
