"""What people write in place of a function, a pool or a norm of a network in PyTorch."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import pytest

from conformance import reference
from conformance.judge.port.verdict import judge
from conformance.trace.canonical import canonical

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch.resnet_cifar import MODELS
from conformance.trace.torch.port import port
from tests.selftest.torch.lenet import NETWORK, Change, LeNet, with_c3

RESNET = reference.find("ResNet-20-CIFAR")


def filled(x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


RELUS: dict[str, Change] = {
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "a mask": lambda x: x * (x > 0),
    "a mask of numbers": lambda x: x * (x >= 0).to(x.dtype),
    "masked_fill": lambda x: x.masked_fill(x <= 0, 0),
    "assigned": filled,
    "threshold": lambda x: F.threshold(x, 0, 0),
}


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
def test_a_relu_has_many_spellings(relu):
    """By a choice, a mask or an assignment."""
    found = judge(port(lambda: LeNet(function=relu)), NETWORK, numbers=False)
    assert [each.name for each in found.profiles] == ["ReLU"] and not found.findings


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: torch.where(x > 0, x, 0.01 * x), ("kind", "tanh")),
        (F.hardswish, ("kind", "tanh")),
        (lambda x: F.threshold(x, 0.1, 0), ("operation", ("tanh",))),
        (F.rrelu, ("operation", ("tanh",))),
    ],
    ids=["leaky", "hard swish", "a threshold of 0.1", "written into unseen"],
)
def test_another_function_is_no_relu(function, expected):
    """One finding a layer and no variant, behind the pools as well."""
    found = judge(port(lambda: LeNet(function=function)), NETWORK, numbers=False)
    assert not found.profiles
    assert [(f.attribute, f.expected) for f in found.findings] == [expected] * 6


class Switched(nn.Module):
    """The network in one mode, and the network with changes in the other."""

    def __init__(self, training: bool, **changes: Change) -> None:
        super().__init__()
        self.net, self.mode = LeNet(), training
        self.usual = {name: getattr(self.net, name) for name in changes}
        self.changes = changes

    def forward(self, x: Tensor) -> Tensor:
        for name, function in (self.changes if self.training == self.mode else self.usual).items():
            setattr(self.net, name, function)
        y: Tensor = self.net(x)
        return y


HALF: dict[str, dict[str, Change]] = {
    "function": {"function": torch.relu}, "pool": {"pool": lambda x: F.max_pool2d(x, 2)}
}  # fmt: skip


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("change", HALF.values(), ids=HALF)
def test_what_one_mode_alone_has_is_no_variant(change, training):
    """Such as a ReLU in training that is a tanh in inference."""
    found = judge(port(lambda: Switched(training, **change)), NETWORK, numbers=False)
    checks = {(each.check, each.attribute) for each in found.findings}
    assert not found.profiles and checks == {("training" if training else "structure", "kind")}


def test_training_may_end_in_what_a_loss_takes():
    """Logits, where inference has the paper's softmax."""
    found = judge(port(lambda: Switched(True, end=lambda x: x)), NETWORK, numbers=False)
    assert [each.name for each in found.profiles] == ["without softmax"] and not found.findings


