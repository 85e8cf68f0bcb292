"""At which node a port's gradient was altered: between the last that is right and the first not.

A wrong gradient of a slot says that something behind it is wrong, on the way from the output, and
not what.  So the port goes back once more and is asked for the gradient by the result of each
node.  Where that by a node is right and those of its slots are not, it is altered there, as by a
hook on the result; where it is wrong and those by all that read the node are right, one of them has
handed on something else.  Which one is told by what they should have handed on: a branch that
was cut is missing from the sum, one that was counted twice is in it twice.

What a port cannot tell is told by slots: a node with a right slot has been given the right
gradient.  Then there may be several nodes between, none of which has slots of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np

from conformance.graph.reach import reached
from conformance.numbers.adjoint import backward, one_back
from conformance.numbers.deviation import SlotParity, distance
from conformance.numbers.oracle import Oracle


def located(
    oracle: Oracle,
    above: dict[int, np.ndarray],
    inside: Mapping[int, list[np.ndarray]],
    bounds: Mapping[int, float],
    slots: Sequence[SlotParity],
) -> tuple[int, ...]:
    """The nodes of the oracle's graph at which a gradient was altered, the nearest one first.

    ``above`` are the right gradients by the outputs, ``inside`` those that the port has by the
    results of nodes, each perhaps several times; ``bounds`` how far one may be from the right
    one, over its root mean square.  Empty if nothing is wrong.
    """
    graph, readers = oracle.graph, oracle.graph.consumers()
    wants = {index: gradient for index, gradient, _ in backward(oracle, above)}
    wrong = {slot.node for slot in slots if not slot.agrees}
    given = _given(readers, wants, inside, bounds, slots)
    for index in sorted(wants, reverse=True):
        told = given.get(index)
        if told and index in wrong:
            return (index,)
        before = [given.get(i) for i in graph.nodes[index].inputs]
        if told is None or told or True in before:  # a result that is there twice is half of it
            continue
        nearest = [i for i in readers[index] if i in wants]
        if between := reached(nearest, readers.__getitem__, given):  # of which nothing is known
            with_slots = {slot.node for slot in slots}
            ends = {i for each in between for i in readers[each] if i in wants}
            return tuple(sorted(between | (ends - with_slots)))
        if len(nearest) < 2:
            return tuple(nearest) or (index,)
        return _of_several(oracle, wants, index, nearest, inside.get(index, []), bounds[index])
    return ()


def _given(
    readers: list[list[int]],
    wants: Mapping[int, np.ndarray],
    inside: Mapping[int, list[np.ndarray]],
    bounds: Mapping[int, float],
    slots: Sequence[SlotParity],
) -> dict[int, bool]:
    """Whether a node was given the right gradient, where that is known."""
    given = {slot.node: False for slot in slots if not slot.agrees}
    for index, got in inside.items():
        if index in wants and (rms := _rms(wants[index])):
            given[index] = any(distance(x, wants[index], rms) <= bounds[index] for x in got)
    given |= {slot.node: True for slot in slots if slot.agrees}
    for index in sorted(wants):  # what a right one is made of is right
        if given.get(index):
            given |= {i: True for i in readers[index] if i in wants and i not in given}
    return given | {i: True for i in wants if not readers[i]}


def _of_several(
    oracle: Oracle,
    wants: Mapping[int, np.ndarray],
    index: int,
    readers: list[int],
    got: list[np.ndarray],
    bound: float,
) -> tuple[int, ...]:
    """Those of the readers of a node that did not hand on what they should have.

    That is a number times what one should have; else sums, which only hand on, are suspected last.
    """
    nodes, rms, parts = oracle.graph.nodes, _rms(wants[index]), {}
    for reader in dict.fromkeys(readers):
        handed, _ = one_back(oracle, reader, wants[reader], oracle.results)
        own = [x for i, x in zip(nodes[reader].inputs, handed, strict=True) if i == index]
        parts[reader] = np.sum(own, axis=0)
    for x in got:  # the first one is read by the most
        for reader, part in parts.items():
            square = float(np.vdot(part, part))
            if x.shape != part.shape or not square:
                continue
            apart = x - wants[index]
            share = float(np.vdot(part, apart)) / square
            if distance(apart, share * part, rms) <= bound:
                return (reader,)
    return tuple(sorted(parts, key=lambda i: (nodes[i].kind == "add", i)))


def _rms(array: np.ndarray) -> float:
    return sqrt(float(np.vdot(array, array)) / array.size)
