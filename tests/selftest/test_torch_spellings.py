"""Layers that people write otherwise in PyTorch: the same function is the same network, and what
is read by values alone is no other one."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest

from conformance import reference
from conformance.graph.model import verify
from conformance.judge.port.verdict import Judged, judge

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch.alexnet import MODELS as ALEXNET
from conformance.implementations.torch.lenet import MODELS as LENET
from conformance.implementations.torch.resnet_cifar import MODELS
from conformance.ports import implementations
from conformance.trace.canonical import canonical
from conformance.trace.torch.port import TorchPort, port

NETWORK = reference.find("ResNet-20-CIFAR")
Computed = Callable[[nn.Module, Tensor], Tensor]


class Written(nn.Module):
    """What a layer computes, by a function of the layer and what it reads."""

    def __init__(self, layer: nn.Module, computed: Computed) -> None:
        super().__init__()
        self.layer, self.computed = layer, computed

    def forward(self, x: Tensor) -> Tensor:
        return self.computed(self.layer, x)


def model(
    kind: type[nn.Module],
    change: Callable[[nn.Module], nn.Module],
    last: bool = False,
    network: Callable[[], nn.Module] = MODELS["ResNet-20-CIFAR"],
) -> TorchPort:
    """A network with other layers in place of all of a kind, or of the last."""

    def build() -> nn.Module:
        net = network()
        places = [
            (inside, name)
            for inside in net.modules()
            for name, layer in inside.named_children()
            if type(layer) is kind and getattr(layer, "stride", (1, 1)) == (1, 1)
        ]
        for inside, name in places[-1:] if last else places:
            setattr(inside, name, change(getattr(inside, name)))
        return net

    return port(build)


def by(norm: nn.Module, x: Tensor) -> Tensor:
    return F.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, 0.1, norm.eps
    )


NORMS: dict[str, Computed] = {
    "pixels in a row": lambda norm, x: by(norm, x.flatten(2)).view_as(x),
    "a map of one column": lambda norm, x: norm(x.reshape(*x.shape[:2], -1, 1)).view_as(x),
    "a row for every pixel": lambda norm, x: (
        by(norm, x.permute(0, 2, 3, 1).flatten(0, 2))
        .view(len(x), *x.shape[2:], -1)
        .permute(0, 3, 1, 2)
    ),
}


@pytest.mark.numbers
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_a_norm_reads_pixels_in_any_shape(norm):
    """As long as its channels are those of the map."""
    found = judge(model(nn.BatchNorm2d, lambda layer: Written(layer, norm)), NETWORK)
    assert found.verdict == "conforms"


def test_a_norm_of_rows_in_a_row_is_none_of_channels():
    """Of 32 rows of 32 pixels in one axis each is a pixel, and no channel."""
    at = "conv1.0.1"

    def build() -> nn.Module:
        net = MODELS["ResNet-20-CIFAR"]()
        inside, name = net.get_submodule("conv1.0"), "1"
        across = nn.BatchNorm1d(32 * 32)
        setattr(inside, name, Written(
            across, lambda norm, x: norm(x.flatten(2).transpose(1, 2)).transpose(1, 2).view_as(x)
        ))  # fmt: skip
        return net

    (found, *_) = judge(port(build), NETWORK, numbers=False).findings
    assert (found.node, found.attribute, at in found.port_node) == (
        "conv1 batch_norm",
        "operation",
        True,
    )


def rows(weight: Tensor, x: Tensor) -> Tensor:
    """Where the convolutions around it leave the channels in memory is no matter."""
    return F.linear(x.permute(0, 2, 3, 1), weight).permute(0, 3, 1, 2)


def pixels(weight: Tensor, x: Tensor) -> Tensor:
    return torch.matmul(weight, x.flatten(2)).unflatten(2, x.shape[2:])


def spread(weight: Tensor, x: Tensor) -> Tensor:
    product = torch.bmm(weight.expand(len(x), -1, -1), x.flatten(2))
    return product.view(len(x), -1, *x.shape[2:])


@pytest.mark.numbers
@pytest.mark.parametrize("product", [rows, pixels, spread])
def test_a_convolution_of_pixels_is_a_product(product):
    """One matrix for all images, on either side."""

    def written(conv: nn.Module, x: Tensor) -> Tensor:
        return conv(x) if conv.kernel_size != (1, 1) else product(conv.weight[:, :, 0, 0], x)

    block = reference.find("Bottleneck-block")
    made = implementations.factory("torch", block)
    port = model(nn.Conv2d, lambda conv: Written(conv, written), network=made)
    assert judge(port, block).verdict == "conforms"


def averaged(*between: nn.Module) -> Judged:
    """A classifier of every pixel, and the average of what it says."""

    def build() -> nn.Module:
        *body, fc = MODELS["ResNet-20-CIFAR"]().children()
        return nn.Sequential(
            *body, nn.Conv2d(64, 10, 1), *between, nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    return judge(port(build), NETWORK)


@pytest.mark.numbers
def test_an_average_of_classifiers_classifies_the_average():
    """A remark says so; with a ReLU between the two it is another network."""
    found = averaged()
    assert found.verdict == "conforms"
    assert "order" in {each.attribute for each in found.judgement.remarks}
    assert averaged(nn.ReLU()).verdict == "deviates"


def windows(x: Tensor, before: int = 1, behind: int = 1) -> Tensor:
    return F.pad(x, (before, behind) * 2).unfold(2, 3, 1).unfold(3, 3, 1)


SUMS: dict[str, tuple[Computed, str]] = {
    "as it is": (lambda c, x: torch.einsum("nchwij,ocij->nohw", windows(x), c.weight), ""),
    "width before height": (
        lambda c, x: torch.einsum("nchwij,ocji->nohw", windows(x), c.weight),
        "width before height",
    ),
    "from the end": (
        lambda c, x: torch.einsum("nchwij,ocij->nohw", windows(x), c.weight.flip(2, 3)),
        "height and width from the end",
    ),
}


@pytest.mark.numbers
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("computed", "order"), SUMS.values(), ids=SUMS)
def test_values_tell_the_order_of_a_kernel(computed, order, last):
    """What is read by no rule may store its kernel in any order: a remark says in which."""
    found = judge(model(nn.Conv2d, lambda layer: Written(layer, computed), last), NETWORK)
    assert found.verdict == "conforms"
    assert {each.found for each in found.judgement.remarks} == ({order} if order else set())


WRONG: dict[str, tuple[Computed, str]] = {
    "scaled": (lambda c, x: 1.01 * SUMS["as it is"][0](c, x), "it is 1.01 times as large"),
    "rectified": (lambda c, x: SUMS["as it is"][0](c, x).relu(), "relu follows it"),
    "padded below": (
        lambda c, x: torch.einsum("nchwij,ocij->nohw", windows(x, 0, 2), c.weight),
        "padding is (0, 2, 0, 2)",
    ),
}  # fmt: skip


@pytest.mark.numbers
@pytest.mark.parametrize(("computed", "cause"), WRONG.values(), ids=WRONG)
def test_values_tell_what_becomes_of_an_unread_layer(computed, cause):
    """Whatever follows it before the next layer is part of what stands there."""
    wrong = model(nn.Conv2d, lambda layer: Written(layer, computed), last=True)
    (found,) = judge(wrong, NETWORK).findings
    assert (found.node, found.attribute) == ("stage3/3/2", "operation")
    assert cause in found.hint


class Neighbours(nn.Module):
    """A response normalisation whose sums are a convolution in three dimensions."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(1, 1, 5, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        sums = F.conv3d((x * x)[:, None], self.ones, padding=(2, 0, 0))[:, 0]
        return x / (2.0 + 1e-4 * sums) ** 0.75


