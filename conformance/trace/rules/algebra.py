"""Algebra of one node's result: it stays together until a recogniser has a name for it."""

from __future__ import annotations

from math import prod

from conformance.graph.model import Parameter
from conformance.trace.evaluation import BINARY, LAYOUT, UNARY
from conformance.trace.meanings import (
    Affine,
    Algebra,
    Flow,
    Flowing,
    Meaning,
    Plain,
    Step,
    Stored,
)
from conformance.trace.recognise import PARTIAL, WHOLE, Layer, Piece
from conformance.trace.rule import ANY, MAKERS, makes, places, rule
from conformance.trace.walk import Walk

#: Operations that may be steps of something with a name.
STEPS = frozenset(
    {*UNARY, *BINARY, *LAYOUT, "window", "reduce", "pad", "slice", "concat", "select", "take"}
)
#: Operations that end algebra which nothing can be a part of.
LAST = frozenset({"div", "mul", "reduce", "select"})


@rule(ANY)
def algebra(walk: Walk, op: Step, *operands: Meaning) -> Algebra | Plain | None:
    """Operations whose operands all come from one node are algebra of it."""
    if op.attributes.get("unknown") or op.name not in STEPS:
        return None
    flowing = [o for o in operands if isinstance(o, Flowing)]
    bases = [_base(walk, x) for x in flowing]
    if len({base.node for base in bases}) > 1:
        bases = [walk.placed(x) for x in flowing]
        bases = [base for base in bases if not _function_of(walk, base, bases)]
        if len({base.node for base in bases}) != 1:
            return None
    base = bases[0]
    made = Algebra(Plain(base.node, base.axes, walk.of(base).value), op.value)
    whole = recognised(walk, made, final=False) if op.name in LAST else None
    return whole or made


def _function_of(walk: Walk, x: Plain, others: list[Plain]) -> bool:
    """Whether x is a function of another operand that nothing else reads, as in x sigmoid(x)."""
    ends = {other.node for other in others if other.node != x.node}
    node = walk.of(x)
    while node.has("passing") and not node.parameters and walk.readers[node.value] == 1:
        (before,) = node.inputs
        if before in ends:
            return True
        node = walk.nodes[before]
    return False


def _base(walk: Walk, x: Flowing) -> Plain:
    if isinstance(x, Algebra):
        return walk.named.get(x.value, x.base)  # what is a layer already is no step of another
    if isinstance(x, Affine) and walk.of(x).kind != "sum_pool":
        # An affine map of the base is algebra of the base, unless others read it.
        return x.plain
    return walk.placed(x)


@places(Algebra)
def layers(walk: Walk, x: Algebra) -> Plain:
    """The layers that algebra is made of."""
    return walk.placed(resolved(walk, x))


def resolved(walk: Walk, x: Algebra) -> Flow:
    """Algebra that has no name as a whole, part by part.

    It is taken apart where one value holds all that goes on.  The longest parts with a name are
    layers, a part of one operation is what its rule says, and any other is opaque.
    """
    # With more axes than an image it is on its way to somewhere.
    waists = [i for i in _waists(walk, x) if len(walk.tape[i].shape) <= len(walk.letters)]
    ends = [*waists, x.value]
    start: Flow = x.base
    at = 0
    while at < len(ends):
        for last in reversed(range(at, len(ends))):
            found: Flow | None = recognised(walk, Algebra(walk.placed(start), ends[last]))
            if found is not None:
                break
        else:
            last = at
            found = _by_its_rule(walk, start, ends[at])
            found = found or walk.opaque(ends[at], [walk.placed(start)])
        walk.means[ends[last]] = start = found
        at = last + 1
    return start


def _by_its_rule(walk: Walk, start: Flow, value: int) -> Flow | None:
    """What the only operation of a part means."""
    op = Step.of(value, walk.tape[value])
    operands = [walk.means[i] for i in op.inputs]
    if any(isinstance(o, Algebra) for o in operands):
        return None
    found: Flowing | None = walk.by_rule(op, operands)
    return None if isinstance(found, Algebra) else found


def _waists(walk: Walk, x: Algebra) -> list[int]:
    """The values inside of algebra that everything goes through."""
    inside: dict[int, int] = {}
    stack = [x.value]
    while stack:
        if (value := stack.pop()) in inside:
            continue
        flowing = [i for i in walk.tape[value].inputs if not isinstance(walk.means[i], Stored)]
        inner = [i for i in flowing if _inside(walk, x, i)]
        inside[value] = min(flowing) if len(inner) == len(flowing) else -1
        stack.extend(inner)
    found: list[int] = []
    reach = inside.pop(x.value)
    for value in sorted(inside, reverse=True):
        if reach >= value:
            found.append(value)
        reach = min(reach, inside[value])
    return found[::-1]


def _inside(walk: Walk, x: Algebra, value: int) -> bool:
    meaning = walk.means[value]
    return (
        isinstance(meaning, Algebra | Affine) and value not in walk.named and meaning.node == x.node
    )


def recognised(walk: Walk, x: Algebra, final: bool = True) -> Plain | None:
    """A node for algebra that has a name.

    What may be only a part of something larger, such as a batch norm before its beta, is named
    when ``final`` says that something else reads the value.
    """
    if x.value in walk.named:
        return walk.named[x.value]
    if (x.value, x.node, final) in walk.nameless:
        return None
    entry = _entry(walk, x) if final else None
    axes = walk.of(x.base).axes, x.base.axes
    piece = Piece(walk.tape, x.base.value, axes[0], x.value, axes[1], entry)
    asked = PARTIAL if (x.value, x.node, False) in walk.nameless else WHOLE + PARTIAL * final
    for recogniser in asked:
        if (layer := recogniser(piece)) is not None:
            flow = MAKERS.get(layer.kind, _plain)(walk, x, layer)
            if flow is not None:
                walk.named[x.value] = flow
                return flow
    walk.nameless.add((x.value, x.node, final))
    return None


def _entry(walk: Walk, x: Algebra) -> int | None:
    """The first value that is the base's result in the layout in which the algebra has it."""
    for i in range(x.base.value, x.value):
        flow = walk.named.get(i, walk.means.get(i))  # a padding has been placed
        if isinstance(flow, Plain) and (flow.node, flow.axes) == (x.base.node, x.base.axes):
            return i
    return None


def _plain(walk: Walk, x: Algebra, layer: Layer) -> Plain:
    return walk.node(layer.kind, layer.attributes, (x.node,), x.base.axes, x.value)


@makes("rbf")
def radial_basis(walk: Walk, x: Algebra, layer: Layer) -> Plain:
    """Centres as outputs x inputs, whichever way they are stored."""
    stored, shape = walk.tape[layer.slots["centres"]], walk.shape(x)
    inputs = prod(walk.of(x.base).shape)
    count = prod(stored.shape) // inputs
    steps = () if stored.shape == (count, inputs) else (("transpose", (1, 0)),)
    parameter = Parameter(stored.attributes["handle"], stored.shape, steps)
    batch = prod(shape) // count
    axes = tuple(
        (("N", n),) if i == 0 and n == batch else (("C", n),) if n == count else ()
        for i, n in enumerate(shape)
    )
    return walk.node(
        "rbf", {}, (x.node,), axes, x.value,
        {"centres": (parameter,)}, {"centres": (count, inputs)},
    )  # fmt: skip
