"""Every adjoint rule, against differences of the oracle's own results."""

from dataclasses import replace

import numpy as np
import pytest

from conformance.graph.model import Graph, Node
from conformance.kinds import KINDS
from conformance.numbers.adjoint import TRAINED, backward, reads
from conformance.numbers.oracle import Oracle
from conformance.numbers.precision import FLOAT32, FLOAT64

pytestmark = pytest.mark.bare

RANDOM = np.random.Generator(np.random.Philox(13))
IMAGE = RANDOM.normal(size=(2, 9, 8, 4))

#: Where the error of a central difference is least: the cube root of the unit roundoff.
STEP = np.finfo(float).eps ** (1 / 3)

CONV = dict(stride=(1, 1), padding=((1, 2), (0, 3)), dilation=(1, 1), groups=1)
POOL = dict(kernel=(3, 2), stride=(2, 1), padding=((1, 1), (0, 1)))
NORM = ("gamma", "beta", "mean", "variance")


def slots(**shapes):
    return {name: RANDOM.uniform(0.5, 1.5, shape) for name, shape in shapes.items()}


def norm_slots():
    return slots(**dict.fromkeys(NORM, 4))


def kernel(*shape):
    return {"kernel": RANDOM.normal(size=shape), "bias": RANDOM.normal(size=shape[-1])}


BATCH = {"epsilon": 0.1, "statistics": "batch", "momentum": 0.9, "unbiased": True}
CASES = {
    "conv": ("conv", CONV, kernel(3, 2, 4, 6)),
    "conv 1x1": ("conv", CONV | {"padding": ((0, 0), (0, 0))}, kernel(1, 1, 4, 6)),
    "conv strided": ("conv", CONV | {"stride": (2, 3)}, kernel(3, 2, 4, 6)),
    "conv dilated": ("conv", CONV | {"dilation": (2, 1), "stride": (2, 1)}, kernel(3, 2, 4, 6)),
    "conv grouped": ("conv", CONV | {"groups": 2}, kernel(3, 2, 2, 6)),
    "conv cropping": ("conv", CONV | {"padding": ((-1, 0), (2, -2))}, kernel(2, 2, 4, 6)),
    "conv with a table": (
        "conv", CONV | {"table": ((0, 1), (2, 3), (0, 1, 2, 3))}, kernel(3, 2, 4, 3)
    ),
    "dense": ("dense", {}, kernel(288, 5)),
    "max_pool": ("max_pool", POOL, {}),
    "avg_pool": ("avg_pool", POOL | {"count_include_pad": True}, {}),
    "avg_pool uncounted": ("avg_pool", POOL | {"count_include_pad": False}, {}),
    "sum_pool": ("sum_pool", POOL, {}),
    "global_avg_pool": ("global_avg_pool", {}, {}),
    "adaptive_avg_pool": ("adaptive_avg_pool", {"size": (4, 5)}, {}),
    "subsample": ("subsample", POOL | {"divisor": 4.0}, slots(coefficient=4, bias=4)),
    "rbf": ("rbf", {}, slots(centres=(5, 288))),
    "batch_norm": ("batch_norm", {"epsilon": 0.1}, norm_slots()),
    "batch_norm of the batch": ("batch_norm", BATCH, norm_slots()),
    "group_norm": ("group_norm", {"groups": 2, "epsilon": 0.1}, slots(gamma=4, beta=4)),
    "instance norm": ("group_norm", {"groups": 4, "epsilon": 0.1}, slots(gamma=4, beta=4)),
    "layer_norm": ("layer_norm", {"epsilon": 0.1}, slots(gamma=4, beta=4)),
    "lrn": ("lrn", {"n": 3, "k": 2.0, "alpha": 0.1, "beta": 0.75}, {}),
    "lrn in towers": ("lrn", {"n": 3, "k": 2.0, "alpha": 0.1, "beta": 0.75, "groups": 2}, {}),
    "lrn even": ("lrn", {"n": 2, "k": 2.0, "alpha": 0.1, "beta": 0.75}, {}),
    "relu": ("relu", {}, {}),
    "tanh": ("tanh", {}, {}),
    "sigmoid": ("sigmoid", {}, {}),
    "clip": ("clip", {"low": -0.5, "high": 1.0}, {}),
    "clip above": ("clip", {"low": None, "high": 1.0}, {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}, {}),
    "prelu": ("prelu", {}, slots(slope=4)),
    "prelu of one slope": ("prelu", {}, slots(slope=1)),
    "prelu of a slope a place": ("prelu", {}, slots(slope=(9, 8, 4))),
    "elu": ("elu", {"alpha": 0.7}, {}),
    "celu": ("celu", {"alpha": 0.7}, {}),
    "soft_shrink": ("soft_shrink", {"least": 0.5}, {}),
    **{
        kind: (kind, {}, {})
        for kind in (
            "selu", "gelu", "gelu_by_tanh", "silu", "mish", "softplus", "softsign", "log_sigmoid",
            "hard_sigmoid", "hard_sigmoid_of_keras_2", "hard_swish", "tanh_shrink",
        )
    },
    "softmax": ("softmax", {}, {}),
    "log_softmax": ("log_softmax", {}, {}),
    "add": ("add", {}, {}),
    "concat": ("concat", {}, {}),
    "scale": ("scale", {"factor": (0.5, 2.0, 3.0, 1.5), "offset": 0.1}, slots(gamma=4, beta=4)),
    "scale by one number": ("scale", {"factor": 0.5}, slots(gamma=1, beta=1)),
    "dropout": ("dropout", {"rate": 0.4}, {}),
    "flatten": ("flatten", {}, {}),
    "pad": ("pad", {"padding": ((1, 0), (2, 1)), "value": 0.0, "channels": (1, 2)}, {}),
    "channel_order": ("channel_order", {"order": (2, 0, 3, 1)}, {}),
    "upsample": ("upsample", {"factor": (2, 3)}, {}),
}  # fmt: skip


