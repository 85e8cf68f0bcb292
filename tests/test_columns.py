"""A product of windows that were laid out before is the convolution that they are for."""

import numpy as np
import pytest

from conformance.trace.canonical import canonical
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

CELLS = [(row, column) for row in range(3) for column in range(3)]


def slices(tape, x, cells=CELLS, stride=2, fill=0.0):
    """For every cell of a window a slice of the padded map, side by side."""
    x = tape.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), fill)
    sides = [n - 2 for n in tape[x].shape[1:3]]
    parts = [
        [range(2), *(range(c, c + n, stride) for c, n in zip(cell, sides, strict=True)), range(3)]
        for cell in cells
    ]
    return tape.concat([tape.slice(x, part) for part in parts], 3)


def ones(tape, x, picked=1.0):
    """A convolution by ones and zeros, as JAX and Keras lay windows out."""
    kernel = tape.constant(picked * np.eye(27).reshape(3, 3, 3, 27))
    return tape.conv(
        x, kernel, lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2),
        stride=(2, 2), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1,
    )  # fmt: skip


def in_rows(tape, x):
    """With all windows of an image along one axis."""
    laid = slices(tape, x)
    return tape.reshape(laid, (2, 20, 27))


def multiplied(lay):
    tape = Tape()
    laid = lay(tape, tape.input((2, 9, 8, 3), "NHWC"))
    product = tape.dot(laid, tape.parameter("kernel", (27, 4)), (len(tape[laid].shape) - 1, 0))
    tape.outputs = (product,)
    return canonical(tape)


@pytest.mark.parametrize("lay", [slices, ones, in_rows])
def test_windows_are_read(lay):
    """However they are laid out; a last column that no window reaches is as padded as the first."""
    *_, conv = multiplied(lay)
    assert (conv.kind, conv.shape) == ("conv", (5, 4, 4))
    assert conv.attributes["stride"] == (2, 2)
    assert conv.attributes["padding"] == ((1, 1), (1, 1))
    (kernel,) = conv.parameters["kernel"]
    assert kernel.steps == (
        ("transpose", (0, 1)), ("reshape", (3, 3, 3, 4)), ("transpose", (0, 1, 2, 3)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "lay",
    [
        lambda tape, x: slices(tape, x, [*CELLS[:8], CELLS[0]]),
        lambda tape, x: slices(tape, x, fill=1.0),
        lambda tape, x: ones(tape, x, 2.0),
    ],
    ids=["one cell twice", "ones around", "twos"],
)
def test_what_is_no_layout_of_windows_is_none(lay):
    """A cell that is missing, another padding, another number: not read as a convolution."""
    assert "unknown" in "".join(node.kind for node in multiplied(lay))
