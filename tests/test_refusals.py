"""What is not a number, missing, one too many or somewhere else is never a pass."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from conformance.graph.axes import named
from conformance.graph.model import Graph
from conformance.numbers.gradients import gradients
from conformance.numbers.parity import Control, NodeParity, parity
from conformance.trace.canonical import canonical
from conformance.trace.evaluation import evaluate
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

SHAPE = (1, 4, 4, 3)


def tape(epsilon=1e-3):
    """A norm, a rectifier and a tanh, of which the last two are outputs."""
    tape = Tape()
    image = tape.input(SHAPE, "NHWC")
    slots = [tape.parameter(name, (3,)) for name in ("gamma", "beta", "mean", "variance")]
    norm = tape.emit("batch_norm", (image, *slots), SHAPE, axis=3, epsilon=epsilon)
    relu = tape.emit("relu", (norm,), SHAPE)
    tape.outputs = (relu, tape.emit("tanh", (relu,), SHAPE))
    return tape


class Fake:
    """A port that computes what the tape of :func:`tape` says, and changes one result."""

    framework = "none"
    trains = True

    def __init__(self, kind="", change=lambda array: array):
        self.kind, self.change = kind, change

    def trace(self, size, training=False, batch=None):
        return tape()

    def built(self):
        return self

    def own(self):
        raise NotImplementedError

    def run(self, run, wanted, observe):
        tape, image, known = run.tape, run.image, {0: run.image}
        slots = (run.values(o.attributes["handle"]) for o in tape.operations[1:5])
        gamma, beta, mean, variance = slots
        with np.errstate(all="ignore"):
            scale = gamma / np.sqrt(variance + tape[5].attributes["epsilon"])
            known[5] = (image - mean) * scale + beta
        for value in sorted(wanted):
            name = tape[value].name
            known[value] = evaluate(tape, value, known)
            if name == self.kind:
                known[value] = self.change(known[value].copy())
            if known[value] is None:
                return {}
            observe(value, known[value])
        return {}

    def plain(self, values, images):
        raise NotImplementedError

    def gradient(self, run, cotangents, wanted):
        return {None: np.full(run.image.shape, nan)}

    def inside(self, run, cotangents, wanted):
        return {}


def one(number):
    def change(array):
        array[0, 2, 1, 0] = number
        return array

    return change


def compared(port, of=None):
    of = of or tape()
    return parity(port, of, canonical(of))


def test_the_right_port_passes():
    """Nothing is refused that is right."""
    result = compared(Fake())
    assert not result.problem
    assert result.first_divergence is None
    assert len(result.nodes) == 3


@pytest.mark.parametrize("number", [nan, inf, -inf])
@pytest.mark.parametrize("kind", ["batch_norm", "relu", "tanh"])
def test_a_port_that_is_not_finite_fails_there(kind, number):
    """One value that is not a number names its node, and everything before it agrees."""
    of = tape()
    result = compared(Fake(kind, one(number)), of)
    assert canonical(of).nodes[result.first_divergence.node].kind == kind
    assert result.first_divergence.error == inf


def test_not_finite_on_both_sides_fails():
    """A graph that computes no numbers agrees with nothing, not with itself either."""
    of = tape(epsilon=-1e9)
    result = compared(Fake(), of)
    assert canonical(of).nodes[result.first_divergence.node].kind == "batch_norm"


def test_an_infinite_bound_is_none():
    """What single precision cannot compute at all is no licence for double precision."""
    assert not NodeParity(1, 1.0, inf, inf, ()).agrees
    assert not NodeParity(1, 1.0, 0.0, inf, ()).agrees
    assert not NodeParity(1, 1.0, nan, 1e-9, ()).agrees
    assert not Control(1, "left out", inf, 1e-9).caught


@pytest.mark.parametrize("batch", [2, 4])
def test_another_batch_fails(batch):
    """Results that would broadcast against the expected ones are not compared with them."""
    result = compared(Fake("relu", lambda array: np.repeat(array, batch, axis=0)))
    assert result.first_divergence.error == inf


def test_a_result_that_is_missing_is_a_problem():
    """What was never computed is counted."""
    assert "2 of 3 results" in compared(Fake("relu", lambda array: None)).problem


CHANGED = {
    "one too few": (lambda outputs: outputs[:1], "1 outputs, expected 2"),
    "one too many": (lambda outputs: (*outputs, outputs[0]), "3 outputs, expected 2"),
    "reordered": (lambda outputs: outputs[::-1], "output 1 is tanh"),
}


@pytest.mark.parametrize(("change", "told"), CHANGED.values(), ids=CHANGED)
def test_other_outputs_are_a_problem(change, told):
    """Outputs are compared by number and place, though every node may agree."""
    of = tape()
    expected = canonical(of)
    found = replace(expected, outputs=change(expected.outputs))
    result = parity(Fake(), of, found, expected)
    assert told in result.problem
    assert told in gradients(Fake(), of, found, expected).problem


def test_an_output_of_another_size_is_a_problem():
    """More classes than expected: one line that names both."""
    of = tape()
    expected = canonical(of)
    nodes = [*expected.nodes[:-1], replace(expected.nodes[-1], shape=(4, 4, 5))]
    found = Graph(nodes, expected.inputs, expected.outputs)
    told = gradients(Fake(), of, found, expected).problem
    assert told == "output 2 is 4x4x5, expected 4x4x3"


def test_a_gradient_that_is_not_finite_fails():
    """As do the gradients that were asked for and never came."""
    of = tape()
    result = gradients(Fake(), of, canonical(of))
    wrong = [(each.slot, each.error) for each in result.slots]
    assert wrong == [("image", inf)]
    assert result.problem == "2 of 3 gradients were never computed"


def test_the_fake_is_laid_out_as_it_says():
    """The tape's input is named so that a run can be observed."""
    assert canonical(tape()).nodes[0].axes == named(SHAPE, "NHWC")
