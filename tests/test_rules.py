"""A rule is selected by what its operands mean, and the walk knows no operation."""

import ast
from pathlib import Path

import pytest

from conformance.trace import rule, walk
from conformance.trace.canonical import canonical
from conformance.trace.evaluation import BINARY, LAYOUT, UNARY
from conformance.trace.meanings import NO_PADDING, Absent, Padded, Plain, Stored
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

X = Plain(0, (), 0)
ZEROS = Padded(0, (), 1, ((1, 1), (1, 1)), 0.0)


def names(operation, *operands):
    return [function.__name__ for function in rule.rules(operation, operands)]


@pytest.mark.parametrize(
    ("operands", "expected"),
    [
        ((X, Stored(1)), ["by_ones", "conv", "by_computed_weights"]),
        ((ZEROS, Stored(1)), ["by_ones", "padded", "conv", "by_computed_weights"]),
        ((X, X), []),
        ((X,), []),
    ],
    ids=["plain", "padded", "two results", "no kernel"],
)
def test_operands_select_the_rule(operands, expected):
    """A rule is tried where every operand means what its annotation says, in the order written."""
    assert names("conv", *operands) == expected


def test_the_rest_of_the_operands_has_one_type():
    """A norm takes as many slots as it has, absent or stored; a computed one is another thing."""
    assert names("batch_norm", X, Stored(1), Absent()) == ["batch_norm"]
    assert names("batch_norm", X, Stored(1), X) == []


def test_a_rule_that_commutes_takes_both_orders():
    """A bias is one on either side of the sum."""
    assert len(names("add", X, Stored(1))) == len(names("add", Stored(1), X)) == 1
    assert len(names("sub", X, Stored(1))) == 1
    assert names("sub", X, Stored(1)) != names("sub", Stored(1), X)


def test_the_walk_names_no_operation():
    """What an operation means stands in the rules and nowhere else."""
    words = {
        node.value
        for node in ast.walk(ast.parse(Path(walk.__file__).read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert words.isdisjoint({*UNARY, *BINARY, *LAYOUT, "conv", "dot", "pad", "window", "input"})


@pytest.mark.parametrize(
    ("fill", "expected"),
    [(0.0, ["input", "conv"]), (1.0, ["input", "pad", "conv"])],
    ids=["zeros", "ones"],
)
def test_a_convolution_takes_in_zeros_and_nothing_else(fill, expected):
    """Zeros around what a convolution reads are its padding; ones are a layer of their own."""
    tape = Tape()
    x = tape.input((2, 6, 6, 3), "NHWC")
    kernel = tape.parameter("kernel", (3, 3, 3, 4))
    around = ((0, 0), (1, 1), (1, 1), (0, 0))
    padded = tape.emit("pad", (x,), (2, 8, 8, 3), padding=around, value=fill)
    out = tape.emit(
        "conv", (padded, kernel), (2, 6, 6, 4),
        lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2),
        stride=(1, 1), padding=NO_PADDING, dilation=(1, 1), groups=1,
    )  # fmt: skip
    tape.outputs = (out,)
    graph = canonical(tape)
    assert [node.kind for node in graph] == expected
    assert graph.nodes[-1].attributes["padding"] == (((1, 1), (1, 1)) if not fill else NO_PADDING)


@pytest.mark.parametrize(
    ("read", "expected"), [(False, ["input", "conv"]), (True, ["input", "conv", "scale", "add"])]
)
def test_what_nothing_reads_is_no_reader(read, expected):
    """A reshape that came to nothing keeps no bias from its convolution; a second reader does."""
    tape = Tape()
    x = tape.input((2, 4, 4, 3), "NHWC")
    kernel, bias = tape.parameter("kernel", (4, 3, 1, 1)), tape.parameter("bias", (4,))
    around, layout = ((0, 0), (0, 0)), (0, 3, 1, 2)
    conv = tape.emit(
        "conv", (x, kernel), (2, 4, 4, 4), stride=(1, 1), padding=around, dilation=(1, 1),
        groups=1, lhs=layout, rhs=(0, 1, 2, 3), out=layout,
    )  # fmt: skip
    tape.emit("reshape", (conv,), (2, 1, 4, 4, 4))
    shifted = tape.emit("add", (conv, bias), (2, 4, 4, 4))
    tape.outputs = (tape.emit("add", (shifted, conv), (2, 4, 4, 4)) if read else shifted,)
    assert [node.kind for node in canonical(tape)] == expected
