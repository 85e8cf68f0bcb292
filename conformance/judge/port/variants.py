"""Which known variants explain the findings at a port, and what is left over.

A variant counts only when all of it is there: each row of its table has to find exactly as many
findings as it says.  Several may hold at once; what none of them explains is the surplus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from conformance.graph.align import Finding
from conformance.graph.model import Graph, Node
from conformance.graph.names import names
from conformance.graph.rows import row_of
from conformance.graph.written import layer
from conformance.reference import Model
from conformance.reference.variants import Difference, Profile
from conformance.values import text


@dataclass(slots=True)
class Explained:
    """The variants that hold, in order, and the findings that none of them explains."""

    profiles: list[Profile] = field(default_factory=list)
    surplus: list[int] = field(default_factory=list)
    #: Variants that hold but for few places, and what differs from them there.
    nearly: list[tuple[Profile, list[Finding]]] = field(default_factory=list)
    #: The other network that only bears the name: it explains differences, and is one itself.
    another: Profile | None = None

    @property
    def accepted(self) -> list[Profile]:
        """All that hold, the other network among them."""
        return [*self.profiles, *([self.another] if self.another else [])]

    def seen(self, comparison: Comparison) -> set[int]:
        """What all of them explain of a mode's findings, which may be less than the whole of one.

        What a variant explains in training it explains in inference, where less may be seen.
        """
        profiles = self.accepted + [profile for profile, _ in self.nearly]
        return set().union(*(matches(comparison, each, False) or () for each in profiles))

    @property
    def unexplained(self) -> int:
        """How many differences no variant explains, also where one holds but there."""
        return len(self.surplus) + len(self.exceptions)

    @property
    def exceptions(self) -> list[Finding]:
        return [each for _, found in self.nearly for each in found]


@dataclass
class Comparison:
    """Two aligned graphs of one mode, and the findings between them.

    ``paper`` is the expected graph for the paper's size of image; ``unsized`` says why it is that
    itself and not one for the port's size.
    What the variant ``given`` leaves out of the network is not in the expected graph.
    ``returned`` is how many tensors a port returns that returns more than the network, and the
    place of the one that is most like the network's: only that is in the found graph.
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

    def node(self, finding: Finding) -> Node:
        """The node that a finding describes: the expected one, or the one that is extra."""
        if finding.expected_node is not None:
            return self.expected.nodes[finding.expected_node]
        assert finding.found_node is not None
        return self.found.nodes[finding.found_node]


def explain(
    comparison: Comparison,
    profiles: Sequence[Profile],
    given: Sequence[Profile] = (),
    another: Profile | None = None,
) -> Explained:
    """The variants that together explain as many findings as possible.

    Those that are ``given`` hold, even where they leave nothing to explain.  What makes a port
    ``another`` network is explained by that first.
    """
    candidates = []
    for profile in (*profiles, *given):
        matched = matches(comparison, profile)
        if matched or (matched is not None and profile == comparison.given):
            candidates.append((profile, matched))
    candidates.sort(key=lambda pair: (-len(pair[1]), pair[0].name))
    result, left = Explained(another=another), set(range(len(comparison.findings)))
    left -= (matches(comparison, another) if another else None) or set()
    for profile, matched in candidates:
        if matched & left or profile == comparison.given:
            result.profiles.append(profile)
            left -= matched
    result.profiles += [profile for profile in given if profile not in result.profiles]
    for profile in profiles:
        if profile in result.profiles or not left:
            continue
        matched, asked, exceptions = _nearly(comparison, profile)
        if exceptions and matched <= left and _prevails(comparison, asked, exceptions):
            result.nearly.append((profile, exceptions))
            left -= matched
    result.surplus = sorted(left)
    return result


def returned(
    explained: Explained, training: Comparison, inference: Comparison, profiles: Sequence[Profile]
) -> None:
    """Take what a network ends in from inference: training may return logits, for the loss.

    A softmax in training alone is no variant.
    """
    for profile in profiles:
        if not any((r.layer, r.attribute) == ("output", "extra") for r in profile.differences):
            continue
        there, here = matches(training, profile), matches(inference, profile)
        if profile in explained.profiles and not here:
            explained.profiles.remove(profile)
            explained.surplus = sorted({*explained.surplus, *(there or ())})
        elif here and not there:
            explained.profiles.append(profile)


