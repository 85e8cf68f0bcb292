"""The files of evidence, a class for each JSON object in them.

Arrays are in execution order, and a node's number is its place in its graph.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from conformance.data import Checksum, Count, Row, Shape, tuples
from conformance.graph.model import Graph, Node, Parameter, Where
from conformance.numbers.exact import Exact
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Parity
from conformance.numbers.precision import Device

SCHEMA = 3

#: A network's name, which is that of its file.
Name = Annotated[str, Meta(pattern=r"^\w[\w.-]*$")]


class RunRow(Row, frozen=True, kw_only=True):
    """``run.json``: one framework on one device.

    ``versions`` are those of each package, and on a GPU its name; ``seed`` is that of the canonical
    weights; ``code`` a digest of the sources that the run depends on; ``networks`` are the other
    files; ``backend`` is what the framework computes with, if not the usual one.
    """

    schema: Literal[3]
    framework: str
    backend: str | UnsetType = UNSET
    device: Device
    versions: dict[str, str]
    seed: Count
    code: str
    networks: dict[Name, Checksum]
    selftest: Checksum | None


class NodeRow(Row, frozen=True):
    """A layer in words that no framework owns; shapes are height x width x channels.

    ``slots`` has the shape of each parameter in neutral layout, ``parameters`` of which stored
    arrays it is made, and by which steps of layout; ``path`` is the module's own address, ``line``
    file and line of the model's source.
    """

    kind: str
    attributes: dict[str, Any]
    inputs: tuple[Count, ...]
    shape: Shape
    slots: dict[str, Shape]
    parameters: dict[str, tuple[Parameter, ...]]
    path: str
    line: str

    @classmethod
    def of(cls, node: Node) -> NodeRow:
        path, line = node.where.path, node.where.line
        return cls(
            node.kind, node.attributes, node.inputs, node.shape, node.slots, node.parameters,
            path, line,
        )  # fmt: skip

    def node(self) -> Node:
        attributes = {name: tuples(value) for name, value in self.attributes.items()}
        return Node(
            self.kind, attributes, self.inputs, self.shape, self.parameters, self.slots,
            Where(self.path, self.line),
        )  # fmt: skip


class GraphRow(Row, frozen=True):
    """A neutral graph."""

    inputs: tuple[Count, ...]
    outputs: tuple[Count, ...]
    nodes: tuple[NodeRow, ...]

    @classmethod
    def of(cls, graph: Graph) -> GraphRow:
        return cls(graph.inputs, graph.outputs, tuple(map(NodeRow.of, graph)))

    def graph(self) -> Graph:
        return Graph([each.node() for each in self.nodes], self.inputs, self.outputs)


class RecordRow(Row, frozen=True, kw_only=True):
    """One network: its graphs in inference and training, and what its numbers were compared in.

    ``arrays`` is the checksum of whole results in float64, by node, in NETWORK.safetensors.
    """

    model: str
    graph: GraphRow
    parity: Parity | None
    training: GraphRow | None
    training_parity: Parity | None
    gradients: Gradients | None
    executions: tuple[Parity, ...]
    training_gradients: Gradients | None
    exact: tuple[Exact, ...] = ()
    arrays: Checksum | UnsetType = UNSET
