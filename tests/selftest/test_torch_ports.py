"""Ports of one small network in PyTorch, each with one thing that people do to it."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest

from conformance import reference
from conformance.judge.port.verdict import judge
from conformance.trace.canonical import canonical

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch.alexnet import MODELS as ALEXNET
from conformance.implementations.torch.resnet_cifar import MODELS
from conformance.trace.torch.port import port

NETWORK = reference.find("LeNet-5-table")
Change = Callable[[Tensor], Tensor]
#: What is changed: what is done to the image, in front of the dense layers, and to the output.
Changes = dict[str, Change]


@pytest.fixture(autouse=True)
def chosen(pytestconfig):
    if "torch" not in (pytestconfig.getoption("framework") or ["torch"]):
        pytest.skip("not the framework that was asked for")


class LeNet(nn.Module):
    def __init__(self, **changes: Change) -> None:
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.f6, self.output = nn.Linear(120, 84), nn.Linear(84, 10)
        self.image: Any = changes.get("image", unchanged)
        self.flat: Any = changes.get("flat", flat)
        self.end: Any = changes.get("end", softmax)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(F.avg_pool2d(torch.tanh(self.c1(self.image(x))), 2))
        x = torch.tanh(F.avg_pool2d(torch.tanh(self.c3(x)), 2))
        x = self.flat(torch.tanh(self.c5(x)))
        return self.end(self.output(torch.tanh(self.f6(x))))


def unchanged(x: Tensor) -> Tensor:
    return x


def flat(x: Tensor) -> Tensor:
    return x.flatten(1)


def softmax(x: Tensor) -> Tensor:
    return x.softmax(1)


class Prepared(nn.Module):
    """A mean and a deviation as buffers, or as parameters that are not trained."""

    def __init__(self, mean: float, deviation: float, frozen: bool = False) -> None:
        super().__init__()
        for name, number in (("mean", mean), ("std", deviation)):
            tensor = torch.tensor([number]).view(1, 1, 1, 1)
            if frozen:
                setattr(self, name, nn.Parameter(tensor, requires_grad=False))
            else:
                self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def judged(**changes: Change) -> Any:
    return judge(port(lambda: LeNet(**changes)), NETWORK)


@pytest.mark.parametrize(
    ("change", "variants"),
    [
        (unchanged, []),
        (Prepared(0.1307, 0.3081), ["with MNIST's mean"]),
        (Prepared(0.2860, 0.3530, frozen=True), ["preprocessing inside the model"]),
        (Prepared(33.3, 78.6), ["preprocessing inside the model"]),
        (lambda x: x * 255, ["with images from 0 to 255"]),
        (lambda x: x / 127.5 - 1, ["with images of bytes, from -1 to 1"]),
    ],
    ids=["nothing", "buffers", "frozen", "bytes", "times 255", "-1 to 1"],
)
def test_preparing_the_image_is_a_variant(change, variants):
    """Whatever numbers a set of images can have."""
    found = judged(image=change)
    assert not found.findings, found.findings
    assert [each.name for each in found.profiles] == variants


@pytest.mark.parametrize(
    "change",
    [Prepared(0.3081, 0.5307), Prepared(-0.1, 0.3), lambda x: x / 255 / 255, lambda x: -x],
    ids=["exchanged", "no mean", "twice", "negative"],
)
def test_what_no_images_have_deviates(change):
    """Numbers between 0 and 1 have no deviation as large as that."""
    (found,) = [f for f in judged(image=change).findings if f.attribute == "extra"]
    assert (found.node, found.kind) == ("after input", "scale")


def test_exchanged_sides_of_the_image_deviate():
    """Transposed before the first layer, a network would need every kernel transposed."""
    (found,) = [f for f in judged(image=lambda x: x.transpose(2, 3)).findings if f.node == "input"]
    assert (found.attribute, found.found) == ("layout", "height as width, width as height")


def drawn(x: Tensor) -> Tensor:
    return x * torch.floor(torch.rand(x.shape[0], 1, 1, 1) + 0.8) / 0.8


ONE = {
    "squeeze": ({"flat": torch.squeeze}, "batch", "takes one image|batch axis"),
    "view": ({"flat": lambda x: x.view(1, -1)}, "batch", "view"),
    "mean of the batch": (
        {"flat": lambda x: x.mean(0, True).flatten(1)}, "batch", "depend on the others",
    ),
    "softmax of the batch": ({"end": lambda x: x.softmax(0)}, "batch", "depend on the others"),
    "channels before images": (
        {"flat": lambda x: x.transpose(0, 1).reshape(len(x), -1)}, "batch", "depend on the others",
    ),
    "mean of mixed images": (
        {"flat": lambda x: x.transpose(0, 1).reshape(len(x), 120, 1).mean(2)},
        "batch", "depend on the others",
    ),
    "over its largest": ({"image": lambda x: x / x.max()}, "batch", "depend on the others"),
    "random depth": ({"flat": lambda x: drawn(x).flatten(1)}, "random", "stochastic depth"),
    "noise": ({"image": lambda x: x + 0.1 * torch.randn_like(x)}, "random", "noise"),
    "activation": ({"flat": lambda x: torch.sin(x).flatten(1)}, "operation", ""),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "attribute", "hint"), ONE.values(), ids=ONE)
def test_one_cause_is_one_finding(changes, attribute, hint):
    """In words of its own, and no other finding of the structure."""
    structure = [f for f in judged(**changes).findings if f.check == "structure"]
    assert [f.attribute for f in structure] == [attribute]
    assert any(word in f"{structure[0].hint} {structure[0].expected}" for word in hint.split("|"))


@pytest.mark.parametrize(
    "change",
    [
        lambda net: nn.utils.parametrizations.weight_norm(net.f6),
        lambda net: nn.utils.parametrizations.spectral_norm(net.f6),
        lambda net: nn.utils.parametrizations.weight_norm(net.c3),
    ],
    ids=["weight_norm", "spectral_norm", "of a convolution"],
)
def test_computed_weights_are_one_finding(change):
    """With the stored arrays that they are made of."""

    def build():
        net = LeNet()
        change(net)
        return net

    found = judge(port(build), NETWORK)
    structure = [f for f in found.findings if f.check in ("structure", "training")]
    assert [f.attribute for f in structure] == ["weights"]
    assert "parametrizations.weight.original" in structure[0].said


def test_images_meet_in_training_only():
    """A mean over the batch that only training has is found there."""

    class Centred(LeNet):
        def forward(self, x):
            y = super().forward(x)
            return y - y.mean(0, True) if self.training else y

    found = judge(port(Centred), NETWORK).findings
    assert [f.attribute for f in found] == ["batch"]


class Dead(LeNet):
    """A branch that is multiplied by zero: a map of the same size, a sum, a sum of weights."""

    def __init__(self, add: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.aux, self.add = nn.Linear(84, 84), add

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(F.avg_pool2d(torch.tanh(self.c1(x)), 2))
        x = torch.tanh(F.avg_pool2d(torch.tanh(self.c3(x)), 2))
        x = torch.tanh(self.f6(torch.tanh(self.c5(x)).flatten(1)))
        return self.output(self.add(self, x)).softmax(1)


DEAD: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "a map": lambda net, x: x + 0 * net.aux(x),
    "subtracted": lambda net, x: x + -0.0 * net.aux(x),
    "a sum": lambda net, x: x + 0.0 * net.aux(x).sum(),
    "weights": lambda net, x: x + 0.0 * sum(p.sum() for p in net.aux.parameters()),
}


@pytest.mark.parametrize("add", DEAD.values(), ids=DEAD)
def test_a_branch_times_zero_is_named(add):
    """It is no part of the network, and its stored arrays are not counted."""
    found = judge(port(lambda: Dead(add)), NETWORK)
    assert found.verdict == "conforms"
    (remark,) = found.judgement.remarks
    assert "aux" in f"{remark.found}" and "7,140 stored numbers are not counted" in remark.hint


def test_a_branch_of_the_network_times_zero_is_a_finding():
    """Said once, where it is multiplied."""

    class Block(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return 0 * self.layer(x)

    def build() -> nn.Module:
        net = LeNet()
        net.c3 = Block(net.c3)
        return net

    (found,) = [f for f in judge(port(build), NETWORK, numbers=False).findings]
    assert (found.node, found.attribute) == ("after C3", "extra")
    assert "multiplied by zero" in found.said


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


class Activated(LeNet):
    """With another function in place of every tanh."""

    def __init__(self, function: Change) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        f = self.function
        x = f(F.avg_pool2d(f(self.c1(x)), 2))
        x = f(F.avg_pool2d(f(self.c3(x)), 2))
        return self.output(f(self.f6(f(self.c5(x)).flatten(1)))).softmax(1)


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
def test_a_relu_has_many_spellings(relu):
    """By a choice, a mask or an assignment."""
    found = judge(port(lambda: Activated(relu)), NETWORK, numbers=False)
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
    found = judge(port(lambda: Activated(function)), NETWORK, numbers=False)
    assert not found.profiles
    assert [(f.attribute, f.expected) for f in found.findings] == [expected] * 6


def tiles(reduce: Callable[..., Tensor], inner: bool = True) -> Change:
    """A pool of 2x2 as einops writes it; not ``inner``: of rows and columns far apart."""

    def pool(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        if inner:
            return reduce(x.reshape(n, c, h // 2, 2, w // 2, 2), (3, 5))
        return reduce(x.reshape(n, c, 2, h // 2, 2, w // 2), (2, 4))

    return pool


class Tiled(LeNet):
    def __init__(self, pool: Change) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.pool(torch.tanh(self.c1(x))))
        x = torch.tanh(F.avg_pool2d(torch.tanh(self.c3(x)), 2))
        return self.output(torch.tanh(self.f6(torch.tanh(self.c5(x)).flatten(1)))).softmax(1)


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
    found = judge(port(lambda: Tiled(pool)), NETWORK, numbers=False).findings
    assert [(f.node, f.attribute) for f in found] == [each[:2] for each in expected]
    if expected == [("S2 avg_pool", "kind", "max_pool")]:
        assert found[0].found == "max_pool"


class Listed(nn.Module):
    """A convolution whose parameters stand in a plain list; ``known`` ones are registered too."""

    def __init__(self, layer: nn.Conv2d, known: bool) -> None:
        super().__init__()
        if known:
            self.own = nn.ParameterDict({"w": layer.weight, "b": layer.bias})
        self.numbers = [layer.weight, layer.bias]

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, *self.numbers)


def test_what_holds_itself_is_looked_into_once():
    """A dictionary of settings may lead back to itself, and holds nothing that is trained."""

    def made():
        net = LeNet()
        net.settings = {"rates": [0.1, 0.01]}
        net.settings["all"] = [net.settings]
        return net

    assert not judge(port(made), NETWORK).findings


@pytest.mark.parametrize("known", [True, False])
def test_parameters_in_a_plain_list(known):
    """PyTorch registers none of them, unless they stand elsewhere as well."""

    def build() -> nn.Module:
        net = LeNet()
        net.c3 = Listed(net.c3, known)
        return net

    found = judge(port(build), NETWORK)
    if known:
        assert found.verdict == "conforms"
        return
    (finding,) = found.findings
    assert (finding.node, finding.attribute) == ("C3", "registration")
    assert finding.found == "2 parameters in a plain list"


def test_what_is_unread_in_both_modes_is_told_once():
    """Several images are multiplied by another operator than one."""

    class Unfolded(LeNet):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.tanh(F.avg_pool2d(torch.tanh(self.c1(x)), 2))
            columns = self.c3.weight.flatten(1) @ F.unfold(x, 5)
            x = columns.unflatten(2, (10, 10)) + self.c3.bias.view(-1, 1, 1)
            x = torch.tanh(F.avg_pool2d(torch.tanh(x), 2))
            return self.output(torch.tanh(self.f6(torch.tanh(self.c5(x)).flatten(1)))).softmax(1)

    (found,) = judge(port(Unfolded), NETWORK, numbers=False).findings
    assert (found.node, found.attribute) == ("C3", "operation")


class Normal(nn.Module):
    """A convolution and what normalises it."""

    def __init__(self, layer: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.layer, self.norm = layer, norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x))


NORMS: dict[str, tuple[Callable[[int], nn.Module], int]] = {
    "instance": (nn.InstanceNorm2d, 16),
    "instance, affine": (partial(nn.InstanceNorm2d, affine=True), 16),
    "layer": (lambda maps: nn.LayerNorm((maps, 10, 10), elementwise_affine=False), 1),
    "group": (partial(nn.GroupNorm, 4), 4),
}


@pytest.mark.parametrize(("norm", "groups"), NORMS.values(), ids=NORMS)
def test_a_norm_of_each_image_is_said_as_that(norm, groups):
    """With one image and with several, in inference and in training."""

    def build() -> nn.Module:
        net = LeNet()
        net.c3 = Normal(net.c3, norm(16))
        return net

    model = port(build)
    for training in (False, True):
        nodes = [n for n in canonical(model.trace((32, 32, 1), training)) if "norm" in n.kind]
        assert [(n.kind, n.attributes["groups"]) for n in nodes] == [("group_norm", groups)]
        assert bool(nodes[0].slots) == ("affine" in str(norm) or groups == 4)
    (finding,) = judge(model, NETWORK, numbers=False).findings
    assert (finding.node, finding.attribute, finding.kind) == ("after C3", "extra", "group_norm")


def test_another_norm_in_place_of_one_is_one_finding():
    """A norm that is missing and one that is extra at the same place have one cause."""

    def build() -> nn.Module:
        net = MODELS["ResNet-20-CIFAR"]()
        *_, (path, _) = [m for m in net.named_modules() if isinstance(m[1], nn.BatchNorm2d)]
        inside, _, name = path.rpartition(".")
        setattr(net.get_submodule(inside), name, nn.InstanceNorm2d(64))
        return net

    (found,) = judge(port(build), reference.find("ResNet-20-CIFAR"), numbers=False).findings
    assert (found.attribute, found.expected, found.found) == ("kind", "batch_norm", "group_norm")


def test_what_is_extra_behind_a_dropout_is_one_finding():
    """Only training has the dropout, and what stands behind it is the same in either mode."""

    def build() -> nn.Module:
        net = ALEXNET["AlexNet"]()
        net.fc7.insert(0, nn.LayerNorm(4096))
        return net

    (found,) = judge(port(build), reference.find("AlexNet"), numbers=False).findings
    assert (found.node, found.attribute) == ("after fc6 relu", "extra")


def cropped(net: nn.Module, x: Tensor) -> Tensor:
    """A random place in a padded image, as PyTorch's users draw it."""
    if net.training:
        top, left = torch.randint(0, 5, (2,)).tolist()
        x = F.pad(x, (2, 2, 2, 2))[:, :, top : top + 32, left : left + 32]
    return x


def test_an_augmentation_is_found_in_training():
    """It is said of the image, and as what it probably is."""

    class Augmented(LeNet):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(cropped(self, x))

    found = judge(port(Augmented), NETWORK, numbers=False)
    (finding,) = found.findings
    assert (finding.check, finding.node) == ("training", "after input")
    assert "augmentation" in finding.hint and found.verdict == "deviates"


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

    def build() -> nn.Module:
        net = MODELS["ResNet-20-CIFAR"]()
        *_, (path, _) = [m for m in net.named_modules() if isinstance(m[1], nn.Conv2d)]
        inside, _, name = path.rpartition(".")
        conv = nn.Conv2d(64, 64, 3, padding=1, bias=False, padding_mode=mode)
        setattr(net.get_submodule(inside), name, conv)
        return net

    (found,) = judge(port(build), reference.find("ResNet-20-CIFAR"), numbers=False).findings
    assert found.attribute in ("operation", "extra")