def _prevails(comparison: Comparison, matched: set[int], exceptions: list[Finding]) -> bool:
    """Whether a variant holds in more places than not: in more rows, or far more nodes."""
    rows = {comparison.rows[comparison.anchor(comparison.findings[i])] for i in matched}
    others = {comparison.rows[comparison.anchor(each)] for each in exceptions}
    return len(rows - others) > len(others) or len(matched) > 2 * len(exceptions)


def _nearly(comparison: Comparison, profile: Profile) -> tuple[set[int], set[int], list[Finding]]:
    """What a variant explains of which a part is not there, what of it it asks for, and that part.

    What it explains and does not ask for, others may have as well.
    """
    every: set[int] = set()
    asked: set[int] = set()
    exceptions: list[Finding] = []
    for row, matched, wanted in _by_rows(comparison, profile):
        every |= matched
        if wanted is None:
            continue
        asked |= matched
        if len(matched) < wanted:
            exceptions += _exceptions(comparison, row, matched, wanted - len(matched))
        elif len(matched) > wanted:
            return set(), set(), []
    return every, asked, exceptions


def _meant(comparison: Comparison, row: Difference) -> Any:
    """The value that a row of a variant names, as a node has it; its text where none does."""
    values = [f.found for f in comparison.findings if f.attribute == row.attribute]
    values += [node.attributes.get(row.attribute) for node in comparison.expected]
    return next((value for value in values if text(value) == row.variant), row.variant)


def _exceptions(
    comparison: Comparison, row: Difference, matched: set[int], count: int
) -> list[Finding]:
    """Where a row of a variant does not hold: the paper's value stands there.

    A layer that the variant adds is missing behind a node of the port's.
    """
    there = {comparison.anchor(comparison.findings[i]) for i in matched}
    like = _meant(comparison, row)
    found: list[Finding] = []
    for a, b in comparison.pairs.items():
        node = comparison.found.nodes[b]
        if a in there or not _in_layer(comparison, a, row.layer) or len(found) == count:
            continue
        if row.attribute == "extra":
            if row.count.startswith("each ") and fnmatchcase(
                label(comparison.expected.nodes[a]), f"{row.count[5:]}*"
            ):
                found.append(Finding("missing", row.variant, None, None, b))
        elif row.attribute == "missing" and _described(comparison.expected.nodes[a], row):
            found.append(Finding("extra", None, node.kind, None, b))
        elif row.attribute in node.attributes and _described(comparison.expected.nodes[a], row):
            found.append(Finding(row.attribute, like, node.attributes[row.attribute], a, b))
    if row.attribute == "extra" and not row.count.startswith("each "):
        # It would stand behind something else that the variant adds there, as a norm does.
        found += [
            Finding("missing", row.variant, None, None, f.found_node)
            for f in comparison.findings
            if f.attribute == "extra"
            and f.found != row.variant
            and _in_layer(comparison, comparison.anchor(f), row.layer)
        ][:count]
    return found


def matches(comparison: Comparison, profile: Profile, whole: bool = True) -> set[int] | None:
    """The findings that a variant explains; None where a part of it is not there.

    Unless the ``whole`` of it is asked for, whatever is there of it is explained.
    """
    explained: set[int] = set()
    asked = found = 0  # by rows that say how many
    for _, matched, wanted in _by_rows(comparison, profile):
        if whole and wanted is not None and len(matched) != wanted:
            return None
        explained |= matched
        if wanted is not None:
            asked, found = asked + 1, found + len(matched)
    # What makes no difference is no variant by itself, such as of a tanh none of which is left.
    return None if whole and asked and not found else explained


def _by_rows(
    comparison: Comparison, profile: Profile
) -> Iterator[tuple[Difference, set[int], int | None]]:
    """The findings that each row of a profile speaks of, and how many it asks for."""
    for row in profile.differences:
        if profile != comparison.given or not leaves_out(row):
            found = enumerate(comparison.findings)
            yield (
                row,
                {i for i, f in found if _matches(comparison, f, row)},
                _wanted(comparison, row),
            )


def leaves_out(row: Difference) -> bool:
    """Whether a row of a profile takes layers out of the network."""
    return row.attribute == "missing" and row.count != "any"


def left_out(comparison: Comparison, profile: Profile) -> set[int]:
    """The expected nodes that a variant does not have."""
    rows = [row for row in profile.differences if leaves_out(row)]
    return {
        index
        for index, node in enumerate(comparison.expected)
        for row in rows
        if _in_layer(comparison, index, row.layer) and fnmatchcase(label(node), row.node)
    }