def by_neighbours(norm: nn.Module, x: Tensor) -> Tensor:
    """One whose sums are added up in place."""
    squares = x * x
    sums = squares.clone()
    for i in (1, 2):
        sums[:, i:] += squares[:, :-i]
        sums[:, :-i] += squares[:, i:]
    return x / (2.0 + 1e-4 * sums) ** 0.75


def normalised(norm: Callable[[nn.Module], nn.Module]) -> TorchPort:
    """AlexNet with other response normalisations."""

    def build() -> nn.Module:
        net = ALEXNET["AlexNet"]()
        net.norm1, net.norm2 = norm(net.norm1), norm(net.norm2)
        return net

    return port(build)


def test_channels_that_are_taken_apart_are_one_layer():
    """What is made of them is recognised as a whole."""
    found = judge(
        normalised(lambda norm: Written(norm, by_neighbours)),
        reference.find("AlexNet"), numbers=False,
    )  # fmt: skip
    assert found.verdict == "conforms"


def test_what_stands_in_place_of_a_layer_is_not_left_out():
    """No variant without that layer explains what no rule reads."""
    found = judge(normalised(Neighbours), reference.find("AlexNet"), numbers=False)
    assert not found.profiles
    places = [(each.node, each.attribute, each.expected) for each in found.findings]
    assert places == [(f"norm{i} lrn", "operation", ("lrn",)) for i in (1, 2)]


