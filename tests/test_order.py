"""An unusual order in which a layer reads its kernel is told, and a usual one is not."""

import pytest

from conformance.judge.port.order import unusual
from conformance.trace.canonical import canonical
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

NCHW = (0, 1, 2, 3)


def told(write, usual="CHW"):
    """What is said of the last layer of what ``write(tape, image)`` returns."""
    tape = Tape()
    tape.outputs = (write(tape, tape.input((2, 4, 5, 5), "NCHW")),)
    graph = canonical(tape)
    return list(unusual(graph, graph.nodes[graph.outputs[0]], usual))


def conv(turned):
    """A convolution of a kernel that is something of the stored one."""

    def write(tape, x):
        kernel = turned(tape, tape.parameter("kernel", (6, 4, 3, 3)))
        return tape.conv(
            x, kernel, lhs=NCHW, rhs=NCHW, out=NCHW, stride=(1, 1), padding=((0, 0), (0, 0)),
            dilation=(1, 1), groups=1,
        )  # fmt: skip

    return write


def dense(order):
    """A dense layer on a map that is flattened in an order of its axes."""

    def write(tape, x):
        flat = tape.reshape(tape.transpose(x, order), (2, 100))
        return tape.dot(flat, tape.parameter("kernel", (100, 7)), (1, 0))

    return write


KERNELS = {
    "usual": (lambda tape, k: k, []),
    "flipped": (lambda tape, k: tape.reverse(k, (2, 3)), ["height and width from the end"]),
    "upside down": (lambda tape, k: tape.reverse(k, (2,)), ["height from the end"]),
    "transposed": (lambda tape, k: tape.transpose(k, (0, 1, 3, 2)), ["width before height"]),
}


@pytest.mark.parametrize(("turned", "said"), KERNELS.values(), ids=KERNELS)
def test_a_kernel_that_is_turned_is_told(turned, said):
    """Whatever the layout, height comes before width, and both from the start."""
    assert [found for _, found in told(conv(turned))] == said


@pytest.mark.parametrize(
    ("order", "usual", "said"),
    [
        ((0, 1, 2, 3), "CHW", []),
        ((0, 2, 3, 1), "HWC", []),
        ((0, 2, 3, 1), "CHW", ["height before width before channels"]),
        ((0, 1, 2, 3), "HWC", ["channels before height before width"]),
    ],
)
def test_a_map_flattened_in_another_order_is_told(order, usual, said):
    """The framework's own order is that of its images."""
    assert [found for _, found in told(dense(order), usual)] == said


def test_a_dense_kernel_that_is_turned_for_the_map_is_told():
    """As Keras' checkpoint is in PyTorch's network, turned in every call."""

    def write(tape, x):
        stored = tape.reshape(tape.parameter("kernel", (7, 100)), (7, 5, 5, 4))
        kernel = tape.reshape(tape.transpose(stored, (0, 3, 1, 2)), (7, 100))
        return tape.dot(tape.reshape(x, (2, 100)), kernel, (1, 1))

    assert [found for _, found in told(write)] == ["height before width before channels"]
