"""Pairs of PyTorch models with weights of their own: converted rightly, and with one mistake.

``PAIRS`` says what has to be found, and at which layer of the first, where one of the two is not
the small network; what is wrong in its place is a row of ``bugs.md``.  The network is small and has
one of everything that matters.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.selftest import mistakes
from tests.selftest.rows import beside

SIZE = (12, 12, 3)


class Network(nn.Module):
    """A stem, a residual block and two dense layers, with nothing at a neutral value."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.conv = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.last = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(2)
        self.flat = nn.Flatten()
        self.hidden = nn.Linear(16 * 6 * 6, 24)
        self.output = nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x)).relu()
        x = self.pool((x + self.last(self.conv(x))).relu())
        return self.output(self.hidden(self.flat(x)).relu())


def seeded(make: Callable[[], Any], trained: bool = True) -> Any:
    """A model that is the same in every call, its norms as if they had seen data."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = make()
        for norm in model.modules() if trained else ():
            if isinstance(norm, nn.BatchNorm2d):
                for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                    tensor.data.uniform_(0.5, 1.5)
        return model


def network() -> Network:
    model: Network = seeded(Network)
    return model


def nameless(change: Callable[[Any], None] = lambda model: None) -> nn.Module:
    """The network with an activation that the vocabulary has no word for, after one mistake."""
    model = changed(change)
    model.flat = nn.Sequential(nn.GELU(), nn.Flatten())
    return model


class Headed(Network):
    """The network with an auxiliary head, which only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Any:
        result = super().forward(x)
        x = self.norm(self.stem(x)).relu()
        return (result, self.head(x.mean((2, 3)))) if self.training else result


def headed(change: Callable[[Any], None] = lambda model: None) -> nn.Module:
    """The network with its head, after one mistake."""
    model: nn.Module = seeded(Headed)
    with torch.no_grad():
        change(model)
    return model


def spare(model: Any) -> None:
    """A layer that nothing uses."""
    model.spare = nn.Linear(2, 2)


