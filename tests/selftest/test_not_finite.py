"""A live model that computes no numbers fails at the node where that begins."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from conformance import reference
from conformance.numbers.parity import parity
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical

pytestmark = pytest.mark.numbers


class Poisoned:
    """A port that finds something in one of its stored arrays."""

    def __init__(self, port, handle, number):
        self.port, self.handle, self.number = port, handle, number

    def __getattr__(self, name):
        return getattr(self.port, name)

    def run(self, run, *rest):
        def poisoned(handle):
            array = np.array(run.values(handle))
            if handle == self.handle:
                array.reshape(-1)[-1] = self.number
            return array

        return self.port.run(replace(run, values=poisoned), *rest)


@pytest.mark.parametrize("number", [nan, inf])
def test_the_first_node_is_named(framework, number):
    """One broken number in the middle of the network: everything before it agrees."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    model = reference.find("LeNet-5")
    port = frameworks.port(framework, model)
    tape = port.trace(model.input)
    graph = canonical(tape)
    broken = [i for i, node in enumerate(graph) if node.kind == "conv"][-1]
    handle = graph.nodes[broken].parameters["bias"][0].handle
    result = parity(Poisoned(port, handle, number), tape, graph)
    first = next(each for each in result.nodes if not each.agrees)
    assert (first.node, first.error) == (broken, inf)
