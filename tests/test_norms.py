"""A norm is read out of the algebra that it is spelt in, with what it does to stored statistics."""

import pytest

from conformance.trace.canonical import canonical
from conformance.trace.tape import Tape
from tests.test_forms import conv, graph, kinds

pytestmark = pytest.mark.bare


def normalised(axes):
    def write(tape, x):
        centred = tape.elementwise("sub", x, tape.reduce(x, "mean", axes, keep=True))
        square = tape.elementwise("mul", centred, centred)
        steadied = tape.elementwise(
            "add", tape.reduce(square, "mean", axes, keep=True), tape.constant(1e-5)
        )
        return tape.elementwise("mul", centred, tape.elementwise("rsqrt", steadied))

    return write


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("axes", "kind"),
    [((0, 2, 3), "batch_norm"), ((1, 2, 3), "group_norm")],
)
def test_a_single_image_tells_its_own_statistics_from_the_batchs(axes, kind, count):
    """Of one image they are the same numbers, and not the same norm."""
    assert kinds(graph(normalised(axes), (count, 1, 6, 6))) == ["input", kind]


def standard(tape, x, axes, epsilon):
    """Numbers less their mean, over their deviation; and that mean."""
    average = tape.reduce(x, "mean", axes, keep=True)
    centred = tape.elementwise("sub", x, average)
    square = tape.elementwise("mul", centred, centred)
    variance = tape.reduce(square, "mean", axes, keep=True)
    steadied = tape.elementwise("add", variance, tape.constant(epsilon))
    return tape.elementwise("mul", centred, tape.elementwise("rsqrt", steadied)), average


def updated(tape, x, mean, momentum, axis):
    """A batch norm without epsilon's company, and what becomes of its running mean."""
    y, average = standard(tape, x, tuple(i for i in range(4) if i != axis), 1e-5)
    kept = tape.elementwise("mul", mean, tape.constant(momentum))
    share = tape.reshape(average, tape[mean].shape)
    share = tape.elementwise("mul", share, tape.constant(1 - momentum))
    return y, tape.elementwise("add", kept, share)


@pytest.mark.parametrize("axis", [1, 2], ids=["channels", "rows"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_statistic_that_several_norms_replace_has_one_momentum(times, axis):
    """Whether a norm is used once or more often, and along which axis it works."""
    tape = Tape()
    x = tape.input((2, 6, 6, 6), "NCHW")
    mean = tape.parameter("mean", (6,))
    for _ in range(times):
        x, mean = updated(tape, tape.elementwise("tanh", x), mean, 0.9, axis)
    tape.outputs, tape.updates = (tape.elementwise("relu", x),), {"mean": mean}
    norms = [node for node in canonical(tape) if node.kind == "batch_norm"]
    assert [node.attributes["momentum"] for node in norms] == [0.9] * times
    assert not canonical(tape).unknown


def test_a_norm_by_the_batch_reads_zeros_around_a_map():
    """Cells around a map that a norm reads, and no convolution, are a layer in front of it."""

    def write(tape, x):
        around = tape.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return updated(tape, around, tape.parameter("mean", (4,)), 0.9, 1)[0]

    assert kinds(graph(write)) == ["input", "pad", "batch_norm"]


def test_a_batch_norm_is_one_on_any_batch():
    """A function that is linear where its input hardly varies is no norm."""

    def arctangent(tape, x):
        mean = tape.reduce(x, "mean", (0, 2, 3), keep=True)
        return tape.elementwise("tanh", tape.elementwise("sub", x, mean))

    assert "batch_norm" not in kinds(graph(arctangent, (2, 4, 16, 16)))


def moving(tape, x, stored):
    """A batch norm of the batch's statistics, and what it makes of the ``stored`` ones."""
    along = (0, 2, 3)
    mean = tape.reduce(x, "mean", along)
    centred = tape.elementwise("sub", x, tape.reshape(mean, (1, 4, 1, 1)))
    variance = tape.reduce(tape.elementwise("mul", centred, centred), "mean", along)
    steadied = tape.elementwise("add", variance, tape.constant(1e-5))
    scale = tape.elementwise("mul", tape.elementwise("rsqrt", steadied), stored["gamma"])
    for name, new in (("mean", mean), ("variance", variance)):
        kept = tape.elementwise("mul", stored[name], tape.constant(0.9))
        fresh = tape.elementwise("mul", new, tape.constant(0.1))
        stored[name] = tape.updates[name] = tape.elementwise("add", kept, fresh)
    return tape.elementwise("mul", centred, tape.reshape(scale, (1, 4, 1, 1)))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_norm_in_several_places_moves_its_statistics_in_turn(times):
    """Each place is a norm, and has the share that one step keeps."""

    def write(tape, x):
        stored = {name: tape.parameter(name, (4,)) for name in ("gamma", "mean", "variance")}
        for number in range(times):
            x = tape.elementwise("relu", conv(tape, x, f"kernel {number}", 4))
            x = moving(tape, x, stored)
        return x

    norms = [node for node in graph(write) if node.kind == "batch_norm"]
    assert [node.attributes["momentum"] for node in norms] == [0.9] * times
    assert kinds(graph(write))[1:] == ["conv", "relu", "batch_norm"] * times
