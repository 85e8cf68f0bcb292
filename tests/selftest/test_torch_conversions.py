"""Layers as conversions, textbooks and functional code write them, and what looks like them."""

from functools import partial
from importlib.util import find_spec

import pytest

from conformance import reference
from conformance.judge.compare import compare
from conformance.judge.finding import DIFFER, SAME
from conformance.judge.phrases import causes
from conformance.judge.port.verdict import judge

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import nn
from torch.nn import functional as F

from conformance.numbers.own_weights import Side
from conformance.ports import implementations as frameworks
from conformance.trace.port import UntraceableModel
from conformance.trace.torch.port import port

RESNET, ALEXNET = reference.find("ResNet-20-CIFAR"), reference.find("AlexNet-groups")
LENET = reference.find("LeNet-5-table")


def judged(network, change, **options):
    def factory():
        model = frameworks.factory("torch", network)()
        return change(model) or model

    return judge(port(factory), network, **options)


def with_each(kind, made, several=True):
    """A change of all layers of a kind, or of the last one."""

    def change(model):
        places = [
            (parent, name, layer)
            for parent in model.modules()
            for name, layer in parent.named_children()
            if type(layer) is kind
        ]
        for parent, name, layer in places if several else places[-1:]:
            setattr(parent, name, made(layer))

    return change


class Scaled(nn.Module):
    """Caffe's BatchNorm and Scale."""

    def __init__(self, norm, shift=True):
        super().__init__()
        self.norm = nn.BatchNorm2d(norm.num_features, affine=False)
        self.gamma = nn.Parameter(torch.ones(norm.num_features))
        self.beta = nn.Parameter(torch.zeros(norm.num_features)) if shift else None

    def forward(self, x):
        x = self.norm(x) * self.gamma.view(1, -1, 1, 1)
        return x if self.beta is None else x + self.beta.view(1, -1, 1, 1)


@pytest.mark.numbers
def test_a_norm_and_a_scale_are_one_layer():
    assert judged(RESNET, with_each(nn.BatchNorm2d, Scaled)).verdict == "conforms"


def test_a_scale_without_a_shift_is_no_whole_norm():
    found = judged(RESNET, with_each(nn.BatchNorm2d, lambda norm: Scaled(norm, False)))
    assert {each.attribute for each in found.findings} == {"beta"}


class InHalves(nn.Module):
    """A grouped convolution from before there were any: two, or one whose kernel is shared out."""

    def __init__(self, conv, order=(0, 1), one_kernel=False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(conv.weight.shape)) if one_kernel else None
        self.bias = nn.Parameter(torch.empty(conv.bias.shape)) if one_kernel else None
        half = conv.in_channels // 2, conv.out_channels // 2
        layers = (nn.Conv2d(*half, 5, padding=2), nn.Conv2d(*half, 5, padding=2))
        self.layers = None if one_kernel else nn.ModuleList(layers)
        self.order = order

    def forward(self, x):
        parts = x.chunk(2, 1)
        if self.layers is not None:
            done = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        else:
            assert self.weight is not None
            kernels = self.weight.chunk(2)
            done = [F.conv2d(a, b, padding=2) for a, b in zip(parts, kernels, strict=True)]
        whole = torch.cat([done[i] for i in self.order], 1)
        return whole if self.bias is None else whole + self.bias.view(1, -1, 1, 1)


def halved(model, **how):
    model.conv2[0] = InHalves(model.conv2[0], **how)


@pytest.mark.parametrize("one_kernel", [False, True], ids=["two layers", "one kernel"])
def test_groups_by_hand_are_groups(one_kernel):
    found = judged(ALEXNET, lambda model: halved(model, one_kernel=one_kernel), numbers=False)
    assert not found.findings


def test_halves_in_the_other_order_are_not():
    found = judged(ALEXNET, lambda model: halved(model, order=(1, 0)), numbers=False)
    assert found.verdict == "deviates"