class Case:
    """A graph of one layer, which reads its input twice where the kind has two inputs."""

    def __init__(self, kind, attributes, of_slots):
        sources = (0, 1) if kind in ("add", "concat") else (0,)
        nodes = [Node("input", {}, (), (9, 8, 4))]
        if len(sources) > 1:
            nodes.append(Node("tanh", {}, (0,), (9, 8, 4)))
        nodes.append(Node(kind, attributes, sources, (), dict.fromkeys(of_slots, ())))
        self.graph = Graph(nodes, (0,), (len(nodes) - 1,))
        self.values = {"image": IMAGE, **of_slots}
        if table := attributes.get("table"):
            for output, maps in enumerate(table):
                unconnected = [m for m in range(4) if m not in maps]
                of_slots["kernel"][:, :, unconnected, output] = 0
        result = self.forward(self.values).result(self.last)
        nodes[-1].shape, self.cotangent = result.shape[1:], RANDOM.normal(size=result.shape)

    @property
    def last(self):
        return len(self.graph) - 1

    def forward(self, values):
        return Oracle(self.graph, lambda index, name: values[name], values["image"])

    def terms(self, values):
        """What the loss is the sum of."""
        return self.forward(values).result(self.last) * self.cotangent

    def gradients(self, precision=FLOAT64, sparing=False):
        """Each gradient; if ``sparing``, without the results that the way back does not read."""
        forward, decisive = (
            Oracle(self.graph, lambda index, name: self.values[name], IMAGE, each)
            for each in (precision, FLOAT64)
        )
        for oracle, decides in ((forward, precision is FLOAT64), (decisive, True)):
            oracle.result(self.last)
            read = reads(Graph(self.graph.nodes, (0,), ()), decides)
            kept = {i: x for i, x in oracle.results.items() if i in read or not sparing}
            oracle.results = kept
        found: dict[str, np.ndarray] = {}
        for index, gradient, of_slots in backward(forward, {self.last: self.cotangent}, decisive):
            found |= of_slots | ({"image": gradient} if index == 0 else {})
        return found

    def difference(self, name, direction, step):
        """The loss's central difference along a direction, and what rounding can add to it."""
        there, back = (
            self.terms(self.values | {name: self.values[name] + sign * step * direction})
            for sign in (1, -1)
        )
        rounding = np.finfo(float).eps * (np.abs(there).sum() + np.abs(back).sum())
        return (there.sum() - back.sum()) / (2 * step), rounding / (2 * step)

    def agrees(self, name, gradient):
        """Whether a gradient lies within the difference's own error.

        The truncation error falls with the square of the step: what a step twice as long
        changes is three times what is left.
        """
        direction = RANDOM.normal(size=gradient.shape)
        if name == "kernel" and (table := self.graph.nodes[self.last].attributes.get("table")):
            for output, maps in enumerate(table):
                direction[:, :, [m for m in range(4) if m not in maps], output] = 0
        slope, rounding = self.difference(name, direction, STEP)
        coarse, _ = self.difference(name, direction, 2 * STEP)
        return abs(np.vdot(gradient, direction) - slope) <= abs(slope - coarse) + rounding


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request):
    return Case(*request.param)


def test_a_gradient_is_the_limit_of_differences(case):
    """Along random directions, for the input and each slot that training moves."""
    found = case.gradients()
    trained = {name for name in case.values if name in TRAINED}
    assert set(found) == trained | {"image"}
    wrong = [name for name in found for _ in range(3) if not case.agrees(name, found[name])]
    assert not wrong


def test_a_gradient_that_is_a_little_off_is_told_apart(case):
    """A thousandth more is not within the difference's own error."""
    for name, gradient in case.gradients().items():
        assert not all(case.agrees(name, gradient * 1.001) for _ in range(3)), name


@pytest.mark.parametrize("precision", [FLOAT64, FLOAT32], ids=["double", "single"])
def test_what_is_not_read_is_not_needed(case, precision):
    """Each row says all that its adjoint reads."""
    with np.errstate(invalid="ignore"):
        whole, spared = case.gradients(precision), case.gradients(precision, sparing=True)
    assert all(np.array_equal(whole[name], spared[name]) for name in whole)


@pytest.mark.parametrize("kind", ["conv", "max_pool", "relu", "tanh", "batch_norm"])
def test_what_a_row_conceals_is_missed(monkeypatch, kind):
    """One that reads more than it says has no numbers there, and gives other gradients."""
    monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], reads=""))
    case = Case(*next(each for each in CASES.values() if each[0] == kind))
    whole, spared = case.gradients(), case.gradients(sparing=True)
    assert not all(np.array_equal(whole[name], spared[name]) for name in whole)


def test_every_operation_has_its_adjoint():
    """What the oracle computes it can differentiate, and every rule is tried here."""
    assert set(KINDS) - {"input"} == {kind for kind, *_ in CASES.values()}


def test_an_unconnected_pair_is_not_moved():
    """The gradient of a kernel is 0 where the connection table has no connection."""
    case = Case(*CASES["conv with a table"])
    gradient = case.gradients()["kernel"]
    assert not gradient[:, :, 2:, 0].any()
    assert gradient[:, :, :2, 0].all()
