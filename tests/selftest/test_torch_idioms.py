"""How people write PyTorch, and what is wrong with a module besides what it computes."""

from importlib.util import find_spec

import numpy as np
import pytest

from conformance.graph.sharing import shared
from conformance.judge.port import idle
from conformance.trace.canonical import canonical
from conformance.trace.port import NoGradient, Run, UntraceableModel
from conformance.trace.probes import SAME

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from conformance.trace.torch.port import port

SIZE = (8, 8, 1)


class Net(nn.Module):
    """A convolution and a classifier."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 4, 3), nn.Linear(144, 10)

    def body(self, x):
        return torch.tanh(self.conv(x))

    def forward(self, x):
        return self.last(self.body(x).flatten(1))


class Checkpoint(Net):
    def __init__(self, reentrant):
        super().__init__()
        self.reentrant = reentrant

    def forward(self, x):
        return self.last(checkpoint(self.body, x, use_reentrant=self.reentrant).flatten(1))


class Mapped(Net):
    def forward(self, x):
        return self.last(torch.func.vmap(self.body)(x).flatten(1))


def gradients(factory):
    """The gradients of a sum of all outputs, by the stored arrays."""
    model = port(factory)
    tape = model.trace(SIZE)
    shapes = tape.parameters
    values = {
        handle: np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
        for handle, shape in shapes.items()
    }
    run = Run(tape, values.__getitem__, np.linspace(-1, 1, 64).reshape(1, *SIZE))
    return model.gradient(run, [np.ones((1, 10))], frozenset(shapes))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize(
    "factory",
    [
        lambda: Checkpoint(False),
        lambda: Checkpoint(True),
        Mapped,
        lambda: nn.DataParallel(Net()),
    ],
    ids=["checkpoint", "reentrant checkpoint", "vmap", "DataParallel"],
)
def test_it_is_the_same_network(factory):
    """The same layers, and the same gradients."""
    kinds = [[node.kind for node in canonical(port(f).trace(SIZE))] for f in (factory, Net)]
    assert kinds[0] == kinds[1]
    expected = gradients(Net)
    for handle, gradient in gradients(factory).items():
        largest = np.abs(expected[handle]).max()
        assert np.abs(gradient - expected[handle]).max() <= SAME * largest


def hooked(register):
    net = Net()
    register(net.conv.weight)
    return net


def halved(parameter):
    parameter.grad = parameter.grad / 2


@pytest.mark.parametrize(
    ("register", "times"),
    [
        (lambda weight: weight.register_hook(lambda g: g * 2), 2),
        (lambda weight: weight.register_post_accumulate_grad_hook(halved), 0.5),
    ],
    ids=["hook", "hook after accumulation"],
)
def test_hooks_of_a_parameter_take_part(register, times):
    """They are part of the model, as it is trained."""
    right, altered = gradients(Net), gradients(lambda: hooked(register))
    np.testing.assert_array_equal(altered["conv.weight"], times * right["conv.weight"])
    np.testing.assert_array_equal(altered["last.weight"], right["last.weight"])


class InPlace(Net):
    def body(self, x):
        x = F.relu(self.conv(x))
        return (x * x).add_(1) * F.sigmoid(x).mul_(x.add_(1))


def test_a_model_that_cannot_go_backward_says_so():
    """By its own kind of error, with PyTorch's reason and the place."""
    with pytest.raises(NoGradient, match=r"cannot go backward: .*inplace"):
        gradients(InPlace)


class Repeated(nn.Module):
    """n * [block], the bug."""

    def __init__(self, again):
        super().__init__()
        blocks = 2 * [nn.Conv2d(1, 1, 3)] if again else [nn.Conv2d(1, 1, 3) for _ in range(2)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)


@pytest.mark.parametrize(("again", "nodes", "parameters"), [(True, [2], 10), (False, [], 20)])
def test_one_module_in_two_places_is_known(again, nodes, parameters):
    """By the graph, where it is counted once; and the module is left as it was."""
    model = port(lambda: Repeated(again))
    for training in (False, True, False):
        graph = canonical(model.trace(SIZE, training))
        assert [each.node for each in shared(graph)] == nodes
        assert graph.parameters("trainable") == parameters


class InAList(Net):
    def __init__(self, kind):
        super().__init__()
        self.more = kind([nn.Conv2d(4, 4, 3, padding=1)])

    def body(self, x):
        return torch.tanh(self.more[0](self.conv(x)))


@pytest.mark.parametrize(("kind", "places"), [(list, ["more"]), (nn.ModuleList, [])])
def test_layers_in_a_plain_list_are_a_fault(kind, places):
    """They are followed like all others, and the list is named."""
    tape = port(lambda: InAList(kind)).trace(SIZE)
    assert [node.kind for node in canonical(tape)].count("conv") == 2
    assert [fault.where.path for fault in tape.faults] == places


class InForward(Net):
    def body(self, x):
        return torch.tanh(nn.Conv2d(1, 4, 3)(x))


def test_weights_made_in_forward_are_known():
    """A new layer in every call is trained by nothing."""
    graph = canonical(port(InForward).trace(SIZE))
    assert [bool(node.attributes.get("weights")) for node in graph if node.kind == "conv"] == [True]


def test_torchscript_is_refused_in_one_sentence():
    """It has no Python code left to follow."""
    with pytest.raises(UntraceableModel, match="return the nn.Module that it was made from"):
        port(lambda: torch.jit.script(Net())).trace(SIZE)


def test_frozen_parameters_are_known():
    """The tape names them."""

    def frozen():
        net = Net()
        net.conv.weight.requires_grad_(False)
        return net

    assert port(frozen).trace(SIZE).frozen == {"conv.weight"}


def test_hardtanh_has_bounds_of_its_own():
    """PyTorch leaves out arguments that are the defaults."""

    class Clipped(Net):
        def body(self, x):
            return F.hardtanh(self.conv(x))

    names = [operation.name for operation in port(Clipped).trace(SIZE).operations]
    assert names.count("max") == names.count("min") == 1


class Idle(Net):
    """One layer whose result is dropped, one that is never called, and an auxiliary head."""

    def __init__(self):
        super().__init__()
        self.extra, self.unused, self.aux = nn.Conv2d(1, 2, 3), nn.Linear(9, 9), nn.Linear(144, 10)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        self.extra(x)
        maps = self.norm(self.body(x)).flatten(1)
        heads = self.last(maps), self.aux(maps)
        return heads if self.training else heads[0]


def test_idle_layers_are_named():
    """And neither is the head that training returns, nor what a norm counts."""
    model = port(Idle)
    part = idle.check(model.trace(SIZE), model.trace(SIZE, training=True), model.trains)
    found = [(each.found, each.attribute) for each in part.remarks]
    assert found == [("extra", "unread"), ("unused", "unused")]