class Patches(nn.Module):
    """A convolution as a product of patches, which no rule reads."""

    def __init__(
        self, conv, mode="constant", layout=(0, 1, 2, 3), begin=nn.init.kaiming_normal_, cut=False
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(conv.weight.shape))
        begin(self.weight)
        self.stride, self.mode, self.layout, self.cut = conv.stride, mode, layout, cut

    def forward(self, x):
        x = F.pad(x, (1, 1, 1, 1), mode=self.mode)
        shape = [(n - 3) // s + 1 for n, s in zip(x.shape[2:], self.stride, strict=True)]
        patches = F.unfold(x, 3, stride=self.stride)
        weight = self.weight.detach() if self.cut else self.weight
        kernel = weight.permute(self.layout).flatten(1)
        return (kernel @ patches).unflatten(2, shape)


@pytest.mark.numbers
def test_what_is_not_read_runs_on_the_kernel_of_its_layer():
    """It conforms by its values, with the network's counts."""
    found = judged(RESNET, with_each(nn.Conv2d, Patches, several=False))
    assert (found.verdict, found.totals.parameters) == ("conforms", 269_722)


@pytest.mark.numbers
@pytest.mark.parametrize(
    ("how", "verdict"),
    [({"mode": "reflect"}, "deviates"), ({"layout": (0, 2, 3, 1)}, "inconclusive")],
    ids=["a mirrored border", "a layout of its own"],
)
def test_what_is_not_read_is_held_against_a_port_for_a_cause(how, verdict):
    change = with_each(nn.Conv2d, lambda conv: Patches(conv, **how), several=False)
    assert judged(RESNET, change).verdict == verdict


@pytest.mark.numbers
@pytest.mark.parametrize(
    ("how", "check"),
    [({"cut": True}, "gradient"), ({"begin": nn.init.zeros_}, "initialisation")],
    ids=["no gradient", "zeros"],
)
def test_what_values_have_settled_is_judged_like_any_other_layer(how, check):
    change = with_each(nn.Conv2d, lambda conv: Patches(conv, **how), several=False)
    (found,) = judged(RESNET, change).findings
    assert (found.check, found.node, found.kind) == (check, "stage3/3/2", "conv")


@pytest.mark.numbers
@pytest.mark.parametrize("cut", [False, True])
def test_what_is_not_read_may_be_in_a_variant(cut):
    """The oracle executes the variant, with the layer in its place."""

    def change(model):
        with_each(nn.Conv2d, lambda conv: Patches(conv, cut=cut), several=False)(model)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eps, norm.momentum = 1e-3, 0.01

    found = judged(RESNET, change)
    assert [each.name for each in found.profiles] == ["Keras' norms"]
    places = [(each.check, each.node) for each in found.findings]
    assert places == [("gradient", "stage3/3/2")] * cut and not found.judgement.open


class Wrapped(nn.Module):
    """A network whose logits go through something else at the end."""

    def __init__(self, model, end):
        super().__init__()
        self.model, self.end = model, end

    def forward(self, x):
        return self.end(self.model(x), self.training)


@pytest.mark.numbers
@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
def test_logits_in_training_and_probabilities_in_inference(kind):
    def end(y, training):
        return y if training else getattr(torch, kind)(y, 1)

    found = judged(RESNET, lambda model: Wrapped(model, end))
    assert [each.name for each in found.profiles] == [f"with {kind.replace('_', '-')}"]
    assert found.verdict == "conforms-as-variant"


def test_probabilities_in_training_alone_are_a_mistake():
    found = judged(
        RESNET, lambda model: Wrapped(model, lambda y, training: y.softmax(1) if training else y)
    )
    assert [(each.check, each.found) for each in found.findings] == [("training", "softmax")]


def test_a_head_for_training_alone_is_a_finding():
    found = judged(
        RESNET, lambda model: Wrapped(model, lambda y, training: (y, 2 * y) if training else y)
    )
    assert [(each.check, each.attribute) for each in found.findings] == [("training", "outputs")]


class Textbook(nn.BatchNorm2d):
    """A norm by hand, whose running variance is over n."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=self.correction)
        with torch.no_grad():
            self.running_mean.mul_(0.9).add_(0.1 * mean)
            self.running_var.mul_(0.9).add_(0.1 * variance)
        x = (x - mean.view(1, -1, 1, 1)) / torch.sqrt(variance.view(1, -1, 1, 1) + 1e-5)
        return x * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

    correction = 0


class Sample(Textbook):
    """One that divides by the deviation of a sample, as torch.var has it."""

    correction = 1


def test_of_two_conventions_the_rarer_is_the_finding():
    change = with_each(nn.BatchNorm2d, lambda norm: Textbook(norm.num_features), several=False)
    (found,) = judged(RESNET, change, numbers=False).findings
    assert (found.attribute, found.node[:6]) == ("unbiased", "stage3")


def test_a_norm_by_hand_that_is_none_is_told_why():
    change = with_each(nn.BatchNorm2d, lambda norm: Sample(norm.num_features), several=False)
    (found,) = judged(RESNET, change, numbers=False).findings
    assert "torch.var is over n - 1" in found.hint


@pytest.mark.numbers
def test_a_map_is_averaged_in_two_steps():
    def change(model):
        model.fc[0] = Mean()

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(3, keepdim=True).mean(2, keepdim=True)

    assert judged(RESNET, change).verdict == "conforms"


class Lazy(nn.Sequential):
    """A lazy layer in front of one that has its numbers already."""

    def __init__(self):
        super().__init__(nn.LazyConv2d(8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(72, 3))


def test_a_lazy_layer_beside_others():
    tape = port(Lazy).trace((5, 5, 3))
    assert tape.stored["0.weight"] == (8, 3, 3, 3)


def test_a_program_of_torch_export_is_refused():
    def exported():
        return torch.export.export(nn.Linear(3, 3).eval(), (torch.zeros(2, 3),)).module()

    with pytest.raises(UntraceableModel, match="return the nn.Module"):
        port(exported).trace((5, 5, 3))


def test_a_kernel_in_a_buffer_is_not_trained():
    def change(model):
        kernel = model.F6[1].weight.detach()
        del model.F6[1].weight
        model.F6[1].register_buffer("weight", kernel)

    found = judged(LENET, change, numbers=False)
    assert [(each.attribute, each.node) for each in found.judgement.remarks] == [("trained", "F6")]


@pytest.mark.numbers
def test_one_scheme_for_all_kernels_is_one_cause():
    change = with_each(nn.Conv2d, drawn)
    found = judged(RESNET, change)
    assert len(found.findings) == 19
    assert len(causes(found.findings)) == 1


def drawn(conv):
    nn.init.normal_(conv.weight)
    return conv


def test_a_mean_that_is_taken_away_too_late():
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    class Late(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            a, b = (torch.tensor(each).view(1, 3, 1, 1) for each in (mean, deviation))
            return self.model(x / b - a)

    assert judged(RESNET, Late, numbers=False).verdict == "deviates"


class Transformed(nn.Module):
    """A convolution through a Fourier transform."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x):
        size = [n + 2 for n in x.shape[2:]]
        image, kernel = (torch.fft.rfft2(each, size) for each in (x, self.weight.flip(2, 3)))
        product = torch.einsum("nchw,ochw->nohw", image, kernel)
        return torch.fft.irfft2(product, size)[:, :, 1:-1, 1:-1]


@pytest.mark.numbers
@pytest.mark.parametrize("changed", [False, True])
def test_ports_with_complex_numbers_inside_are_compared(changed):
    """Where one port's are the other's is not known, and that is said."""

    def factory(scale=1.0):
        torch.manual_seed(0)
        model = nn.Sequential(Transformed(), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 10))
        model[-1].weight.data *= scale
        return model

    other = partial(factory, 1.5 if changed else 1.0)
    found = compare(Side("A", port(factory), (8, 8, 3)), Side("B", port(other), (8, 8, 3)))
    assert found.verdict == (DIFFER if changed else "inconclusive")
    assert "aten._fft_r2c at 0: which number of it is which is not known" in found.problem


