"""Lower precisions: their formats, their bounds, and what is taken for another one."""

from math import log2

import numpy as np
import pytest

from conformance.numbers.oracle import Oracle
from conformance.numbers.parity import parity
from conformance.numbers.precision import PRECISIONS
from conformance.trace.canonical import canonical
from conformance.trace.port import PLAIN, Execution
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

LOWER = [name for name in PRECISIONS if name != PLAIN.precision]


#: Half of the digits to the next coarser precision; of float64, whose cost is that of float32,
#: less the 29 digits that lie between the two.
HALFWAY = {
    "float64": (53 - 24) / 2 - 29,
    "float32": (24 - 11) / 2,
    "tf32": (11 - 8) / 2,
    "float16": (11 - 8) / 2,
    "bfloat16": (8 - 4) / 2,
}


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_bound_lies_halfway_to_the_next_coarser_precision(name):
    """On a logarithmic scale; the finer 8-bit format, below bfloat16, has 4 digits."""
    assert log2(PRECISIONS[name].margin) == HALFWAY[name]


@pytest.mark.parametrize(
    ("name", "number", "kept"),
    [
        ("bfloat16", 1 + 2**-8, 1.0),  # halfway: the even one
        ("bfloat16", 1 + 3 * 2**-8, 1 + 2**-6),
        ("bfloat16", -(1 + 2**-8 + 2**-20), -(1 + 2**-7)),
        ("bfloat16", 3.4e38, np.inf),
        ("float16", 1 + 2**-11, 1.0),
        ("float16", 65520.0, np.inf),
        ("float32", 1 + 2**-24, 1.0),
        ("tf32", 1 + 2**-20, 1 + 2**-20),
        ("float64", 1 + 2**-52, 1 + 2**-52),
    ],
)
def test_what_is_stored(name, number, kept):
    """Nearest, and of two the even one; beyond the range infinity."""
    with np.errstate(over="ignore"):
        found = PRECISIONS[name].round(np.array([number], PRECISIONS[name].dtype))
    assert found.tolist() == [kept]
    assert np.isnan(PRECISIONS[name].round(np.array([np.nan], PRECISIONS[name].dtype))).all()


def test_what_is_multiplied():
    """TF32 has the range of float32 and ten of its digits; what is below is cut off."""
    read = PRECISIONS["tf32"].read(np.array([1 + 2**-10, 1 + 2**-11, -1 - 2**-11, 3e38], "float32"))
    assert read.tolist() == [1 + 2**-10, 1.0, -1.0, 1805 * 2.0**117]  # 3e38 is 1805.6 of them


class Computes:
    """A port whose network is the oracle itself, in a precision that nobody has asked for."""

    framework = "none"
    trains = False

    def __init__(self, precision):
        self.precision = precision

    def trace(self, size, training=False, batch=None):
        """A convolution and a rectifier."""
        tape = Tape()
        image = tape.input((1, *size), "NHWC")
        kernel = tape.parameter("kernel", (3, 3, size[2], 8))
        x = tape.emit(
            "conv", (image, kernel), (1, size[0], size[1], 8),
            lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2), stride=(1, 1),
            padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1,
        )  # fmt: skip
        x = tape.emit("relu", (x,), (1, size[0], size[1], 8))
        tape.outputs = (x,)
        return tape

    def own(self):
        """Nothing: it is given everything."""
        raise NotImplementedError

    def plain(self, values, images):
        """Nobody asks for it."""
        raise NotImplementedError

    def built(self):
        """It is its own model."""
        return self

    def gradient(self, run, cotangents, wanted):
        """Nobody asks for it."""
        raise NotImplementedError

    def inside(self, run, cotangents, wanted):
        """Nobody asks for it."""
        raise NotImplementedError

    def run(self, run, wanted, observe):
        graph = canonical(run.tape)
        oracle = Oracle(graph, lambda index, slot: run.values(slot), run.image, self.precision)
        for index, node in enumerate(graph):
            if node.value in wanted:
                observe(node.value, oracle.result(index))
        return {}


@pytest.mark.parametrize("asked", LOWER)
@pytest.mark.parametrize("computed", PRECISIONS)
def test_a_coarser_precision_than_asked_for_is_told_apart(asked, computed):
    """And so is a finer one not: it is more than was asked for."""
    port = Computes(PRECISIONS[computed])
    tape = port.trace((8, 8, 3))
    found = parity(port, tape, canonical(tape), how=Execution(asked))
    assert not found.problem
    fine = PRECISIONS[computed].multiplied >= PRECISIONS[asked].multiplied
    assert (found.first_divergence is None) == fine