def _wanted(comparison: Comparison, row: Difference) -> int | None:
    """How many findings a row of a profile asks for; None for any number."""
    if row.count == "any":
        return None
    if row.count.isdecimal():
        return int(row.count)
    if row.count != "all":  # as many as the port has of this kind
        return sum(
            fnmatchcase(label(node), f"{row.count[5:]}*")
            and _in_layer(comparison, comparison.behind(index), row.layer)
            for index, node in enumerate(comparison.found)
        )
    nodes = enumerate(comparison.expected)
    places = [
        i for i, node in nodes if _described(node, row) and _in_layer(comparison, i, row.layer)
    ]
    if row.attribute == "missing":
        return len(places)
    return sum(i in comparison.pairs for i in places)  # what is not there differs in nothing else


def _matches(comparison: Comparison, finding: Finding, row: Difference) -> bool:
    return (
        finding.attribute == row.attribute
        and _reads(comparison, finding, row)
        and _in_layer(comparison, comparison.anchor(finding), row.layer)
        and fnmatchcase(label(comparison.node(finding)), row.node)
        and _is(finding.expected, row.paper)
        and _is(finding.found, _classes(comparison) if row.variant == "classes" else row.variant)
        and all(
            _is(_attribute(comparison.node(finding), name), value) for name, value in row.having
        )
    )


def _classes(comparison: Comparison) -> str:
    """How many classes the port tells apart."""
    return text(comparison.found.nodes[comparison.found.outputs[0]].shape[-1])


def _reads(comparison: Comparison, finding: Finding, row: Difference) -> bool:
    """Whether a norm that is there for each layer of a kind reads such a layer itself.

    Behind a convolution and behind its ReLU it is another network.  Where one layer of many is
    named, it is only counted.
    """
    kind = row.count.removeprefix("each ")
    if row.variant != "batch_norm" or row.attribute != "extra" or kind == row.count or " " in kind:
        return True
    assert finding.found_node is not None
    before = [comparison.found.nodes[i] for i in comparison.found.nodes[finding.found_node].inputs]
    return any(fnmatchcase(label(node), f"{kind}*") for node in before)


def stated(comparison: Comparison, finding: Finding, profile: Profile) -> bool:
    """Whether a row of a variant states what an added node has."""
    node = comparison.node(finding)
    return any(
        (row.attribute == finding.attribute and _is(finding.found, row.variant))
        or (row.attribute == "extra" and finding.attribute in dict(row.having))
        for row in profile.differences
        if _in_layer(comparison, comparison.anchor(finding), row.layer)
        and fnmatchcase(label(node), row.node)
    )


def _described(node: Node, row: Difference) -> bool:
    """Whether a row speaks of an expected node, which may have the paper's value or not."""
    if not fnmatchcase(label(node), row.node):
        return False
    if row.attribute in ("missing", "extra", "inputs", "width", "order"):
        return True
    return _is(_attribute(node, row.attribute), row.paper)


def _attribute(node: Node, name: str) -> Any:
    """An attribute, the kind, or whether there is such a slot."""
    return node.kind if name == "kind" else node.attributes.get(name, name in node.slots)


def _in_layer(comparison: Comparison, index: int, layer: str) -> bool:
    row = comparison.rows[index]
    for each in layer.split(","):
        match each.strip():
            case "input":
                found = index in comparison.expected.inputs
            case "output":
                found = index == comparison.output
            case "top":
                found = index in comparison.top
            case "auxiliary":
                found = row in comparison.auxiliary
            case pattern:
                found = fnmatchcase(comparison.names[index] if "/" in pattern else row, pattern)
        if found:
            return True
    return False


def _is(value: Any, pattern: str) -> bool:
    return fnmatchcase(text(value), pattern)


def label(node: Node) -> str:
    """A node as profiles write it: its kind, and the layer as the reference writes it."""
    if node.kind == "dropout":
        return node.kind
    text = layer(node)
    if not text or node.kind in ("lrn", "global_avg_pool"):
        return node.kind
    text = text.rpartition("pool ")[2].removeprefix("fc ").removeprefix("subsample ")
    return f"{node.kind} {text}"


def _output(graph: Graph) -> int:
    """The last layer with weights on the way to the main output; -1 without one."""
    main = graph.ancestors(graph.outputs[0])
    return max((i for i in main if graph.nodes[i].has("weighted")), default=-1)


def _top(graph: Graph) -> set[int]:
    """What follows the last map on the way to the main output: pooling, dense layers."""
    main = graph.ancestors(graph.outputs[0])
    maps = [i for i in main if len(s := graph.nodes[i].shape) == 3 and s[0] * s[1] > 1]
    return {i for i in main if i > max(maps, default=-1)}
