"""A gradient that is altered inside a residual block is found at the node where it is altered."""

from importlib.util import find_spec

import pytest

from conformance import reference
from conformance.judge.port.verdict import judge

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import nn
from torch.autograd import Function
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from conformance.ports import implementations as frameworks
from conformance.trace.torch.port import port

pytestmark = pytest.mark.numbers

NETWORK = reference.find("ResNet-20-CIFAR")


def rectifier(back):
    """A ReLU with a backward of its own: of what comes back, and of where the input is positive."""

    class Rectified(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, above):
            (x,) = ctx.saved_tensors
            return back(above, x > 0)

    return Rectified.apply


def hooked(x):
    if x.requires_grad:
        x.register_hook(lambda gradient: 2 * gradient)
    return x


class Block(nn.Module):
    """A residual block, with something done to its first activation and on its two branches."""

    def __init__(self, block, relu=F.relu, shortcut=lambda x: x, branch=lambda x: x):
        super().__init__()
        (self.conv1, self.bn1), _, (self.conv2, self.bn2) = block.residual
        self.relu, self.shortcut, self.branch = relu, shortcut, branch

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.branch(y) + self.shortcut(x)


class Recomputed(Block):
    def forward(self, x):
        return checkpoint(super().forward, x, use_reentrant=False)


class Late(Block):
    """Something is done to a gradient that is there already when that by the input comes."""

    def __init__(self, block, late):
        super().__init__(block)
        self.late = late

    def forward(self, x):
        if x.requires_grad:
            x.register_hook(lambda gradient: self.late(self.conv2.weight))
        return super().forward(x)


def doubled(weight):
    if weight.grad is not None:
        weight.grad.mul_(2)


def looked_at(weight):
    assert weight.grad.isfinite().all()


def parts(block):

    return block.residual


def judged(kind=Block, **changes):
    def factory():
        model = frameworks.factory("torch", NETWORK)()
        model.stage2[1][0] = kind(model.stage2[1][0], **changes)
        return model

    return judge(port(factory), NETWORK)


NORM, RELU, ADD = "stage2/2/2 batch_norm", "stage2/2/1 relu", "stage2/2 add"
#: What is done in the second block of a stage, and the node at which that alters the gradient.
WRONG = {
    "identity": ({"relu": rectifier(lambda g, on: g)}, RELU),
    "slope": ({"relu": rectifier(lambda g, on: torch.where(on, g, 0.5 * g))}, RELU),
    "half": ({"relu": rectifier(lambda g, on: 0.5 * g * on)}, RELU),
    "hook on a map": ({"relu": lambda x: hooked(F.relu(x))}, RELU),
    "hook in place": ({"relu": lambda x: hooked(F.relu(x, inplace=True))}, RELU),
    "hook on a branch": ({"branch": hooked}, NORM),
    "hook on the input": ({"shortcut": hooked}, "stage2/1 relu"),
    "detached shortcut": ({"shortcut": lambda x: x.detach()}, ADD),
    "shortcut twice": ({"shortcut": lambda x: 2 * x - x.detach()}, ADD),
    "data": ({"branch": lambda x: x.data}, ADD),
    "recomputed": ({"kind": Recomputed, "relu": rectifier(lambda g, on: g)}, RELU),
    "doubled late": ({"kind": Late, "late": doubled}, "stage2/2/2"),
}


@pytest.mark.parametrize(("changes", "node"), WRONG.values(), ids=WRONG)
def test_the_node_is_named(changes, node):
    """And not the first norm upstream that suffers."""
    (found,) = judged(**changes).findings
    assert (found.check, found.node) == ("gradient", node)


def test_what_is_written_over_is_named():
    """Where the way back breaks off, and not the output."""
    (found,) = judged(relu=lambda x: F.relu(x).add_(0)).findings
    assert (found.attribute, found.node) == ("backward", RELU)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": Recomputed},
        {"relu": rectifier(lambda g, on: g * on)},
        {"kind": Late, "late": looked_at},
    ],
    ids=["recomputed", "a backward of its own", "looked at late"],
)
def test_what_is_right_conforms(changes):
    """However it goes backward."""
    assert judged(**changes).verdict == "conforms"


def test_a_bound_that_changes_nothing_may_be_the_end():
    """What comes back to an output comes back to the node that it is a layout of."""
    model = reference.find("Basic-block")

    def factory():
        net = frameworks.factory("torch", model)()
        return nn.Sequential(net, nn.ReLU(), nn.Flatten(), nn.Unflatten(1, (64, 14, 14)))

    assert judge(port(factory), model).verdict == "conforms"
