"""What people do to the image, the batch, the weights and the branches of a network in PyTorch."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from conformance import reference
from conformance.judge.port.verdict import judge

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch import alexnet
from conformance.trace.torch.port import port
from tests.selftest.torch.lenet import NETWORK, Change, LeNet, unchanged, with_c3
from tests.selftest.torch.strangers.altered import floored_pool


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


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")
def test_a_variant_with_a_slip_is_compared_with_that_variant():
    """It holds but for what follows from the slip, and values part at the slip."""
    found = judge(port(floored_pool), reference.find("GoogLeNet"))
    assert [profile.name for profile, _ in found.nearly] == ["torchvision"]
    assert {each.node for each in found.findings} == {
        "pool3 max_pool", "pool4 max_pool", "aux_4a avg_pool", "aux_4d avg_pool"
    }  # fmt: skip
    assert found.forward and found.forward.first_divergence == "pool3 max_pool"


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


class Aside(nn.Module):
    """A layer beside the others, and what is done with it."""

    def __init__(self, add: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.aux, self.add = nn.Linear(84, 84), add

    def forward(self, x: Tensor) -> Tensor:
        return self.add(self.aux, x)


DEAD: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "a map": lambda aux, x: x + 0 * aux(x),
    "subtracted": lambda aux, x: x + -0.0 * aux(x),
    "a sum": lambda aux, x: x + 0.0 * aux(x).sum(),
    "weights": lambda aux, x: x + 0.0 * sum(p.sum() for p in aux.parameters()),
}


@pytest.mark.parametrize("add", DEAD.values(), ids=DEAD)
def test_a_branch_times_zero_is_named(add):
    """It is no part of the network, and its stored arrays are not counted."""
    found = judge(port(lambda: LeNet(hidden=Aside(add))), NETWORK)
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

    (found,) = judge(port(lambda: with_c3(Block)), NETWORK, numbers=False).findings
    assert (found.node, found.attribute) == ("after C3", "extra")
    assert "multiplied by zero" in found.said


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
    found = judge(port(lambda: with_c3(lambda c3: Listed(c3, known))), NETWORK)
    if known:
        assert found.verdict == "conforms"
        return
    (finding,) = found.findings
    assert (finding.node, finding.attribute) == ("C3", "registration")
    assert finding.found == "2 parameters in a plain list"


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


def test_a_mode_is_what_the_model_makes_of_it():
    """An ``eval()`` that does nothing leaves a network as it is in training."""

    def stuck() -> nn.Module:
        network = alexnet.MODELS["AlexNet"]()
        network.eval = lambda: network
        return network

    found = judge(port(stuck), reference.find("AlexNet"), numbers=False)
    assert {(each.check, each.attribute) for each in found.findings} == {("structure", "extra")}
    assert {each.kind for each in found.findings} == {"dropout"}
