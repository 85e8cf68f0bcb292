"""A port's graph beside the network's: what stands for what, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from conformance.graph.align import Finding
from conformance.graph.model import Graph, Node
from conformance.graph.names import names
from conformance.graph.rows import row_of
from conformance.reference import Model
from conformance.reference.variants import Profile

#: Attributes that only training shows.
TRAINED = ("momentum", "statistics", "unbiased", "rate")
#: What may be different in training alone, for the loss.
LOSS = (("missing", "softmax"), ("extra", "log_softmax"))


@dataclass
class Comparison:
    """Two aligned graphs of one mode, and the findings between them.

    ``paper`` is the expected graph for the paper's size of image; ``unsized`` says why it is that
    itself and not one for the port's size.
    What the variant ``given`` leaves out of the network is not in the expected graph.
    ``returned`` is how many tensors a port returns that returns more than the network, and the
    place of the one that is most like the network's: only that is in the found graph.
    ``instead`` are the missing nodes in whose place something stands that cannot be read.
    """

    expected: Graph
    found: Graph
    findings: list[Finding]
    model: Model
    pairs: dict[int, int]
    paper: Graph | None = None
    unsized: str = ""
    given: Profile | None = None
    returned: tuple[int, int] | None = None
    instead: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        rows = self.model.row_names
        self.rows = row_of(self.expected, rows)
        self.output = _output(self.expected)
        self.top = _top(self.expected)
        self.auxiliary = {row.name for row in self.model.rows if row.after}
        self.back = {b: a for a, b in self.pairs.items()}

    @cached_property
    def labels(self) -> list[str]:
        """The port's nodes in the paper's names; one that the paper has not, after which."""
        return [
            self.names[self.back[b]]
            if b in self.back
            else f"after {self.names[self.behind(b)]}, {node.kind}"
            for b, node in enumerate(self.found)
        ]

    def behind(self, index: int) -> int:
        """The expected node that a node of the port comes after, or stands for."""
        current: int | None = index
        while current is not None and current not in self.back:
            inputs = self.found.nodes[current].inputs
            current = inputs[0] if inputs else None
        return self.back[current] if current is not None else self.expected.inputs[0]

    def anchor(self, finding: Finding) -> int:
        """The expected node where a finding is; for an extra node the one it comes after."""
        if finding.expected_node is not None:
            return finding.expected_node
        assert finding.found_node is not None
        return self.behind(finding.found_node)

    @cached_property
    def names(self) -> list[str]:
        """The paper's names of the expected nodes."""
        return names(self.expected, self.model.row_names)

    def lasts(self, finding: Finding) -> bool:
        """Whether inference has to show a finding of training as well.

        The end in training is what a loss takes: logits, or their logarithms as probabilities.
        """
        kind, main = self.node(finding).kind, self.expected.ancestors(self.expected.outputs[0])
        trained = finding.attribute in TRAINED or kind == "dropout"
        for_loss = (finding.attribute, kind) in LOSS
        return not (trained or for_loss) and self.anchor(finding) in main

    def node(self, finding: Finding) -> Node:
        """The node that a finding describes: the expected one, or the one that is extra."""
        if finding.expected_node is not None:
            return self.expected.nodes[finding.expected_node]
        assert finding.found_node is not None
        return self.found.nodes[finding.found_node]


def _output(graph: Graph) -> int:
    """The last layer with weights on the way to the main output; -1 without one."""
    main = graph.ancestors(graph.outputs[0])
    return max((i for i in main if graph.nodes[i].has("weighted")), default=-1)


def _top(graph: Graph) -> set[int]:
    """What follows the last map on the way to the main output: pooling, dense layers."""
    main = graph.ancestors(graph.outputs[0])
    maps = [i for i in main if len(s := graph.nodes[i].shape) == 3 and s[0] * s[1] > 1]
    return {i for i in main if i > max(maps, default=-1)}
