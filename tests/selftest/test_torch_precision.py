"""Ports that compute in less than float32, or where PyTorch tracks nothing."""

from importlib.util import find_spec

import pytest

from conformance.judge.port.verdict import judge

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import nn

from conformance.trace.torch.port import port
from tests.selftest.torch.lenet import NETWORK, LeNet, with_c3


class Cast(LeNet):
    """Stored in float16, given an image in float32."""

    def __init__(self):
        super().__init__()
        self.half()

    def forward(self, x):
        return super().forward(x.half()).float()


class Autocast(LeNet):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x).float()


class In(nn.Module):
    """A layer, and what is done to its image and its result."""

    def __init__(self, layer, before, after):
        super().__init__()
        self.layer, self.before, self.after = layer, before, after

    def forward(self, x):
        return self.after(self.layer(self.before(x)))


class Region(In):
    """A layer inside a region of autocast."""

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            x = self.layer(x)
        return x.float()


POLICIES = {
    "half": (lambda: LeNet().half(), "float16"),
    "bfloat16": (lambda: LeNet().bfloat16(), "bfloat16"),
    "bfloat16 and frozen": (lambda: LeNet().bfloat16().requires_grad_(False), "bfloat16"),
    "half of a cast image": (Cast, "float16"),
    "autocast": (Autocast, "bfloat16"),
}

ISLANDS = {
    "a half layer": (
        lambda: with_c3(lambda c3: In(c3.half(), torch.Tensor.half, torch.Tensor.float)),
        "C3",
        "float16",
    ),
    "a region of autocast": (lambda: with_c3(lambda c3: Region(c3, None, None)), "C3", "bfloat16"),
    "a cast there and back": (
        lambda: LeNet(flat=lambda x: x.to(torch.bfloat16).float().flatten(1)),
        "C5 tanh",
        "bfloat16",
    ),
}


@pytest.mark.parametrize(("build", "what"), POLICIES.values(), ids=POLICIES)
def test_a_policy_of_precision_is_a_remark(build, what):
    """And the numbers are held against what that precision costs."""
    found = judge(port(build), NETWORK)
    assert found.verdict == "conforms"
    (remark,) = [each for each in found.judgement.remarks if each.attribute == "precision"]
    assert remark.found == what
    assert ("stored" in remark.hint) == (build is not Autocast)


@pytest.mark.parametrize(("build", "node", "what"), ISLANDS.values(), ids=ISLANDS)
def test_an_island_of_precision_is_a_finding(build, node, what):
    """At its first layer, and nothing else is."""
    (finding,) = judge(port(build), NETWORK).findings
    assert (finding.node, finding.attribute, finding.found) == (node, "precision", what)


def test_float64_is_no_island():
    """More than float32 is asked of nobody, and held against nobody."""
    found = judge(port(lambda: LeNet(image=lambda x: x.double()).double()), NETWORK)
    assert found.verdict == "conforms" and not found.judgement.remarks


def test_a_forward_in_inference_mode_is_cut_off():
    """It is read like any other, and no gradient comes back through it."""

    class Inference(LeNet):
        @torch.inference_mode()
        def forward(self, x):
            return super().forward(x)

    (finding,) = judge(port(Inference), NETWORK).findings
    assert (finding.check, finding.node) == ("gradient", "output softmax")


def test_a_model_built_in_inference_mode_is_judged():
    """Its stored arrays take values there only; that they are never trained is a remark."""

    @torch.inference_mode()
    def build():
        return LeNet()

    found = judge(port(build), NETWORK)
    (remark,) = found.judgement.remarks
    assert (found.verdict, remark.attribute, remark.found) == ("conforms", "trained", False)
