"""What a port computes or stores and none of its outputs reads: a remark for each layer.

Such a layer changes no result, is no node of the graph and is not in the totals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import prod

from conformance.graph.model import Where
from conformance.graph.reach import reached
from conformance.judge.finding import Part, Remark
from conformance.trace.tape import Shape, Tape

#: Operations that are layers by themselves; what else is left unread, frameworks leave too.
LAYERS = frozenset({"conv", "dot", "window", "batch_norm", "group_norm", "lrn"})


def check(
    inference: Tape, training: Tape | None, trains: bool, counted: Collection[str] = ()
) -> Part:
    """Layers that neither inference nor training reads, of a port that ``trains``; of one that
    does not, those that inference does not read.

    What is multiplied by zero is not read, unless it is of the arrays that are ``counted``.
    """
    tapes = [inference, *([training] if training else [])]
    return Part(remarks=list(_remarks([Read(tape) for tape in tapes], trains, {*counted})))


class Read:
    """A tape, and what of it is read."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.live = tape.behind(tape.outputs)
        #: Where an operation of the image reads a stored array first.
        self.reader: dict[str, Where] = {}
        #: Values that the image goes into.
        self.flowing: set[int] = set()
        stored: dict[int, frozenset[str]] = {}
        for value, op in enumerate(tape.operations):
            arrays = frozenset().union(*(stored.get(i, ()) for i in op.inputs))
            if op.name == "parameter":
                arrays = frozenset({op.attributes["handle"]})
            if op.name != "input" and self.flowing.isdisjoint(op.inputs):
                stored[value] = arrays
                continue
            self.flowing.add(value)
            for handle in arrays:
                self.reader.setdefault(handle, op.where)

    @property
    def handles(self) -> set[str]:
        """The stored arrays that outputs read."""
        ops = (self.tape[value] for value in self.live)
        return {op.attributes["handle"] for op in ops if op.name == "parameter"}

    @property
    def lost(self) -> set[str]:
        """Those of them that are read for what is multiplied by zero only."""
        tape = self.tape
        seen = reached(tape.outputs, lambda i: () if tape.vanishes(i) else tape[i].inputs)
        kept = (tape[value] for value in seen)
        return self.handles - {op.attributes["handle"] for op in kept if op.name == "parameter"}


def _remarks(reads: list[Read], trains: bool, counted: set[str]) -> Iterator[Remark]:
    held: dict[str, Shape] = {}
    for read in reads:  # JAX has all of them on the tape; what a random stream stores is no weight
        held |= read.tape.stored or read.tape.parameters
    lost = set[str].intersection(*(read.lost for read in reads)) - counted
    live: set[str] = set().union(*(read.handles for read in reads)) - lost
    where = {handle: place for read in reversed(reads) for handle, place in read.reader.items()}
    # One of its arrays says which layer the others belong to: the one that reads it.
    paths = {_layer(handle): place.path for handle, place in where.items() if place.path}
    used: dict[str, set[int]] = {}  # and how many numbers each of its arrays holds
    for handle in live:
        size = prod(held.get(handle, ()))
        used.setdefault(paths.get(_layer(handle), _layer(handle)), set()).add(size)
    idle: dict[str, list[str]] = {}
    unused: dict[str, dict[str, int]] = {}
    for handle in held.keys() - live:
        idle.setdefault(paths.get(_layer(handle), _layer(handle)), []).append(handle)
    when = "" if trains else " in inference"
    for layer, handles in sorted(idle.items()):
        if any(layer == each or layer.endswith((f"/{each}", f".{each}")) for each in used if each):
            continue  # statistics that a norm keeps and does not use, say
        parts = (sizes for each, sizes in used.items() if each and _in(layer, each))
        if any({prod(held[handle]) for handle in handles} <= sizes for sizes in parts):
            continue  # the same, where each average is a part of the norm
        count = sum(prod(held[handle]) for handle in handles)
        places = [where[handle] for handle in sorted(handles) if handle in where]
        if places:
            done = "multiplied by zero" if lost.intersection(handles) else "never read"
            said = f"computed and {done}{when}: {_not_counted(count)}"
            yield Remark("", "unread", "read", layer, str(places[0]), said)
        else:
            unused.setdefault(_whole(layer, live | where.keys()), {})[layer] = count
    for whole, layers in unused.items():
        name = whole if len(layers) > 1 else next(iter(layers))
        said = f"no output depends on it{when}: {_not_counted(sum(layers.values()))}"
        yield Remark("", "unused", "used", name, name, said)
    yield from _without_parameters(reads, when, {str(place) for place in where.values()})


def _in(layer: str, other: str) -> bool:
    return layer.startswith((f"{other}/", f"{other}."))


def _not_counted(count: int) -> str:
    return f"its {count:,} stored numbers are not counted"


def _whole(layer: str, others: Collection[str]) -> str:
    """The largest part of a model that a layer is in and of which nothing else is any of these."""
    ends = [i for i, letter in enumerate(layer) if letter in "./"]
    parts = (layer[: end + 1] for end in ends)
    clear = (part[:-1] for part in parts if not any(each.startswith(part) for each in others))
    return next(clear, layer)


def _without_parameters(reads: list[Read], when: str, named: set[str]) -> Iterator[Remark]:
    """Layers that store nothing: told by their places, of which no other mode reads one."""
    places: dict[str, None] = {}
    for read in reads:
        kept = read.live | read.tape.behind(read.tape.updates.values())
        for value, op in enumerate(read.tape.operations):
            if value in kept:
                named.add(str(op.where))
            elif op.name in LAYERS and value in read.flowing:
                places.setdefault(str(op.where))
    for place in places:
        if place and place not in named:
            yield Remark("", "unread", "read", place, place, f"computed and never read{when}")


def _layer(handle: str) -> str:
    """The layer that a stored array belongs to, by its name."""
    cut = max(handle.rfind("."), handle.rfind("/"))
    return handle[:cut] if cut > 0 else handle
