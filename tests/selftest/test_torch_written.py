"""How people write a block in PyTorch: in place, part by part, with numbers drawn at random."""

from importlib.util import find_spec

import pytest

from conformance import reference
from conformance.judge import gate
from conformance.judge.port.verdict import judge

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import nn

from conformance.ports import implementations as frameworks
from conformance.trace.torch.port import port

NETWORK, MODULE = reference.find("ResNet-20-CIFAR"), reference.find("Inception-module")


class Block(nn.Module):
    """A residual block that halves the map, as a function of its branch and of what it reads."""

    def __init__(self, block, join):
        super().__init__()
        self.residual, self.join = block.residual, join

    def forward(self, x):
        return self.join(self.residual(x), x)


def with_block(join):
    def factory():
        model = frameworks.factory("torch", NETWORK)()
        model.stage2[0][0] = Block(model.stage2[0][0], join)
        return model

    return judge(port(factory), NETWORK)


def filled(y, x):
    shortcut = torch.zeros_like(y)
    shortcut[:, :16] = x[:, :, ::2, ::2]
    return y + shortcut


def added_in_place(y, x):
    y[:, :16] += x[:, :, ::2, ::2]
    return y


def narrowed(y, x):
    y.narrow(1, 0, 16).add_(x[:, :, ::2, ::2])
    return y


def side_by_side(y, x):
    return torch.cat([y[:, :16] + x[:, :, ::2, ::2], y[:, 16:]], 1)


@pytest.mark.numbers
@pytest.mark.parametrize("join", [filled, added_in_place, narrowed, side_by_side])
def test_a_shortcut_has_many_spellings(join):
    """Zeros that are filled, or the first channels alone."""
    assert with_block(join).verdict == "conforms"


@pytest.mark.parametrize(
    ("join", "channels"),
    [
        (lambda y, x: torch.cat([y[:, :16], y[:, 16:] + x[:, :, ::2, ::2]], 1), (16, 0)),
        (lambda y, x: torch.cat([y[:, :8], y[:, 8:24] + x[:, :, ::2, ::2], y[:, 24:]], 1), (8, 8)),
    ],
    ids=["the last", "the middle"],
)
def test_other_channels_are_others(join, channels):
    """One finding says which."""
    (found,) = with_block(join).findings
    assert (found.attribute, tuple(found.found)) == ("channels", channels)


def by_slices(parts, branches):
    for part, branch in zip(parts, branches, strict=True):
        part.copy_(branch)


def sliced(x, branches):
    y = torch.empty(len(x), 256, *x.shape[2:])
    by_slices([y[:, :64], y[:, 64:192], y[:, 192:224], y[:, 224:]], branches)
    return y


def split(x, branches):
    y = x.new_empty(len(x), 256, *x.shape[2:])
    by_slices(y.split([64, 128, 32, 32], 1), branches)
    return y


def summed(x, branches):
    y, start = torch.zeros(len(x), 256, *x.shape[2:]), 0
    for branch in branches:
        y[:, start : start + branch.shape[1]] += branch
        start += branch.shape[1]
    return y


def exchanged(x, branches):
    a, b, c, d = branches
    y = torch.empty(len(x), 256, *x.shape[2:])
    by_slices([y[:, :64], y[:, 64:192], y[:, 192:224], y[:, 224:]], [a, b, d, c])
    return y


class Filled(nn.Module):
    """The branches of a module in the place of a concatenation."""

    def __init__(self, module, join):
        super().__init__()
        self.branches, self.join = nn.ModuleList(module.children()), join

    def forward(self, x):
        return self.join(x, [branch(x) for branch in self.branches])


def with_module(join):
    def factory():
        model = frameworks.factory("torch", MODULE)()
        model.inception = Filled(model.inception, join)
        return model

    return judge(port(factory), MODULE, numbers=False)


@pytest.mark.parametrize("join", [sliced, split, summed])
def test_a_concatenation_may_be_filled(join):
    """Slice by slice, by copies or by sums with zeros."""
    found = with_module(join)
    assert (found.verdict, found.judgement.remarks) == ("conforms", [])


def test_slices_in_another_order_are_one_finding():
    """As for a concatenation."""
    (found,) = with_module(exchanged).findings
    assert found.attribute == "order"


def halved(y):
    return y * torch.rand(len(y), 1, 1, 1)