def transformed(kind, times):
    """A network whose first layer is of a kind, with weights that are so many times others."""
    layer = kind()
    torch.manual_seed(0)
    layer.weight.data = times * torch.randn(4, 3, 3, 3)
    return nn.Sequential(layer, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 10))


USUAL = partial(nn.Conv2d, 3, 4, 3, padding=1, bias=False)


@pytest.mark.numbers
@pytest.mark.parametrize("scale", [1.0, 1.01])
@pytest.mark.parametrize("order", [1, -1], ids=["in B", "in A"])
def test_a_layer_that_no_rule_reads_is_compared_with_the_one_it_stands_for(order, scale):
    """By its values, and its kernel with that one's."""
    factories = partial(transformed, USUAL, 1.0), partial(transformed, Transformed, scale)
    a, b = (Side("", port(each), (8, 8, 3)) for each in factories[::order])
    found = compare(a, b)
    assert found.verdict == (SAME if scale == 1 else DIFFER)
    assert len(found.slots) == 3 and len(found.judgement.remarks) == (scale == 1)
    assert [each.slot for each in found.differing] == ["kernel"] * (scale != 1)
    assert found.result().a.numbers == found.result().b.numbers or found.structure


@pytest.mark.numbers
def test_zeros_tell_nothing_of_a_layer_that_no_rule_reads():
    """By a kernel of zeros any two layers compute the same."""
    a, b = (
        Side("", port(partial(transformed, kind, 0.0)), (8, 8, 3)) for kind in (USUAL, Transformed)
    )
    found = compare(a, b)
    assert found.structure and not found.parted and found.verdict == DIFFER