def tiles(reduce: Callable[..., Tensor], inner: bool = True) -> Change:
    """A pool of 2x2 as einops writes it; not ``inner``: of rows and columns far apart."""

    def pool(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        if inner:
            return reduce(x.reshape(n, c, h // 2, 2, w // 2, 2), (3, 5))
        return reduce(x.reshape(n, c, 2, h // 2, 2, w // 2), (2, 4))

    return pool


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (tiles(torch.mean), []),
        (tiles(torch.amax), [("S2 avg_pool", "kind", "max_pool")]),
        (tiles(torch.mean, inner=False), [("S2 avg_pool", "operation", ("reduce",))]),
        (
            lambda x: F.avg_pool2d(x, 2).unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2),
            [("after S2 avg_pool", "extra", None)],
        ),
    ],
    ids=["mean", "maximum", "far apart", "channels shuffled"],
)
def test_a_pool_of_reshapes(pool, expected):
    """It is the pool that it computes, and channels that change places are told."""
    found = judge(port(lambda: LeNet(pool=pool)), NETWORK, numbers=False).findings
    assert [(f.node, f.attribute) for f in found] == [each[:2] for each in expected]
    if expected == [("S2 avg_pool", "kind", "max_pool")]:
        assert found[0].found == "max_pool"


def test_what_is_unread_in_both_modes_is_told_once():
    """Several images are multiplied by another operator than one."""

    class Unfolded(nn.Conv2d):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__(6, 16, 5)

        def forward(self, x: Tensor) -> Tensor:
            columns = self.weight.flatten(1) @ F.unfold(x, 5)
            return columns.unflatten(2, (10, 10)) + self.bias.view(-1, 1, 1)

    (found,) = judge(port(lambda: with_c3(Unfolded)), NETWORK, numbers=False).findings
    assert (found.node, found.attribute) == ("C3", "operation")


NORMS: dict[str, tuple[Callable[[int], nn.Module], int]] = {
    "instance": (nn.InstanceNorm2d, 16),
    "instance, affine": (partial(nn.InstanceNorm2d, affine=True), 16),
    "layer": (lambda maps: nn.LayerNorm((maps, 10, 10), elementwise_affine=False), 1),
    "group": (partial(nn.GroupNorm, 4), 4),
}


@pytest.mark.parametrize(("norm", "groups"), NORMS.values(), ids=NORMS)
def test_a_norm_of_each_image_is_said_as_that(norm, groups):
    """With one image and with several, in inference and in training."""
    model = port(lambda: with_c3(lambda c3: nn.Sequential(c3, norm(16))))
    for training in (False, True):
        nodes = [n for n in canonical(model.trace((32, 32, 1), training)) if "norm" in n.kind]
        assert [(n.kind, n.attributes["groups"]) for n in nodes] == [("group_norm", groups)]
        assert bool(nodes[0].slots) == ("affine" in str(norm) or groups == 4)
    (finding,) = judge(model, NETWORK, numbers=False).findings
    assert (finding.node, finding.attribute, finding.kind) == ("after C3", "extra", "group_norm")


def with_last(kind: type[nn.Module], made: nn.Module) -> nn.Module:
    """A ResNet with another module in place of the last one of a kind."""
    net: nn.Module = MODELS["ResNet-20-CIFAR"]()
    *_, path = [path for path, module in net.named_modules() if type(module) is kind]
    inside, _, name = path.rpartition(".")
    setattr(net.get_submodule(inside), name, made)
    return net


def test_another_norm_in_place_of_one_is_one_finding():
    """A norm that is missing and one that is extra at the same place have one cause."""
    another = port(lambda: with_last(nn.BatchNorm2d, nn.InstanceNorm2d(64)))
    (found,) = judge(another, RESNET, numbers=False).findings
    assert (found.attribute, found.expected, found.found) == ("kind", "batch_norm", "group_norm")


MEANS: dict[str, Change] = {
    "flatten": lambda x: x.flatten(2).mean(2),
    "view": lambda x: x.view(x.size(0), x.size(1), -1).mean(-1),
    "pixels first": lambda x: x.flatten(2).transpose(1, 2).mean(1),
}


@pytest.mark.parametrize("mean", MEANS.values(), ids=MEANS)
def test_pixels_in_a_row_are_no_flattened_map(mean):
    """The channels keep their axis, and a mean of the others is a global average pool."""

    def build() -> nn.Module:
        class Pool(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return mean(x)

        return nn.Sequential(nn.Conv2d(3, 4, 3), Pool(), nn.Linear(4, 2))

    kinds = [node.kind for node in canonical(port(build).trace((6, 6, 3)))]
    assert kinds == ["input", "conv", "global_avg_pool", "dense"]


@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate"])
def test_another_border_is_one_finding(mode):
    """The convolution behind it has no padding of its own for that reason."""
    conv = partial(nn.Conv2d, 64, 64, 3, padding=1, bias=False, padding_mode=mode)
    another = port(lambda: with_last(nn.Conv2d, conv()))
    (found,) = judge(another, RESNET, numbers=False).findings
    assert found.attribute in ("operation", "extra")
