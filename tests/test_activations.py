"""Activations and norms that no paper here has are named, however they are spelt."""

import pytest

from conformance.trace import composed
from tests.test_forms import conv, graph
from tests.test_norms import standard

pytestmark = pytest.mark.bare

ACTIVATIONS = {
    "leaky relu": (lambda t, x: composed.leaky_relu(t, x, 0.2), ("leaky_relu", {"slope": 0.2})),
    "by two relus": (
        lambda t, x: t.elementwise(
            "sub", t.elementwise("relu", x), times(t, t.elementwise("relu", times(t, x, -1.0)), 0.2)
        ),
        ("leaky_relu", {"slope": 0.2}),
    ),
    "hard sigmoid": (lambda t, x: times(t, six(t, x), 1 / 6), ("hard_sigmoid", {})),
    "hard swish": (
        lambda t, x: t.elementwise("mul", x, times(t, six(t, x), 1 / 6)), ("hard_swish", {})
    ),
    "silu": (composed.FORMULAS["silu"], ("silu", {})),
    "not the whole of it": (lambda t, x: six(t, x), None),
}  # fmt: skip


def times(tape, x, factor):
    return tape.elementwise("mul", x, tape.constant(factor))


def six(tape, x):
    return composed.FORMULAS["relu6"](tape, tape.elementwise("add", x, tape.constant(3.0)))


@pytest.mark.parametrize(("write", "named"), ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_an_activation_is_named_however_it_is_spelt(write, named):
    """As one node behind a convolution; a part of one keeps what it is made of."""

    def behind(tape, x):
        return write(tape, conv(tape, x, "kernel", 5, 3))

    found = graph(behind).nodes[2:]
    if named is None:
        assert [node.kind for node in found] == ["scale", "clip"]
    else:
        assert [(node.kind, node.attributes) for node in found] == [named]


@pytest.mark.parametrize("images", [1, 3])
def test_a_softmax_over_the_images_says_so(images):
    """Spelt out as well, also where there is one image, of which it leaves nothing."""

    def write(tape, x):
        largest = tape.reduce(x, "max", (0,), keep=True)
        powers = tape.elementwise("exp", tape.elementwise("sub", x, largest))
        return tape.elementwise("div", powers, tape.reduce(powers, "sum", (0,), keep=True))

    found = graph(write, (images, 10), "NC").nodes[1:]
    assert [(node.kind, node.attributes) for node in found] == [("softmax", {"axis": "batch"})]


@pytest.mark.parametrize("over", [(1,), (1, 2, 3)], ids=["channels", "map"])
def test_a_layer_norm_says_over_what(over):
    """Over the channels it is a layer norm, over the whole map a group norm of one group."""

    def write(tape, x):
        y, _ = standard(tape, x, over, 1e-3)
        gamma, beta = (tape.reshape(tape.parameter(n, (4,)), (4, 1, 1)) for n in ("g", "b"))
        return tape.elementwise("add", tape.elementwise("mul", y, gamma), beta)

    found = graph(write).nodes[-1]
    expected = {"epsilon": 1e-3} | ({} if over == (1,) else {"groups": 1})
    assert found.kind == ("layer_norm" if over == (1,) else "group_norm")
    assert found.attributes == expected
    assert found.slots == {"gamma": (4,), "beta": (4,)}
