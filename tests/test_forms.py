"""The same function is the same graph, however it is spelt; another function is another graph."""

import numpy as np
import pytest

from conformance.graph.align import align, findings
from conformance.graph.axes import name_of
from conformance.graph.model import verify
from conformance.trace.canonical import canonical
from conformance.trace.port import UntraceableModel
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare

SHAPE = (2, 4, 6, 6)
NCHW = (0, 1, 2, 3)


def graph(write, shape=SHAPE, axes="NCHW"):
    """The graph of what ``write(tape, image)`` returns."""
    tape = Tape()
    outputs = write(tape, tape.input(shape, axes))
    tape.outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return verify(canonical(tape))


def said(found):
    return [(node.kind, node.attributes, node.inputs, node.shape) for node in found]


def kinds(found):
    return [node.kind for node in found]


def conv(tape, x, name, outputs, size=1, padding=0, stride=1):
    kernel = tape.parameter(name, (outputs, tape[x].shape[1], size, size))
    return tape.conv(
        x, kernel, lhs=NCHW, rhs=NCHW, out=NCHW, stride=(stride, stride),
        padding=((padding, padding),) * 2, dilation=(1, 1), groups=1,
    )  # fmt: skip


def every_other(tape, x):
    return tape.slice(x, [*(range(n) for n in SHAPE[:2]), range(0, 6, 2), range(0, 6, 2)])


def pool(reduce, size, stride):
    return lambda tape, x: tape.window(x, reduce, size, stride, ((0, 0), (0, 0)))


def beside(zeros):
    def write(tape, x):
        return tape.concat([x, zeros(tape, x)], 1)

    return write


def ratio(tape, x, low, high):
    bounded = tape.elementwise("max", x, tape.constant(low))
    return tape.elementwise("min", bounded, tape.constant(high))


def logarithm_of_sum(tape, x):
    exp = tape.elementwise("exp", x)
    return tape.elementwise(
        "sub", x, tape.elementwise("log", tape.reduce(exp, "sum", (1,), keep=True))
    )


def twice(tape, x):
    return tape.elementwise("add", tape.elementwise("relu", x), tape.elementwise("relu", x))


def at_once(tape, x):
    y = tape.elementwise("relu", x)
    return tape.elementwise("add", y, y)