class Shaken(nn.Module):
    """A branch times a random draw in training, and times its mean in inference."""

    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        y = self.branch(x)
        return halved(y) if self.training else y / 2


class Twice(Shaken):
    def __init__(self, branch):
        super().__init__(branch)
        self.other = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16))

    def forward(self, x):
        y, other = self.branch(x), self.other(x)
        share = torch.rand(len(x), 1, 1, 1) if self.training else 0.5
        return share * y + (1 - share) * other


class Deep(Shaken):
    def forward(self, x):
        y = self.branch(x)
        return y if not self.training or torch.rand(1).item() < 0.5 else 0 * y


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Shaken, "a branch times a random draw"),
        (Twice, "a branch times a random draw"),
        (Deep, "depends on a random draw"),
    ],
)
def test_a_random_branch_is_one_finding(kind, said):
    """In its own words, with what belongs to it."""

    def factory():
        model = frameworks.factory("torch", NETWORK)()
        model.stage1[1][0].residual = kind(model.stage1[1][0].residual)
        return model

    (found,) = judge(port(factory), NETWORK, numbers=False).findings
    assert found.attribute == "random" and said in str(found.sentence)


class Excited(nn.Module):
    """A branch of which the mean of each map decides how much of it is let through."""

    def __init__(self, branch):
        super().__init__()
        self.branch = branch
        self.gate = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16), nn.Sigmoid())

    def forward(self, x):
        y = self.branch(x)
        return y * self.gate(y.mean((2, 3)))[:, :, None, None]


def test_layers_that_cannot_be_read_are_no_part_of_a_variant():
    """Means of maps are no network "without top" that holds but for its classifier."""

    def factory():
        model = frameworks.factory("torch", NETWORK)()
        for block in [each for each in model.stage1.modules() if hasattr(each, "residual")]:
            block.residual = Excited(block.residual)
        return model

    found = judge(port(factory), NETWORK, numbers=False)
    assert [f.attribute for f in found.findings] == ["operation"] * 3


@pytest.mark.parametrize(
    ("name", "meant"), [("ResNet-20-CIFAR", []), ("ResNet-56-CIFAR", ["ResNet-20-CIFAR"])]
)
def test_another_network_is_asked_about(name, meant):
    """Where little is as in the network that was named, the one that was meant is a remark."""
    made = frameworks.factory("torch", reference.find("ResNet-20-CIFAR"))
    found = judge(port(made), reference.find(name), numbers=False)
    assert [remark.found for remark in gate.meant(found)] == meant


class OneByOne(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, x):
        return torch.stack([self.inside(image.unsqueeze(0))[0] for image in x])


@pytest.mark.numbers
def test_images_may_be_taken_one_by_one():
    """Where nothing is normalised by the batch."""
    model = reference.find("LeNet-5-table")
    factory = frameworks.factory("torch", model)
    found = judge(port(lambda: OneByOne(factory())), model)
    assert (found.verdict, found.findings) == ("conforms", [])
    assert [each.check for each in found.judgement.unjudged] == ["training"]


class InSteps(nn.Module):
    """Branches that are put side by side in two steps."""

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        first, second = self.branches[:7], self.branches[7:]
        return torch.cat([torch.cat([f(x) for f in each], 1) for each in (first, second)], 1)


@pytest.mark.numbers
def test_a_table_may_be_put_together_in_steps():
    """Every map of LeNet's C3 a convolution of its own, and seven of them at first."""
    model = reference.find("LeNet-5")

    def build():
        net = frameworks.factory("torch", model)()
        net.C3[0] = InSteps(net.C3[0])
        return net

    assert judge(port(build), model).verdict == "conforms"


class EachAlone(nn.Module):
    """A convolution of each image by itself, and one that is mapped over the images."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.norm, self.second = first[0], first[1], second

    def forward(self, x):
        x = self.norm(torch.cat([self.first(image) for image in x.split(1)])).relu()
        return torch.vmap(lambda image: self.second(image[None])[0])(x)


def test_a_norm_behind_a_view_of_one_image_is_one_of_the_batch():
    """That it sees one image is seen where the images go one by one, and is no other norm."""
    model = reference.find("Basic-block")

    def build():
        net = frameworks.factory("torch", model)()
        first, relu, second = net.block[0].residual
        net.block[0].residual = nn.Sequential(EachAlone(first, second[0]), second[1])
        return net

    assert not judge(port(build), model, numbers=False).findings
