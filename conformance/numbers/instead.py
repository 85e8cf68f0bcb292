"""Values for what an operation without a word reads, where it stands in place of a known layer.

A convolution as a product of patches, or through a Fourier transform, is read by no rule.  Its
kernel is one stored array of a size and a layout that a framework has for kernels: it is given the
values of the layer's kernel, so that its result can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from conformance.graph.model import Graph
from conformance.graph.reach import reached
from conformance.numbers.weights import Given

Shape = tuple[int, ...]

#: The layouts of a kernel that is height x width x inputs x outputs here, or inputs x outputs:
#: PyTorch's, those of the other frameworks, and outputs first with channels last.
LAYOUTS = {4: ((3, 2, 0, 1), (0, 1, 2, 3), (3, 0, 1, 2)), 2: ((1, 0), (0, 1)), 1: ((0,),)}


def instead(weights: Given, found: Graph, pairs: dict[int, int]) -> dict[str, np.ndarray]:
    """Values by the handle of the stored array.

    ``pairs`` leads from the nodes of the graph that has the weights to those of ``found``.
    """
    values: dict[str, np.ndarray] = {}
    for a, b in pairs.items():
        slots = weights.graph.nodes[a].slots
        if found.nodes[b].known or not slots:
            continue
        stored = _stored(found, b, {*pairs.values()} - {b})
        places = {name: _places(shape, stored, found) for name, shape in slots.items()}
        if any(len(each) != 1 for each in places.values()):
            continue
        taken = [next(iter(each)) for each in places.values()]
        if sorted(taken) != sorted(stored):  # one for each, or nobody knows which is which
            continue
        for name, place in places.items():
            ((handle, layout),) = place.items()
            made = np.asarray(weights.slot(a, name)).transpose(layout)
            values[handle] = made.reshape(stored[handle])
    return values


def _stored(graph: Graph, index: int, paired: set[int]) -> dict[str, Shape]:
    """The shapes of what is read from the last nodes with a counterpart up to here, by handle."""
    some = reached([index], lambda i: graph.nodes[i].inputs, paired)
    pieces = [p for i in some for each in graph.nodes[i].parameters.values() for p in each]
    return {piece.handle: piece.shape for piece in pieces}


def _places(shape: Shape, stored: dict[str, Shape], found: Graph) -> dict[str, Shape]:
    """The arrays that a slot of this shape may be stored in, and the layout that they have then."""
    first = found.nodes[found.inputs[0]].axes[1:2] == ((("C", found.nodes[0].shape[-1]),),)
    layouts = LAYOUTS.get(len(shape), ())
    layouts = layouts if first else layouts[1:2] + layouts[:1] + layouts[2:]
    return {
        handle: layout
        for handle, there in stored.items()
        for layout in reversed(layouts)
        if _thin(there) in map(_thin, _written(tuple(shape[i] for i in layout)))
    }


def _written(shape: Shape) -> Iterator[Shape]:
    """A shape as it is, and with all but the outputs in one axis."""
    yield shape
    yield (shape[0], prod(shape[1:]))
    yield (prod(shape[:-1]), shape[-1])


def _thin(shape: Shape) -> Shape:
    """A shape without its ones, such as the depth of a convolution that has none."""
    return tuple(n for n in shape if n != 1)
