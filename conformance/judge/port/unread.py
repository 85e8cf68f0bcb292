"""What cannot be read is one finding: all that is computed there, and in place of what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.graph.align import Finding as Difference
from conformance.graph.model import DRAWN, Graph, Node
from conformance.graph.reach import reached
from conformance.judge.port.comparison import Comparison

#: The attribute of such a finding, unless the reader knows more of why.
OPERATION = "operation"
#: Why an operation cannot be read: what is said of it, and what to do about it.
WHY = {
    OPERATION: ("{found} cannot be read", ""),
    "random": ("a random draw in every call ({found})",
               "as in stochastic depth or noise: not a layer of the paper's"),
    "weights": ("its weights are computed in every call{of}",
                "weights are stored and trained: fold a weight_norm, spectral_norm or"
                " parametrization into them, and make no layer in forward"),
}  # fmt: skip


def gathered(comparison: Comparison, differences: Iterable[Difference]) -> list[Difference]:
    """The differences, with all that hang together with something unread as one.

    What is missing where something unread stands is what that stands in place of.
    """
    differences = list(differences)
    found = comparison.found
    extra = {d.found_node for d in differences if d.attribute == "extra"} - {None}
    missing = {d.expected_node for d in differences if d.attribute == "missing"} - {None}
    gone: set[Difference] = set()
    whole: dict[Difference, Difference] = {}
    for group in _groups(found, {b for b in extra if b is not None}):
        if all(found.nodes[b].known for b in group):
            continue
        first = min(group)
        stands = _missing_at(comparison, group, {a for a in missing if a is not None})
        members = [
            d for d in differences
            if (d.attribute == "extra" and d.found_node in group)
            or (d.attribute == "missing" and d.expected_node in stands)
            or (d.attribute in ("inputs", "padding") and d.found_node is not None
                and group & {*found.nodes[d.found_node].inputs})
        ]  # fmt: skip
        why = next((w for b in group if (w := found.nodes[b].attributes.get("why"))), OPERATION)
        kinds = tuple(comparison.expected.nodes[a].kind for a in sorted(stands)) or None
        words = tuple(dict.fromkeys(_word(found.nodes[b]) for b in sorted(group)))
        gone |= {*members}
        place = min(stands) if stands else None
        whole[members[0]] = Difference(why, kinds, words, place, first)
    kept = [whole.get(d, d) for d in differences if d in whole or d not in gone]
    return kept


def instead(comparison: Comparison) -> frozenset[int]:
    """The missing nodes in whose place something stands that cannot be read."""
    found, of = comparison.found, comparison.findings
    if not found.unknown:
        return frozenset()
    extra = {f.found_node for f in of if f.attribute == "extra" and f.found_node is not None}
    missing = {f.expected_node for f in of if f.attribute == "missing"} - {None}
    there = {a for a in missing if a is not None}
    groups = [g for g in _groups(found, extra) if not all(found.nodes[b].known for b in g)]
    return frozenset().union(*(_missing_at(comparison, group, there) for group in groups))


def drawn(comparison: Comparison) -> set[str]:
    """The parts of the port that add a random draw to the network, such as its blocks."""
    places = (comparison.found.nodes[b] for d in comparison.findings
              if d.attribute == "extra" and (b := d.found_node) is not None)  # fmt: skip
    return {node.where.path for node in places if node.kind == DRAWN}


def beside(comparison: Comparison, indices: list[int], places: set[str]) -> list[int]:
    """The differences less what goes with a random draw: of each place the first draw is left,
    and not what is drawn, scaled or computed for the branch that it multiplies."""
    kept, said = [], set[str]()
    for i in indices:
        each = comparison.findings[i]
        node = comparison.found.nodes[each.found_node] if each.found_node is not None else None
        said_of = node is not None and each.attribute in ("extra", "inputs")
        place = next((p for p in sorted(places) if said_of and node and _in(node, p)), None)
        first = node is not None and node.kind == DRAWN and place not in said
        if place is None or first:
            kept.append(i)
            said |= {place} if place is not None else set()
    return kept


def _in(node: Node, place: str) -> bool:
    """Whether a node is in a part of the port, or adds that part's branch to another."""
    path = node.where.path
    joins = node.kind == "add" and path and place.startswith(f"{path}.")
    return path == place or bool(joins or (place and path.startswith(f"{place}.")))


def worded(comparison: Comparison, difference: Difference, where: str) -> tuple[str, str]:
    """The whole of such a finding in words, and what to do about it; empty for any other."""
    if difference.attribute not in WHY or not isinstance(difference.found, tuple):
        return "", ""
    assert difference.found_node is not None
    of = comparison.found.nodes[difference.found_node].attributes.get("of", ())
    said, why = WHY[difference.attribute]
    said = said.format(found=_listed(difference.found), of=f", from {_joined(of)}" if of else "")
    instead = f", in place of {_listed(difference.expected)}" if difference.expected else ""
    return f"{where}: {said}{instead}", why


def listed(graph: Graph, other: Graph | None = None) -> Iterator[str]:
    """What of a graph is not read and no finding explains, each operation once; and what has been
    said of another graph not again."""
    places: dict[str, dict[str, None]] = {}
    said = {(node.kind, str(node.where)) for node in (other.unknown if other else ())}
    for node in graph.unknown:
        if "why" not in node.attributes and (node.kind, str(node.where)) not in said:
            places.setdefault(node.kind.rpartition(":")[2], {})[str(node.where)] = None
    together: dict[tuple[str, ...], list[str]] = {}
    for word, where in places.items():
        together.setdefault(tuple(where), []).append(word)
    for (first, *others), words in together.items():
        more = f" and in {len(others)} more places" if others else ""
        several = "s" if len(words) > 1 else ""
        yield f"unsupported operation{several} {_joined(tuple(words))} at {first}{more}"


def _listed(words: tuple[str, ...]) -> str:
    return _joined(tuple(word.replace("_", " ") for word in words))


def _joined(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _word(node: Node) -> str:
    """An operation by its own name, without its library's."""
    return node.kind.rpartition(":")[2].rpartition(".")[2].strip("_")


def _groups(graph: Graph, nodes: set[int]) -> Iterator[set[int]]:
    """The nodes that read one another, together."""
    near: dict[int, set[int]] = {b: set() for b in nodes}
    for b in nodes:
        for i in nodes.intersection(graph.nodes[b].inputs):
            near[b].add(i)
            near[i].add(b)
    left = set(nodes)
    while left:
        group = reached([min(left)], near.__getitem__)
        left -= group
        yield group


def _missing_at(comparison: Comparison, group: set[int], missing: set[int]) -> set[int]:
    """The missing nodes that begin where a group begins, and those behind them."""
    found, expected = comparison.found, comparison.expected
    sources = {i for b in group for i in found.nodes[b].inputs} - group
    behind = {comparison.behind(i) for i in sources}
    stands: set[int] = set()
    for a in sorted(missing):
        if {*expected.nodes[a].inputs} & (behind | stands):
            stands.add(a)
    return stands
