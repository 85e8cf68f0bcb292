"""Algebra that is written alike is asked about once, and what differs anywhere is not alike."""

import numpy as np
import pytest

from conformance.trace.canonical import canonical
from conformance.trace.excerpt import Excerpt, excerpt, remembered
from conformance.trace.norms import batch_normalisation
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

SHAPE = (2, 6, 6, 4)


def norm(tape, x, epsilon=1e-5, name="norm"):
    """A batch norm by the batch's own statistics, channels last, in primitives."""
    shape, wide = tape[x].shape, (1, 1, 1, tape[x].shape[-1])

    def mean(value):
        return tape.emit("reduce", (value,), wide, reduce="mean", axes=(0, 1, 2), keep=True)

    centred = tape.emit("sub", (x, mean(x)), shape)
    variance = mean(tape.emit("mul", (centred, centred), shape))
    steadied = tape.emit("add", (variance, tape.constant(epsilon)), wide)
    scaled = tape.emit("mul", (centred, tape.emit("rsqrt", (steadied,), wide)), shape)
    gamma, beta = (tape.parameter(f"{name}.{slot}", wide[-1:]) for slot in ("gamma", "beta"))
    return tape.emit("add", (tape.emit("mul", (scaled, gamma), shape), beta), shape)


def alone(shape=SHAPE, **changes):
    """The excerpt of one norm behind an image."""
    tape = Tape()
    x = tape.input(shape, "NHWC")
    return excerpt(tape, x, norm(tape, x, **changes))


def behind(*epsilons):
    """The graph of norms behind one another, a relu after each, and their constants."""
    tape = Tape()
    value = tape.input(SHAPE, "NHWC")
    for i, epsilon in enumerate(epsilons):
        value = tape.emit("relu", (norm(tape, value, epsilon, f"norm{i}"),), SHAPE)
    tape.outputs = (value,)
    return [node for node in canonical(tape) if node.kind == "batch_norm"]


def test_names_and_places_do_not_tell_excerpts_apart():
    """The same norm under another name, and further down, is the same text."""
    tape = Tape()
    x = tape.emit("relu", (tape.input(SHAPE, "NHWC"),), SHAPE)
    assert excerpt(tape, x, norm(tape, x, name="other")).text == alone().text


@pytest.mark.parametrize(
    "changes",
    [{"epsilon": 1.0000001e-5}, {"shape": (2, 6, 7, 4)}, {"shape": (3, 6, 6, 4)}],
    ids=["epsilon", "width", "batch"],
)
def test_a_constant_or_a_shape_tells_excerpts_apart(changes):
    """One digit of epsilon, one column, one image more: another text, another answer's key."""
    assert alone(**changes).text != alone().text


def test_parameters_that_change_places_tell_excerpts_apart():
    """Which operand a parameter is belongs to the text."""

    def difference(order):
        tape = Tape()
        x = tape.input((2, 4), "NC")
        first, second = tape.parameter("a", (4,)), tape.parameter("b", (4,))
        left = tape.emit("mul", (x, (first, second)[order]), (2, 4))
        return excerpt(tape, x, tape.emit("sub", (left, (second, first)[order]), (2, 4)))

    assert difference(0).text == difference(0).text != difference(1).text


def test_long_arrays_are_told_apart_to_the_last_entry():
    """NumPy leaves the middle out when it prints a long array; the text does not."""

    def taken(at):
        tape = Tape()
        x = tape.input((2, 4000), "NC")
        indices = np.arange(4000)
        indices[at], indices[at + 1] = at + 1, at
        return excerpt(tape, x, tape.emit("take", (x,), (2, 4000), axis=1, indices=indices))

    assert repr(taken(1000).tape[1]) == repr(taken(2000).tape[1])
    assert taken(1000).text != taken(2000).text


def test_each_norm_keeps_its_own_epsilon_and_its_own_parameters():
    """Norms that differ in epsilon alone are not taken for one another, and equal ones are two."""
    nodes = behind(1e-5, 1e-3, 1e-5)
    assert [node.attributes["epsilon"] for node in nodes] == [1e-5, 1e-3, 1e-5]
    for i, node in enumerate(nodes):
        assert {s: p.handle for s, (p,) in node.parameters.items()} == {
            "gamma": f"norm{i}.gamma",
            "beta": f"norm{i}.beta",
        }


def test_a_question_is_asked_once_a_text():
    """Equal excerpts share the answer; another axis is another question."""
    asked = []

    @remembered
    def recogniser(part: Excerpt, channel: int) -> None:
        asked.append((part.text, channel))

    for part, channel in [(alone(), 3), (alone(), 3), (alone(), 2), (alone(epsilon=1.0), 3)]:
        recogniser(part, channel)
    assert len(asked) == 3


def test_what_cannot_be_evaluated_is_not_recognised():
    """An operation that no rule evaluates makes the algebra nameless, every time."""
    tape = Tape()
    x = tape.input(SHAPE, "NHWC")
    part = excerpt(tape, x, tape.emit("erf", (norm(tape, x),), SHAPE, unknown=True))
    assert batch_normalisation(part, 3) is None
    assert batch_normalisation(part, 3) is None
    assert batch_normalisation(alone(), 3) is not None