class Banded(nn.Module):
    """A response normalisation whose sums are a product with a band matrix."""

    def __init__(self, maps: int, n: int) -> None:
        super().__init__()
        places = torch.arange(maps)
        apart = (places[:, None] - places).abs()
        self.register_buffer("band", (apart <= n // 2).float()[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        return x / (2.0 + 1e-4 * F.conv2d(x * x, self.band)) ** 0.75


@pytest.mark.numbers
@pytest.mark.parametrize(("n", "cause"), [(5, ""), (3, "n is 3, not 5")])
def test_a_layer_may_be_unread_but_for_a_part_of_it(n, cause):
    """In a variant, too, the oracle executes the layer in place of all its parts."""

    def build() -> nn.Module:
        net = ALEXNET["AlexNet"]()
        net.norm1, net.norm2 = Banded(96, n), Banded(256, n)
        net.fc8 = nn.Linear(4096, 10)
        return net

    found = judge(port(build), reference.find("AlexNet"))
    assert [each.name for each in found.profiles] == ["other classes"]
    assert bool(found.findings or found.judgement.open) == bool(cause)
    assert all(cause in each.hint for each in found.findings[:1])


class Mirrored(nn.Module):
    """A network that averages what it says of an image and of its mirror image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = MODELS["ResNet-20-CIFAR"]()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) if self.training else (self.net(x) + self.net(x.flip(3))) / 2


def test_a_network_that_is_called_twice_is_told_once():
    """What is called again shares all its parameters with what is called first."""
    found = judge(port(Mirrored), NETWORK, numbers=False).findings
    assert [each.attribute for each in found] == ["operation", "parameters"]
    assert "conv1 to fc: 39 layers are called again" in str(found[1].sentence)


@pytest.mark.numbers
def test_a_pool_of_pixels_is_judged_by_values():
    """Whatever is made of its window: nothing is stored in it, as in the kernel of a layer."""

    class Largest(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
            return torch.maximum(rows[..., ::2], rows[..., 1::2])

    def build() -> nn.Module:
        net = LENET["LeNet-5-table"]()
        net.S2 = nn.Sequential(Largest(), *net.S2[1:])
        return net

    found = judge(port(build), reference.find("LeNet-5-table"))
    assert found.verdict == "deviates" and found.findings[0].node.endswith(
        ("C1 tanh", "S2 avg_pool")
    )


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x: 2 * torch.sigmoid(2 * x) - 1, ["tanh"]),
        (lambda x: (torch.tanh(x / 2) + 1) / 2, ["sigmoid"]),
        (lambda x: 2 * torch.sigmoid(x) - 1, ["sigmoid", "scale"]),
    ],
    ids=["tanh", "sigmoid", "neither"],
)
def test_one_squashing_function_is_another_one_scaled(function, kinds):
    """By twice, in front and behind."""

    def build() -> nn.Module:
        class Squashed(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = function(x)
                return y

        return nn.Sequential(nn.Conv2d(3, 4, 3), Squashed(), nn.Conv2d(4, 2, 3))

    found = [node.kind for node in canonical(port(build).trace((6, 6, 3)))]
    assert found == ["input", "conv", *kinds, "conv"]


def test_what_is_extra_behind_a_dropout_is_one_finding():
    """Only training has the dropout, and what stands behind it is the same in either mode."""

    def build() -> nn.Module:
        net = ALEXNET["AlexNet"]()
        net.fc7.insert(0, nn.LayerNorm(4096))
        return net

    (found,) = judge(port(build), reference.find("AlexNet"), numbers=False).findings
    assert (found.node, found.attribute) == ("after fc6 relu", "extra")


class Halves(nn.Module):
    """A convolution for each half of the channels of a map; one of the halves may be read again."""

    def __init__(self, again: bool) -> None:
        super().__init__()
        self.body, self.again = nn.Conv2d(3, 8, 3), again
        self.halves = nn.ModuleList(nn.Conv2d(4, 6, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.body(x).chunk(2, 1)
        first, second = self.halves
        made = torch.cat([first(a.relu()), second(b.relu())], 1)
        return made * a.mean(1, keepdim=True) if self.again else made


@pytest.mark.parametrize("again", [False, True])
def test_towers_are_one_layer_whatever_else_reads_a_half(again):
    """What else reads the half goes on to read it."""
    graph = verify(canonical(port(lambda: Halves(again)).trace((8, 8, 3))))
    assert [n.attributes["groups"] for n in graph if n.kind == "conv"] == [1, 2]
    taken = [i for i, node in enumerate(graph) if node.kind == "unknown:take"]
    readers = [graph.nodes[i].kind for each in taken for i in graph.consumers()[each]]
    assert readers == ["unknown:reduce"] * again
