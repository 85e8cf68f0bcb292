"""What a port does to its image before the network: mean, deviation and order of the channels.

Which numbers these are is a matter of the images that it is trained on, as the number of classes
is; that they can be the mean and deviation of images is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from conformance.graph.model import Graph, Node
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.variants import matches
from conformance.reference.variants import PREPARED, Difference, Profile
from conformance.trace.probes import SAME
from conformance.values import text

#: What a scale takes away a mean with, and what it may stand behind.
GIVEN, ENTRY = ("factor", "offset"), ("input", "channel_order")

#: The least mean that images can have, and the largest number of a pixel: as fractions, as bytes.
RANGES = ((0.0, 1.0), (1.0, 255.0))


def variants(comparison: Comparison, known: Sequence[Profile]) -> Iterator[Profile]:
    """A variant for a scale of the image that none of the ``known`` ones states, if it is one
    by a mean and a deviation that images can have."""
    for number, finding in enumerate(comparison.findings):
        if finding.attribute != "extra" or finding.found_node is None:
            continue
        node = comparison.found.nodes[finding.found_node]
        first = all(comparison.found.nodes[i].kind in ENTRY for i in node.inputs)
        if not first or not possible(node) or _for_others(comparison.found, node, known):
            continue
        if any(_misused(node, row) for profile in known for row in profile.differences):
            continue
        if any(number in (matches(comparison, each) or ()) for each in known):
            continue
        having = tuple((name, text(node.attributes[name])) for name in GIVEN)
        row = Difference("input", "scale", "extra", "", "scale", "1", "", having)
        mean, deviation = (", ".join(map(text, each)) for each in zip(*_moments(node), strict=True))
        says = f"the network subtracts a mean ({mean}) and divides by a deviation ({deviation})"
        where = "the images that it is trained on"
        yield Profile(PREPARED, "any", (), says, where, "", (row,), "")


def _for_others(graph: Graph, node: Node, known: Sequence[Profile]) -> bool:
    """Whether these are known numbers for channels in the opposite order, which are not here."""
    if any(graph.nodes[i].kind == "channel_order" for i in node.inputs):
        return False
    sides = [node.attributes[name] for name in GIVEN]
    turned = [text(side[::-1] if isinstance(side, tuple) else side) for side in sides]
    given = [text(side) for side in sides]
    return turned != given and any(
        dict(row.having).items() >= {*zip(GIVEN, turned, strict=True)}
        for profile in known
        for row in profile.differences
    )


def _misused(node: Node, row: Difference) -> bool:
    """Whether a known mean and deviation are in each other's place, applied twice, or the mean is
    taken away after the division."""
    having = dict(row.having)
    if having.get("offset", "no") == "no":
        return False
    pairs = zip(*(having[name].split("x") for name in GIVEN), strict=True)
    numbers = [(-float(offset) / float(factor), 1 / float(factor)) for factor, offset in pairs]
    given = [tuple(map(float, _printed(each))) for each in numbers]
    exchanged = [(d, m) for m, d in given]
    twice = [(m + m * d, d * d) for m, d in given]
    late = [(m * d, d) for m, d in given]
    found = list(map(_printed, _moments(node)))
    return found in [list(map(_printed, each)) for each in (exchanged, twice, late)]


def _printed(moments: tuple[float, ...]) -> tuple[str, ...]:
    """To the digits that are certain, where a variant states six of a factor and an offset."""
    return tuple(f"{number:.4g}" for number in moments)


def possible(node: Node) -> bool:
    """Whether a scale takes away a mean and divides by a deviation that images can have.

    Numbers between 0 and a largest one, whose mean is m, have a variance of at most
    m (largest - m) (Bhatia and Davis); images of bytes whose mean is below 1 are black.
    """
    if node.kind != "scale" or "offset" not in node.attributes or node.slots:
        return False
    moments = _moments(node)
    return any(
        all(d > 0 and lowest <= m and d**2 <= m * (largest - m) * (1 + SAME) for m, d in moments)
        for lowest, largest in RANGES
    )


def _moments(node: Node) -> list[tuple[float, float]]:
    """Mean and deviation of each channel, or of all."""
    sides = np.broadcast_arrays(*(np.atleast_1d(node.attributes[name]) for name in GIVEN))
    factors, offsets = (side.astype(float) for side in sides)
    with np.errstate(divide="ignore", invalid="ignore"):
        return [*zip((-offsets / factors).tolist(), (1 / factors).tolist(), strict=True)]