SAME = {
    "a window of one": (pool("mean", (1, 1), (2, 2)), every_other),
    "its maximum": (pool("max", (1, 1), (2, 2)), every_other),
    "a window of one that goes everywhere": (pool("mean", (1, 1), (1, 1)), lambda tape, x: x),
    "zeros, and a map times zero": (
        beside(lambda tape, x: tape.elementwise("mul", x, tape.constant(0.0))),
        beside(lambda tape, x: tape.constant(np.zeros(SHAPE))),
    ),
    "zeros, and a padding": (
        beside(lambda tape, x: tape.constant(np.zeros(SHAPE))),
        lambda tape, x: tape.pad(x, ((0, 4), (0, 0), (0, 0))),
    ),
    "nested concatenation": (
        lambda tape, x: tape.concat([tape.concat([x, tape.elementwise("relu", x)], 1), x], 1),
        lambda tape, x: tape.concat([x, tape.elementwise("relu", x), x], 1),
    ),
    "split and put together": (
        lambda tape, x: tape.concat([tape.part(x, 1, range(3)), tape.part(x, 1, range(3, 4))], 1),
        lambda tape, x: x,
    ),
    "computed twice": (twice, at_once),
    "log of softmax": (
        lambda tape, x: tape.elementwise("log", tape.softmax(x, 1)),
        logarithm_of_sum,
    ),
    "softmax, by its logarithm": (
        lambda tape, x: tape.elementwise("exp", logarithm_of_sum(tape, x)),
        lambda tape, x: tape.softmax(x, 1),
    ),
    "a step in front of pixels": (
        lambda tape, x: conv(tape, every_other(tape, x), "kernel", 5),
        lambda tape, x: conv(tape, x, "kernel", 5, stride=2),
    ),
    "padded in steps": (
        lambda tape, x: tape.pad(tape.pad(x, ((1, 0), (0, 0))), ((0, 0), (0, 2))),
        lambda tape, x: tape.pad(x, ((1, 0), (0, 2))),
    ),
    "a pool of a padding with the least number": (
        lambda tape, x: pool("max", (3, 3), (1, 1))(
            tape, tape.pad(x, ((1, 1), (1, 1)), float(np.finfo(np.float32).min))
        ),
        lambda tape, x: pool("max", (3, 3), (1, 1))(tape, tape.pad(x, ((1, 1), (1, 1)), -np.inf)),
    ),
    "rectified twice": (
        lambda tape, x: tape.elementwise("relu", tape.elementwise("relu", x)),
        lambda tape, x: tape.elementwise("relu", x),
    ),
    "a clip, rectified": (
        lambda tape, x: tape.elementwise("relu", ratio(tape, x, 0.0, 6.0)),
        lambda tape, x: ratio(tape, x, 0.0, 6.0),
    ),
    "a bound that nothing reaches": (
        lambda tape, x: ratio(tape, x, 0.0, np.inf),
        lambda tape, x: tape.elementwise("relu", x),
    ),
    "clip from either side": (
        lambda tape, x: ratio(tape, x, 0.0, 6.0),
        lambda tape, x: tape.elementwise(
            "max", tape.elementwise("min", x, tape.constant(6.0)), tape.constant(0.0)
        ),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_one_function_is_one_graph(one, other):
    """Spellings that compute the same are equal in all that a comparison reads."""
    assert said(graph(one)) == said(graph(other))


OTHER = {
    "a window of one with cells around": (
        lambda tape, x: tape.window(x, "mean", (1, 1), (2, 2), ((1, 1), (1, 1))),
        lambda tape, x: tape.window(x, "max", (1, 1), (2, 2), ((1, 1), (1, 1))),
    ),
    "ones for zeros": (
        beside(lambda tape, x: tape.constant(np.ones(SHAPE))),
        beside(lambda tape, x: tape.constant(np.zeros(SHAPE))),
    ),
    "another order": (
        lambda tape, x: tape.concat([x, tape.concat([x, tape.elementwise("relu", x)], 1)], 1),
        lambda tape, x: tape.concat([tape.concat([x, tape.elementwise("relu", x)], 1), x], 1),
    ),
    "two draws of dropout": (
        lambda tape, x: tape.elementwise("add", tape.dropout(x, 0.5), tape.dropout(x, 0.5)),
        lambda tape, x: (lambda y: tape.elementwise("add", y, y))(tape.dropout(x, 0.5)),
    ),
    "another bound": (
        lambda tape, x: ratio(tape, x, 0.0, 6.0),
        lambda tape, x: ratio(tape, x, 0.0, 1.0),
    ),
    "a clip that is rectified in its midst": (
        lambda tape, x: tape.elementwise("relu", ratio(tape, x, -1.0, 1.0)),
        lambda tape, x: ratio(tape, x, -1.0, 1.0),
    ),
}


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_function_is_another_graph(one, other):
    """What looks alike and computes something else stays apart."""
    assert said(graph(one)) != said(graph(other))


@pytest.mark.parametrize("size", [6, 32, 64])
def test_relu6_is_a_clip_on_maps_of_any_size(size):
    """On many pixels a clipped map is nearly linear about zero, and still no batch norm."""
    found = graph(lambda tape, x: ratio(tape, x, 0.0, 6.0), (2, 4, size, size))
    assert said(found)[1:] == [("clip", {"low": 0.0, "high": 6.0}, (0,), (size, size, 4))]


MOVED = {
    "rows exchanged": (lambda tape, x: tape.reverse(x, (2,)), "unknown:reverse"),
    "rows exchanged by a product": (
        lambda tape, x: tape.elementwise(
            "mul", tape.reverse(x, (2,)), tape.elementwise("greater", x, tape.constant(0.0))
        ),
        "unknown:mul",
    ),
}


@pytest.mark.parametrize(("write", "kind"), MOVED.values(), ids=MOVED)
def test_what_moves_pixels_is_no_activation(write, kind):
    """Images of one colour do not show it, nor does one channel whose samples are positive."""
    assert kinds(graph(write, (2, 1, 6, 6)))[-1] == kind
    assert kinds(graph(lambda tape, x: tape.elementwise("relu", x), (2, 1, 6, 6)))[-1] == "relu"


def test_a_sum_divided_in_another_layout_has_the_axes_of_the_average():
    """Its result is observed where it is divided, not where it was summed."""

    def write(tape, x):
        total = tape.window(x, "sum", (2, 2), (2, 2), ((0, 0), (0, 0)))
        return tape.elementwise("div", tape.transpose(total, (0, 2, 3, 1)), tape.constant(4.0))

    node = graph(write).nodes[-1]
    assert (node.kind, [name_of(axis) for axis in node.axes]) == ("avg_pool", [*"NHWC"])


def test_places_taken_in_their_order_are_all_of_them():
    """A roll of a single image along the batch is nothing, and one of rows is not."""
    assert kinds(graph(lambda tape, x: tape.take(x, 0, (0, 1)))) == ["input"]
    assert kinds(graph(lambda tape, x: tape.take(x, 2, (5, 0, 1, 2, 3, 4)))) == [
        "input", "unknown:take",
    ]  # fmt: skip


@pytest.mark.parametrize("places", [[1, 0, 2], [[1, 0], [2, 0]]])
def test_rows_in_another_order_are_compared(places):
    """By the places that they are taken from."""

    def rows(order):
        return graph(lambda tape, x: tape.take(x, 2, np.array(order)))

    assert kinds(rows(places))[1:] == ["unknown:take"]
    for others, differ in ((places, []), (places[::-1], ["indices"])):
        one, two = rows(places), rows(others)
        assert [each.attribute for each in findings(one, two, align(one, two))] == differ


def test_a_sum_of_one_result_and_itself_has_two_inputs():
    """``x + x`` is a sum, and both of its inputs are there."""
    found = graph(lambda tape, x: tape.elementwise("add", x, x))
    assert said(found)[1:] == [("add", {}, (0, 0), (6, 6, 4))]


def test_a_learned_scalar_is_a_scale():
    """One number for all channels fills one slot of one number."""
    found = graph(lambda tape, x: tape.elementwise("mul", x, tape.parameter("s", (1,))))
    assert kinds(found) == ["input", "scale"]
    assert found.nodes[1].slots == {"gamma": (1,)}


def rows_normalised(tape, x):
    """A batch norm by stored statistics of the rows."""
    stored = [tape.parameter(name, (6,)) for name in ("gamma", "beta", "mean", "variance")]
    gamma, beta, mean, variance = (tape.reshape(p, (1, 1, 6, 1)) for p in stored)
    root = tape.elementwise("rsqrt", tape.elementwise("add", variance, tape.constant(1e-3)))
    centred = tape.elementwise("sub", x, mean)
    scaled = tape.elementwise("mul", centred, tape.elementwise("mul", root, gamma))
    return tape.elementwise("add", scaled, beta)


AXES = {
    "norm by hand": (rows_normalised, "batch_norm", "height"),
    "norm": (
        lambda tape, x: tape.batch_norm(
            x, *(tape.parameter(name, (6,)) for name in "abcd"), axis=3, epsilon=1e-3
        ),
        "batch_norm",
        "width",
    ),
    "softmax": (lambda tape, x: tape.softmax(x, 0), "softmax", "batch"),
    "concatenation": (lambda tape, x: tape.concat([x, x], 2), "concat", "height"),
}


@pytest.mark.parametrize(("write", "kind", "axis"), AXES.values(), ids=AXES)
def test_another_axis_is_named(write, kind, axis):
    """What works along another axis than the channels is of its kind, and says which axis."""
    node = graph(write).nodes[-1]
    assert (node.kind, node.attributes["axis"]) == (kind, axis)


def test_an_opaque_operation_keeps_axes_and_parameters():
    """What has no word holds what it reads, and what follows is read as if it had one."""

    def write(tape, x):
        y = tape.unknown("fold", [x, tape.parameter("w", (3, 3))], (2, 8, 3, 3))
        return conv(tape, y, "kernel", 5)

    opaque, after = graph(write).nodes[1:]
    assert (opaque.kind, opaque.shape) == ("unknown:fold", (3, 3, 8))
    assert [p.handle for pieces in opaque.parameters.values() for p in pieces] == ["w"]
    assert (after.kind, after.shape) == ("conv", (3, 3, 5))


def test_an_opaque_reduction_says_over_what():
    """A mean over the channels is no pooling, and its axis has a name."""
    node = graph(lambda tape, x: tape.reduce(x, "mean", (1,), keep=True)).nodes[-1]
    assert (node.kind, node.attributes["axes"]) == ("unknown:reduce", "channels")


def test_algebra_may_have_an_axis_more_than_a_map():
    """As of groups of one channel each: it is nothing that a map in its own axes could be."""

    def write(tape, x):
        groups = tape.unknown("fold", [tape.reshape(x, (2, 4, 6, 6, 1))], (2, 4, 6, 6, 1))
        squares = tape.elementwise("mul", groups, groups)
        return tape.reduce(squares, "mean", (2, 3, 4), keep=True)

    assert kinds(graph(write)) == ["input", "unknown:fold", "unknown:reduce"]


def test_algebra_without_a_name_hides_no_layer():
    """A batch norm before what has no name is one, and the padding behind belongs to the conv."""

    def write(tape, x):
        axes = (0, 2, 3)
        centred = tape.elementwise("sub", x, tape.reduce(x, "mean", axes, keep=True))
        squares = tape.elementwise("mul", centred, centred)
        variance = tape.reduce(squares, "mean", axes, keep=True)
        steadied = tape.elementwise("add", variance, tape.constant(1e-5))
        y = tape.elementwise("mul", centred, tape.elementwise("rsqrt", steadied))
        most = tape.elementwise("max", y, tape.elementwise("mul", y, y))
        return conv(tape, tape.pad(most, ((1, 1), (1, 1))), "kernel", 5, 3)

    found = graph(write)
    assert kinds(found) == ["input", "batch_norm", "unknown:max", "conv"]
    assert found.nodes[-1].attributes["padding"] == ((1, 1), (1, 1))


def test_an_unnamed_activation_is_one_node():
    """x sigmoid(2x) is one function of x; where the sigmoid is read as well, it is a layer."""

    def steep(tape, x):
        twice = tape.elementwise("mul", x, tape.constant(2.0))
        return tape.elementwise("mul", x, tape.elementwise("logistic", twice))

    def gated(tape, x):
        gate = tape.elementwise("logistic", x)
        return tape.elementwise("mul", x, gate), gate

    assert said(graph(steep))[1:] == [("unknown:mul", {}, (0,), (6, 6, 4))]
    assert kinds(graph(gated)) == ["input", "sigmoid", "silu"]


@pytest.mark.parametrize(
    ("noise", "drops"),
    [
        ((2, 4, 6, 6), None),
        ((2, 4, 1, 1), "channels"),
        ((2, 1, 1, 1), "images"),
        ((1, 4, 6, 6), "the same of all images"),
        ((4, 6, 6), "the same of all images"),
        ((), "the same of all images"),
    ],
    ids=["numbers", "channels", "images", "one for all", "without images", "one number"],
)
def test_a_random_factor_is_a_dropout(noise, drops):
    """Noise that decides on a number, a map or a whole image is dropout, and says on what."""

    def write(tape, x):
        kept = tape.elementwise("less", tape.random(noise), tape.constant(0.8))
        return tape.elementwise("div", tape.elementwise("mul", x, kept), tape.constant(0.8))

    node = graph(write).nodes[-1]
    assert (node.kind, node.attributes["rate"]) == ("dropout", 0.2)
    assert node.attributes.get("drops") == drops


def test_a_dropout_keeps_the_shape_of_what_it_reads():
    """Of a map that is flattened before, also where no rule reads what makes the map."""

    def write(tape, x):
        y = tape.reduce(tape.unknown("fold", [x], (2, 4, 3, 3, 2, 2)), "max", (4, 5), keep=False)
        y = tape.reshape(y, (2, 36))
        kept = tape.elementwise("less", tape.random((2, 36)), tape.constant(0.8))
        return tape.elementwise("div", tape.elementwise("mul", y, kept), tape.constant(0.8))

    node = graph(write).nodes[-1]
    assert (node.kind, node.shape) == ("dropout", (36,))


def test_an_image_in_the_other_layout_is_read_as_the_model_reads_it():
    """A model that takes rows for channels is one difference, at the image."""

    def write(tape, x):
        kernel = tape.parameter("kernel", (3, 3, 6, 5))
        return tape.conv(
            x, kernel, lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2),
            stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1,
        )  # fmt: skip

    image, after = graph(write).nodes
    assert image.attributes["layout"] == "channels as height, height as width, width as channels"
    assert (after.kind, after.shape) == ("conv", (4, 6, 5))
    assert "layout" not in graph(write, (2, 4, 6, 6), "NHWC").nodes[0].attributes


def test_an_output_without_an_image_is_refused():
    """A model that returns a constant computes nothing of the image."""
    with pytest.raises(UntraceableModel, match="output 1 depends on no image"):
        graph(lambda tape, x: tape.constant(1.0))
