"""The layers that operations without a word are supposed to be, until values confirm or refute it.

A convolution as a product of patches, or through a Fourier transform, is read by no rule.  Where
it stands in place of a layer and what it reads is stored in the size and a layout that a framework
has for that layer's kernel, it is taken for the layer: it is given the layer's values, and its
results, its gradients and its initial values are compared like any other's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from conformance.graph.model import Graph, Parameter
from conformance.numbers.causes.roots import made_of, stand_ins

Shape = tuple[int, ...]
Turn = tuple[str, tuple[int, ...]]
NONE: Mapping[str, Turn] = {}

#: The layouts of a kernel that is height x width x inputs x outputs here, or inputs x outputs:
#: PyTorch's, those of the other frameworks, outputs first with channels last, and inputs first.
LAYOUTS = {
    4: ((3, 2, 0, 1), (0, 1, 2, 3), (3, 0, 1, 2), (2, 3, 0, 1)), 2: ((1, 0), (0, 1)), 1: ((0,),)
}  # fmt: skip


def supposed(
    expected: Graph, found: Graph, pairs: dict[int, int], turned: Mapping[str, Turn] = NONE
) -> Graph:
    """A port's graph with the layers that its unread operations may be in their places.

    ``pairs`` leads from the nodes of ``expected`` to those of ``found``; ``turned`` are kernels
    that the port reads in another order, by their handles, and the step that leads to the usual.
    """
    nodes = [*found.nodes]
    for a, b, chain in unread(expected, found, pairs):
        layer = expected.nodes[a]
        stored = [p for i in chain for some in found.nodes[i].parameters.values() for p in some]
        shapes = {each.handle: each.shape for each in stored}
        places = {slot: list(_places(layer.slots[slot], shapes, found)) for slot in layer.slots}
        taken = [each.handle for some in places.values() for each in some]
        each_is_one = sorted(taken) == sorted(shapes) and all(places.values())
        if layer.slots and not (taken and each_is_one):
            continue  # not one for each: nobody knows which is which
        for index in chain:
            nodes[index] = replace(nodes[index], parameters={}, slots={})
        if not layer.slots or len(nodes[b].inputs) != len(layer.inputs):
            continue
        for slot, some in places.items():
            places[slot] = [
                replace(each, steps=(*each.steps, turned[each.handle]))
                if each.handle in turned
                else each
                for each in some
            ]
        nodes[b] = replace(
            nodes[b], kind=layer.kind, attributes=layer.attributes, slots=layer.slots,
            parameters={slot: tuple(some) for slot, some in places.items()},
        )  # fmt: skip
    return replace(found, nodes=nodes)


def unread(
    expected: Graph, found: Graph, pairs: dict[int, int]
) -> Iterator[tuple[int, int, set[int]]]:
    """Each expected layer in whose place stands what no rule reads: its last node, and all."""
    pairs = stand_ins(expected, found, pairs)
    for a, b in pairs.items():
        layer = expected.nodes[a]
        if layer.known and (chain := made_of(found, b, layer.kind, {*pairs.values()})):
            yield a, b, chain


def _places(shape: Shape, stored: dict[str, Shape], found: Graph) -> Iterator[Parameter]:
    """The arrays that a slot of this shape may be stored in, with the layout it has there."""
    first = found.nodes[found.inputs[0]].axes[1:2] == ((("C", found.nodes[0].shape[-1]),),)
    layouts = LAYOUTS.get(len(shape), ())
    layouts = layouts if first else layouts[1:2] + layouts[:1] + layouts[2:]
    for handle, there in stored.items():
        for layout in layouts:
            laid = tuple(shape[i] for i in layout)
            if _thin(there) in map(_thin, _written(laid)):
                back = tuple(map(int, np.argsort(layout)))
                yield Parameter(handle, there, (("reshape", laid), ("transpose", back)))
                break


def _written(shape: Shape) -> Iterator[Shape]:
    """A shape as it is, and with all but the outputs in one axis."""
    yield shape
    yield (shape[0], prod(shape[1:]))
    yield (prod(shape[:-1]), shape[-1])


def _thin(shape: Shape) -> Shape:
    """A shape without its ones, such as the depth of a convolution that has none."""
    return tuple(n for n in shape if n != 1)
