"""The tape: every method computes its own shape, and what moves nothing is not written down."""

import numpy as np
import pytest

from conformance.trace import composed
from conformance.trace.evaluation import evaluate
from conformance.trace.probes import same
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

SHAPE = (2, 6, 5, 4)
X = np.random.default_rng(0).uniform(0.5, 2, SHAPE)

WRITTEN = {
    "reshape": lambda t, x: t.reshape(x, (2, 30, 4)),
    "transpose": lambda t, x: t.transpose(x, (0, 3, 1, 2)),
    "transpose from the end": lambda t, x: t.transpose(x, (0, -1, 1, 2)),
    "broadcast": lambda t, x: t.broadcast(x, (3, *SHAPE)),
    "broadcast to given axes": lambda t, x: t.broadcast(x, (2, 6, 7, 5, 4), (0, 1, 3, 4)),
    "concat": lambda t, x: t.concat([x, x], -1),
    "stack": lambda t, x: t.stack([x, x], 1),
    "pad": lambda t, x: t.pad(x, [(1, 2), (0, 3), (0, 0)], -1.0),
    "pad by the edge": lambda t, x: t.pad(x, [(1, 2)], "edge"),
    "crop and pad": lambda t, x: t.pad(x, [(-1, 2), (1, -2)]),
    "slice": lambda t, x: t.slice(x, [range(2), range(1, 6, 2), range(5), range(1, 3)]),
    "slice backwards": lambda t, x: t.slice(x, [range(2), range(6)[::-2], range(5), range(4)]),
    "part": lambda t, x: t.part(x, 1, range(2, 4)),
    "row": lambda t, x: t.row(x, 1, -1),
    "take": lambda t, x: t.take(x, 1, (3, 0, 3)),
    "take a table": lambda t, x: t.take(x, 1, ((3, 0), (1, 1))),
    "reverse": lambda t, x: t.reverse(x, (-1, 1)),
    "max": lambda t, x: t.window(x, "max", (3, 2, 1), (2, 1, 1), [(1, 1), (0, 0), (0, 0)]),
    "mean": lambda t, x: t.window(x, "mean", (2, 2), (2, 1), [(0, 1), (1, 0)], False),
    "sum": lambda t, x: t.reduce(x, "sum", (1, 2)),
    "sum that keeps": lambda t, x: t.reduce(x, "sum", (1, 2), keep=True),
    "softmax": lambda t, x: t.softmax(x, -1),
    "dot": lambda t, x: t.dot(x, t.constant(np.ones((3, 5))), (2, 1)),
    "mul": lambda t, x: t.elementwise("mul", x, t.constant(np.full((6, 1, 1), 2.0))),
    "select": lambda t, x: t.select(t.elementwise("less", x, t.constant(1.0)), x, t.constant(0.0)),
}  # fmt: skip


def computed(write):
    tape = Tape()
    value = write(tape, tape.input(SHAPE, "NHWC"))
    return tape, value, evaluate(tape, value, {0: X})


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_a_value_has_the_shape_that_is_written_down(write):
    """The shape that the method computes is that of the numbers."""
    tape, value, numbers = computed(write)
    assert value > 0
    assert numbers.shape == tape[value].shape


IDLE = {
    "reshape": lambda t, x: t.reshape(x, SHAPE),
    "transpose": lambda t, x: t.transpose(x, (0, 1, 2, -1)),
    "broadcast": lambda t, x: t.broadcast(x, SHAPE),
    "pad": lambda t, x: t.pad(x, [(0, 0), (0, 0)]),
    "slice": lambda t, x: t.slice(x, [range(n) for n in SHAPE]),
}


@pytest.mark.parametrize("write", IDLE.values(), ids=IDLE)
def test_what_moves_nothing_is_not_written_down(write):
    """It is the operand itself."""
    tape, value, _ = computed(write)
    assert (value, len(tape)) == (0, 1)


@pytest.mark.parametrize(("factor", "value"), [(1.0, 0), (np.ones(4), 0), ([1, 1, 1, 2], 2)])
def test_a_product_with_one_is_the_operand(factor, value):
    """As in x sigmoid(1 x), of which x is read in one place more."""
    tape = Tape()
    x = tape.input(SHAPE, "NHWC")
    assert tape.elementwise("mul", tape.constant(factor), x) == value


CONV = {
    "plain": ((2, 9, 8, 3), (3, 3, 3, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), (2, 7, 6, 5)),
    "strided": ((2, 9, 8, 3), (3, 3, 3, 5), (2, 2), ((1, 1), (0, 1)), (1, 1), (2, 5, 4, 5)),
    "dilated": ((2, 9, 8, 3), (3, 3, 3, 5), (1, 1), ((0, 0), (0, 0)), (2, 3), (2, 5, 2, 5)),
}


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "padding", "dilation", "shape"), CONV.values(), ids=CONV
)
def test_the_shape_of_a_convolution(image, kernel, stride, padding, dilation, shape):
    """By the usual formula, in whatever order the axes are."""
    tape = Tape()
    value = tape.conv(
        tape.input(image, "NHWC"), tape.parameter("kernel", kernel), lhs=(0, 3, 1, 2),
        rhs=(3, 2, 0, 1), out=(0, 3, 1, 2), stride=stride, padding=padding, dilation=dilation,
        groups=1,
    )  # fmt: skip
    assert tape[value].shape == shape


COMPOSED = {
    "square": (composed.FORMULAS["square"], lambda x: x * x),
    "reciprocal": (composed.FORMULAS["reciprocal"], lambda x: 1 / x),
    "log1p": (composed.FORMULAS["log1p"], np.log1p),
    "expm1": (composed.FORMULAS["expm1"], np.expm1),
    "exp2": (composed.FORMULAS["exp2"], np.exp2),
    "silu": (composed.FORMULAS["silu"], lambda x: x / (1 + np.exp(-x))),
    "relu6": (lambda t, x: composed.FORMULAS["relu6"](t, t.elementwise("mul", x, t.constant(4.0))),
              lambda x: np.clip(4 * x, 0, 6)),
    "leaky_relu": (lambda t, x: composed.leaky_relu(t, t.elementwise("neg", x), 0.1),
                   lambda x: -0.1 * x),
    "log_softmax": (lambda t, x: composed.log_softmax(t, x, 1),
                    lambda x: x - np.log(np.exp(x).sum(axis=1, keepdims=True))),
    "variance": (lambda t, x: composed.variance(t, x, (0, 2), 1), lambda x: x.var((0, 2), ddof=1)),
    "running sum": (lambda t, x: composed.running_sum(t, x, 1, False), lambda x: x.cumsum(1)),
    "running sum backwards": (lambda t, x: composed.running_sum(t, x, 1, True),
                              lambda x: x[:, ::-1].cumsum(1)[:, ::-1]),
}  # fmt: skip


@pytest.mark.parametrize(("write", "expected"), COMPOSED.values(), ids=COMPOSED)
def test_an_operator_of_several_primitives_computes_what_it_is_called(write, expected):
    """Spelt out once, and the same as NumPy's."""
    assert same(computed(write)[2], expected(X))


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, 1.5, -0.3])
def test_a_leaky_rectifier_of_any_slope_is_written(slope):
    """Beyond one, and below zero, the larger of the two is another function."""
    tape, x = Tape(), np.random.default_rng(1).normal(size=SHAPE)
    value = composed.leaky_relu(tape, tape.input(SHAPE, "NHWC"), slope)
    assert np.array_equal(evaluate(tape, value, {0: x}), np.where(x > 0, x, slope * x))
