"""Initial values: what was drawn from a usual scheme is never refused, what was not is."""

import numpy as np
import pytest

from conformance.graph.model import Graph, Node, Parameter
from conformance.numbers.initial import CUT, initial

pytestmark = pytest.mark.bare

ATTRIBUTES = dict(
    kernel=(3, 3), stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1, bias=False
)
FAN_IN, FAN_OUT = 9 * 16, 9 * 64
SHAPE = (3, 3, 16, 64)


def kernel(values):
    """What is said of a network of one convolution with this kernel."""
    pieces = (Parameter("w", SHAPE),)
    conv = Node("conv", ATTRIBUTES, (0,), (8, 8, 64), {"kernel": pieces}, {"kernel": SHAPE})
    graph = Graph([Node("input", {}, (), (8, 8, 16)), conv], (0,), (1,))
    (found,) = initial(graph, {"w": values.reshape(SHAPE)}.__getitem__)
    return found


def normal(generator, deviation):
    return generator.normal(0, deviation, SHAPE)


def uniform(generator, deviation):
    return generator.uniform(-np.sqrt(3) * deviation, np.sqrt(3) * deviation, SHAPE)


def truncated(generator, deviation):
    draw = generator.normal(size=3 * np.prod(SHAPE))
    return draw[np.abs(draw) <= 2][: np.prod(SHAPE)] * deviation / CUT


@pytest.mark.parametrize("respelt", [True, False])
@pytest.mark.parametrize(("stored", "fair"), [((400, 120), True), ((5, 5, 16, 120), False)])
def test_a_respelt_kernel_is_judged_by_the_array_that_was_made(respelt, stored, fair):
    """Glorot's spread of a dense layer is not that of the convolution over the same map."""
    inputs, outputs, shape = 400, 120, (5, 5, 16, 120)
    spelling = (("kind", "dense", "conv"),) if respelt else ()
    conv = Node(
        "conv", ATTRIBUTES | {"kernel": (5, 5)}, (0,), (1, 1, outputs),
        {"kernel": (Parameter("w", stored, (("reshape", shape),)),)}, {"kernel": shape},
        spelling=spelling,
    )  # fmt: skip
    graph = Graph([Node("input", {}, (), (5, 5, 16)), conv], (0,), (1,))
    limit = np.sqrt(6 / (inputs + outputs))
    values = np.random.default_rng(7).uniform(-limit, limit, stored)
    (found,) = initial(graph, {"w": values}.__getitem__)
    assert (found.scheme == "Glorot uniform") is fair


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("draw", "deviation", "scheme"),
    [
        (normal, np.sqrt(2 / FAN_IN), "He normal"),
        (truncated, np.sqrt(2 / FAN_IN), "He truncated normal"),
        (normal, np.sqrt(2 / FAN_OUT), "He, fan-out normal"),
        (uniform, np.sqrt(2 / (FAN_IN + FAN_OUT)), "Glorot uniform"),
        (truncated, np.sqrt(1 / FAN_IN), "LeCun truncated normal"),
        (truncated, CUT * np.sqrt(1 / FAN_IN), "Haiku's default"),
        (uniform, np.sqrt(1 / (3 * FAN_IN)), "PyTorch's default"),
        (uniform, 2.4 / FAN_IN / np.sqrt(3), "LeCun 1998, 2.4 / fan-in"),
        (normal, 0.01, "normal 0.01"),
        (truncated, 0.1 * CUT, "truncated normal 0.1"),
    ],
)
def test_a_usual_scheme_is_named(draw, deviation, scheme, seed):
    """What was drawn from a scheme bears its name."""
    found = kernel(draw(np.random.default_rng(seed), deviation))
    assert (found.scheme, found.finding) == (scheme, "")


@pytest.mark.parametrize("factor", [10, 0.2])
def test_an_unusual_spread_is_found(factor):
    """A factor is said, beside the nearest usual scheme."""
    found = kernel(factor * normal(np.random.default_rng(0), np.sqrt(2 / FAN_IN)))
    assert "times that of" in found.finding


def norm(kind_after, **values):
    """What is said of a norm of four channels before a node of some kind."""
    own = {"gamma": np.ones(4), "mean": np.zeros(4), "variance": np.ones(4)} | values
    parameters: dict[str, tuple[Parameter, ...]] = {s: (Parameter(s, (4,)),) for s in own}
    slots: dict[str, tuple[int, ...]] = dict.fromkeys(own, (4,))
    size = (8, 8, 4)
    nodes = [
        Node("input", {}, (), size),
        Node("batch_norm", {"epsilon": 1e-5}, (0,), size, parameters, slots),
        Node(kind_after, {}, (1, 0) if kind_after == "add" else (1,), size),
    ]
    return initial(Graph(nodes, (0,), (2,)), own.__getitem__)


@pytest.mark.parametrize(
    ("after", "values", "scheme", "said"),
    [
        ("add", {"gamma": np.zeros(4)}, "zero gamma at the end of a residual branch", ""),
        ("relu", {"gamma": np.zeros(4)}, "", "starts at 0, not 1: nothing gets through"),
        ("add", {"gamma": np.full(4, 0.5)}, "", "starts at 0.5, not 1"),
        ("relu", {"variance": np.array([1, 0, 1, 1.0])}, "", "1 of 4 are not above 0"),
        ("relu", {"mean": np.ones(4)}, "", "a running mean starts at 1, not 0"),
        ("relu", {"mean": np.full(4, np.nan)}, "", "not finite"),
    ],
)
def test_norms(after, values, scheme, said):
    """A norm starts neutral, but for the last one of a residual branch."""
    (found,) = norm(after, **values)
    assert (found.scheme, found.finding) == (scheme, said)


def test_a_neutral_norm_is_passed_over():
    """Nothing is said of gammas of 1, means of 0 and variances of 1."""
    assert norm("relu") == []


@pytest.mark.parametrize("draw", [normal, uniform])
def test_small_kernels_are_not_refused(draw):
    """Sampling error grows as kernels shrink, and so does what is allowed for it."""
    generator = np.random.default_rng(0)
    shape, deviation = (5, 5, 1, 1), 0.2
    parameters = {f"{i}": (Parameter(f"{i}", shape),) for i in range(2000)}
    own = {name: draw(generator, deviation).flat[:25].reshape(shape) for name in parameters}
    nodes = [
        Node("conv", ATTRIBUTES, (), (1, 1, 1), {"kernel": pieces}, {"kernel": shape})
        for pieces in parameters.values()
    ]
    assert not [f for f in initial(Graph(nodes, (), (0,)), own.__getitem__) if f.finding]