class Otherwise(nn.Module):
    """The same network by other means: its own names, layouts and order of flattening."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(3, 3, 3, 16))
        self.b1 = nn.Parameter(torch.randn(16))
        self.n1 = nn.BatchNorm2d(16)
        self.w2 = nn.Parameter(torch.randn(3, 3, 16, 16))
        self.n2 = nn.BatchNorm2d(16)
        self.w3 = nn.Parameter(torch.randn(6 * 6 * 16, 24))
        self.b3 = nn.Parameter(torch.randn(24))
        self.w4 = nn.Parameter(torch.randn(24, 24))
        self.b4 = nn.Parameter(torch.randn(24))

    def forward(self, x: Tensor) -> Tensor:
        x = self.n1(F.conv2d(x, self.w1.permute(3, 2, 0, 1), self.b1, padding=1)).relu()
        y = self.n2(F.conv2d(x, self.w2.permute(3, 2, 0, 1), padding=1))
        x = F.max_pool2d((x + y).relu(), 2).permute(0, 2, 3, 1).flatten(1)
        return (x @ self.w3 + self.b3).relu() @ self.w4 + self.b4


def changed(change: Callable[[Any], None]) -> Network:
    """The network after one mistake."""
    model = network()
    with torch.no_grad():
        change(model)
    return model


def put(layer: str, how: Callable[[Tensor], Tensor], name: str = "weight") -> Callable[[Any], None]:
    """A mistake that stores one array otherwise."""

    def change(model: Any) -> None:
        tensor = getattr(getattr(model, layer), name)
        tensor.copy_(how(tensor.clone()))

    return change


def hidden_reordered(model: Any) -> None:
    """The hidden units in another order, which the output layer follows: the same function."""
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    model.hidden.weight.copy_(model.hidden.weight[order])
    model.hidden.bias.copy_(model.hidden.bias[order])
    model.output.weight.copy_(model.output.weight[:, order])


def not_a_number(model: Any) -> None:
    """One entry of a norm is not a number."""
    model.norm.weight[3] = float("nan")


def flattened(weight: Tensor) -> Tensor:
    """Inputs in the order height, width, channel, for a flatten that puts channels first."""
    return weight.view(24, 16, 6, 6).permute(0, 2, 3, 1).reshape(24, -1)


def rightly_converted() -> nn.Module:
    """The same values in the other layout, written out by hand."""
    model, source = seeded(Otherwise), network()
    with torch.no_grad():
        for name, layer in (("1", source.stem), ("2", source.conv)):
            getattr(model, f"w{name}").copy_(layer.weight.permute(2, 3, 1, 0))
        model.b1.copy_(source.stem.bias)
        model.n1.load_state_dict(source.norm.state_dict())
        model.n2.load_state_dict(source.last.state_dict())
        model.w3.copy_(flattened(source.hidden.weight).t())
        model.b3.copy_(source.hidden.bias)
        model.w4.copy_(source.output.weight.t())
        model.b4.copy_(source.output.bias)
    return model


class Opened:
    """What the network stores, in neutral layout."""

    NAMES = {"kernel": "weight", "gamma": "weight", "beta": "bias", "mean": "running_mean",
             "variance": "running_var"}  # fmt: skip

    def __init__(self, model: Any) -> None:
        self.model = model

    def _tensor(self, name: str) -> Tensor:
        layer, slot = name.split(".")
        tensor: Tensor = getattr(getattr(self.model, layer), self.NAMES.get(slot, slot))
        return tensor.data

    def __getitem__(self, name: str) -> np.ndarray:
        array: np.ndarray = self._tensor(name).numpy().copy()
        if name == "hidden.kernel":
            return array.reshape(24, 16, 6, 6).transpose(2, 3, 1, 0).reshape(-1, 24)
        return array.transpose({4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim])

    def __setitem__(self, name: str, array: np.ndarray) -> None:
        if name == "hidden.kernel":
            array = array.reshape(6, 6, 16, 24).transpose(3, 2, 0, 1).reshape(24, -1)
        else:
            array = array.transpose({4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim])
        self._tensor(name).copy_(torch.from_numpy(np.require(array, np.float32, ["C"])))


def mistaken(mistake: Callable[[Opened], None]) -> Network:
    """The network after a mistake in what it stores."""
    model = network()
    mistake(Opened(model))
    return model


def wrong_epsilon() -> Network:
    model = network()
    model.norm.eps = 1e-3
    return model


def bias_forgotten() -> Network:
    model: Any = network()
    model.stem.bias = None
    return model


def average_for_maximum() -> Network:
    model: Any = network()
    model.pool = nn.AvgPool2d(2)
    return model


def folded(slip: str = "") -> nn.Module:
    """The network with its first norm folded into the stem."""
    model: Any = network()
    model.norm = nn.Identity()
    mistakes.folded(Opened(network()), Opened(model), 1e-5, slip)
    return model


folded_rightly = folded
mean_not_scaled = partial(folded, "mean")
folded_without_epsilon = partial(folded, "epsilon")


def smaller() -> nn.Module:
    """The network without its last layer."""
    model = network()
    model.output = nn.Identity()
    return model


PAIRS = {
    "the same": beside(network, network),
    "another layout": beside(network, rightly_converted),
    "hidden units reordered": beside(network, partial(changed, hidden_reordered)),
    "an auxiliary head": beside(headed, headed),
    "a mistake in the head": beside(
        headed, partial(headed, put("head", lambda w: w * 1.5)),
        "head", attribute="kernel", found="scaled",
    ),
    "a head reordered": beside(
        headed, partial(headed, put("head", lambda w: w.flip(0))),
        "head", attribute="kernel", found="permuted",
    ),
    "a layer nothing uses": beside(network, partial(changed, spare), stops="spare"),
    "an operation without a word": beside(nameless, nameless),
    "a mistake after it": beside(
        nameless, partial(nameless, put("hidden", lambda w: w * 1.5)),
        "hidden", attribute="kernel", found="scaled", parts="hidden",
    ),
    "not a number in both": beside(
        partial(changed, not_a_number), partial(changed, not_a_number), "norm",
        attribute="gamma", found="wrong", open="not finite from norm on",
    ),
}  # fmt: skip


def taught(rate: float = 0.5, momentum: float = 0.1) -> nn.Module:
    """A network that drops half of what its norm leaves."""
    return nn.Sequential(OrderedDict(
        stem=nn.Conv2d(3, 16, 3), norm=nn.BatchNorm2d(16, momentum=momentum), relu=nn.ReLU(),
        drop=nn.Dropout(rate), flat=nn.Flatten(), output=nn.Linear(16 * 10 * 10, 24),
    ))  # fmt: skip


TAUGHT = {
    "the same": beside(taught, taught),
    "another rate": beside(taught, partial(taught, rate=0.4), "drop", attribute="rate", found=0.4),
    "another momentum": beside(
        taught, partial(taught, momentum=0.01), "norm", attribute="momentum", found=0.99
    ),
}


#: Models at their initial values, all of them usual.
STARTS = {"a network": partial(seeded, Network, trained=False)}
