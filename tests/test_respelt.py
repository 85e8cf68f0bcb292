"""What is spelt in another way than expected is read as expected, and the spelling is recorded."""

from math import prod

import pytest

from conformance.graph.align import align, findings
from conformance.graph.alike import alike
from conformance.graph.model import verify
from tests.test_forms import conv, graph, kinds, said

pytestmark = pytest.mark.bare


def dense(tape, x, name, outputs):
    shape = tape[x].shape
    flat = tape.reshape(x, (shape[0], prod(shape[1:])))
    return tape.dot(flat, tape.parameter(name, (prod(shape[1:]), outputs)), (1, 0))


def covering(tape, x):
    return conv(tape, tape.elementwise("tanh", conv(tape, x, "c5", 7, 6)), "f6", 3)


def flattened(tape, x):
    return dense(tape, tape.elementwise("tanh", dense(tape, x, "c5", 7)), "f6", 3)


HEADS = {
    "dense for a covering convolution": (covering, flattened),
    "a covering convolution for dense": (flattened, covering),
}


@pytest.mark.parametrize(("expected", "found"), HEADS.values(), ids=HEADS)
def test_a_head_is_spelt_as_expected(expected, found):
    """A dense layer and the convolution over its whole map are one; the spelling is recorded."""
    expected, found = graph(expected), graph(found)
    assert findings(expected, found, align(expected, found))
    respelled = verify(alike(expected, found))
    assert said(respelled) == said(expected)
    assert not findings(expected, respelled, align(expected, respelled))
    spelt = {node.spelling for node in respelled if node.spelling}
    assert spelt == {(("kind", found.nodes[-1].kind, expected.nodes[-1].kind),)}


def test_a_respelt_kernel_holds_the_same_numbers():
    """The steps to a respelt slot lead to the numbers that the layer reads."""
    ours, theirs = graph(covering), graph(flattened)
    respelled = next(node for node in alike(ours, theirs) if node.kind == "conv")
    direct = next(node for node in theirs if node.kind == "dense")
    (there,), (here,) = direct.parameters["kernel"], respelled.parameters["kernel"]
    assert here.steps == (*there.steps, ("reshape", (6, 6, 4, 7)))
    assert respelled.slots["kernel"] == (6, 6, 4, 7)


def test_a_convolution_that_leaves_a_row_out_is_no_dense_layer():
    """A kernel one row short of the map is another function, and stays a convolution."""
    short = graph(lambda tape, x: conv(tape, x, "c5", 7, 5))
    assert kinds(alike(graph(flattened), short)) == ["input", "conv"]
