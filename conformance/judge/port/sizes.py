"""Images that are not the paper's: at which size a port is judged, and what follows from it alone.

A network that is convolutional all the way is the same at every size.  Where dense layers follow,
or a convolution that covers its map, their kernels are as large as the map: that is a variant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import copy
from typing import TypeVar

from conformance import reference
from conformance.graph.align import Finding
from conformance.graph.model import Graph, Node
from conformance.judge.port.comparison import Comparison
from conformance.judge.port.described import label
from conformance.reference import Model
from conformance.reference.variants import Difference, Profile
from conformance.trace.batch import SEVERAL
from conformance.trace.port import Port, Size, Unfinished, UntraceableModel
from conformance.trace.tape import Fault, Tape
from conformance.values import text

Read = TypeVar("Read")

#: An image may be grey or in colour; what has more channels is a map inside a network.
CHANNELS = 3


def traced(port: Port, model: Model) -> tuple[Size, Tape]:
    """A port on the paper's image or, if it refuses that, on the one that it declares, or on one
    that another network takes: of the paper's height and width first, grey or in colour.

    Raises :class:`UntraceableModel`.
    """
    others = sorted((*known(), *grey()), key=lambda size: size[:2] != model.input[:2])
    images = dict.fromkeys((model.input, *declared(port), *others))
    return first(port, images, lambda tape: tape)


def first(port: Port, images: Iterable[Size], read: Callable[[Tape], Read]) -> tuple[Size, Read]:
    """The first of these images that a port takes, and what is read from its tape for that.

    Raises :class:`UntraceableModel` with what the port says of the first of all, or of one that it
    takes and computes nothing of.
    """
    refused: UntraceableModel | None = None
    for size in images:
        try:
            return size, read(at(port, size))
        except Unfinished as reason:  # it takes this image, whatever it says of others
            raise reason from None
        except UntraceableModel as reason:
            refused = refused or reason
    assert refused is not None
    raise refused


def at(port: Port, size: Size) -> Tape:
    """What a port computes for one image; of one that takes several only, for those."""
    try:
        return port.trace(size)
    except UntraceableModel as refused:
        with suppress(UntraceableModel):
            tape = copy(port.trace(size, batch=SEVERAL))  # the port may give the same once more
            hint = f"it takes {SEVERAL} images: squeeze() or a norm of the batch?"
            fault = Fault("batch", "takes one image", f"fails: {refused}", hint)
            tape.faults = [*tape.faults, fault]
            return tape
        raise refused


def alone(tape: Tape) -> bool:
    """Whether a tape is of one image."""
    return tape[0].shape[tape[0].attributes["axes"].index("N")] == 1


def declared(port: Port) -> list[Size]:
    """The image that a port's model says it is made for, if it says one."""
    size: Size | None = getattr(port, "declared", lambda: None)()
    return [size] if size else []


def known() -> list[Size]:
    """The images that the networks of the reference take, the usual ones first."""
    images = [model.input for model in reference.models().values() if model.input[-1] <= CHANNELS]
    return sorted(set(images), key=lambda size: (-images.count(size), size))


def grey() -> list[Size]:
    """The same images with one channel where the networks take three, and the other way round."""
    other = {1: CHANNELS, CHANNELS: 1}
    turned = [(*size[:2], other[size[-1]]) for size in known() if size[-1] in other]
    return [size for size in dict.fromkeys(turned) if size not in known()]


def variants(size: Size, model: Model, comparison: Comparison) -> Iterator[Profile]:
    """What the size and the channels of the image alone make of a network."""
    height, width, channels = size
    if channels != model.input[-1]:
        several = "channels" if channels > 1 else "channel"
        says = f"the image has {channels} {several}, the paper's {model.input[-1]}"
        yield _profile("other channels", says, ())
    if size[:2] == model.input[:2]:
        return
    here, there = (f"{sides[0]}x{sides[1]}" for sides in (size, model.input))
    if stretched := tuple(_stretched(comparison)):
        says = f"an adaptive pool gives the last map the size that it has on {there}, not {here}"
        yield _profile(f"for {here} images", says, stretched)
        return
    covering = tuple(_covering(comparison))
    if covering or _resized(comparison):
        says = (
            f"the kernels that cover the last map have its size, on images of {here}, not {there}"
        )
        yield _profile(f"for {here} images", says, covering)


def _profile(name: str, says: str, differences: tuple[Difference, ...]) -> Profile:
    return Profile(name, "any", (), says, "the image that the port is given", "", differences, "")


def _resized(comparison: Comparison) -> bool:
    """Whether a dense layer of the port is fed by a map of another size than the paper's."""
    shapes = {
        piece.handle: piece.shape
        for node in comparison.paper or comparison.expected
        for piece in node.parameters.get("kernel", ())
    }
    for a, b in comparison.pairs.items():
        node, there = comparison.expected.nodes[a], comparison.found.nodes[b]
        if node.kind == there.kind == "dense":
            (piece,) = node.parameters["kernel"]
            here = (piece.shape[0], there.slots["kernel"][0])
            if shapes[piece.handle][0] not in here:
                return True
    return False


def _stretched(comparison: Comparison) -> Iterator[Difference]:
    """An adaptive pool to the size that its map has on the paper's image, and what flattens it."""
    paper = comparison.paper or comparison.expected
    for finding in comparison.findings:
        node, anchor = comparison.node(finding), comparison.anchor(finding)
        extra = finding.attribute == "extra" and node.kind == "adaptive_avg_pool"
        if extra and node.shape == paper.nodes[anchor].shape:
            for kind, count in ((node.kind, "1"), ("flatten", "any")):
                yield Difference(comparison.rows[anchor], kind, "extra", "", kind, count, "")


def _covering(comparison: Comparison) -> Iterator[Difference]:
    """The kernels that differ only because each covers the whole of another map."""
    for finding in comparison.findings:
        if finding.attribute == "kernel" and _covers(comparison, finding):
            assert finding.expected_node is not None
            yield Difference(
                comparison.rows[finding.expected_node],
                label(comparison.expected.nodes[finding.expected_node]),
                "kernel", text(finding.expected), text(finding.found), "1", "",
            )  # fmt: skip


def _covers(comparison: Comparison, finding: Finding) -> bool:
    sides = ((comparison.expected, finding.expected_node), (comparison.found, finding.found_node))
    return all(index is not None and _whole(graph, graph.nodes[index]) for graph, index in sides)


def _whole(graph: Graph, node: Node) -> bool:
    """Whether a convolution covers its whole map at once."""
    if node.kind != "conv" or node.shape[:2] != (1, 1):
        return False
    before = graph.nodes[node.inputs[0]].shape[:2]
    return bool(node.attributes["kernel"] == before != (1, 1))
