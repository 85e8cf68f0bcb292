"""Pairs of PyTorch models with weights of their own: converted rightly, and with one mistake.

``PAIRS`` says what has to be found, and at which layer of the first; ``STARTS`` holds models
whose initial values are wrong.  The network is small and has one of everything that matters.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.selftest.rows import Pair, Start

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


def swapped(one: str, other: str) -> Callable[[Any], None]:
    """A mistake that takes two arrays of the norm for each other."""

    def change(model: Any) -> None:
        a, b = getattr(model.norm, one), getattr(model.norm, other)
        first = a.clone()
        a.copy_(b)
        b.copy_(first)

    return change


def stem_reordered(model: Any) -> None:
    """The stem's channels in another order, and nothing after it follows."""
    model.stem.weight.copy_(model.stem.weight.flip(0))
    model.stem.bias.copy_(model.stem.bias.flip(0))


def hidden_reordered(model: Any) -> None:
    """The hidden units in another order, which the output layer follows: the same function."""
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    model.hidden.weight.copy_(model.hidden.weight[order])
    model.hidden.bias.copy_(model.hidden.bias[order])
    model.output.weight.copy_(model.output.weight[:, order])


def epsilon(model: Any) -> None:
    """Keras's epsilon in a model of PyTorch's."""
    model.norm.eps = 1e-3


def pool(model: Any) -> None:
    """Average for maximum: another kind of node."""
    model.pool = nn.AvgPool2d(2)


def unbiased(model: Any) -> None:
    """The stem's bias is forgotten."""
    model.stem.bias = None


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


def wrong_epsilon() -> Network:
    return changed(epsilon)


def smaller() -> nn.Module:
    """The network without its last layer."""
    model = network()
    model.output = nn.Identity()
    return model


def _wrong(
    change: Callable[[Any], None],
    node: str,
    attribute: str,
    found: Any,
    parts: str,
    stops: str = "",
) -> Pair:
    return Pair(network, partial(changed, change), SIZE, node, attribute, found, parts, stops)


def half(weight: Tensor) -> Tensor:
    return weight.half().float()


PAIRS = {
    "the same": Pair(network, network, SIZE),
    "another layout": Pair(network, rightly_converted, SIZE),
    "hidden units reordered": Pair(network, partial(changed, hidden_reordered), SIZE),
    "in and out swapped": _wrong(
        put("output", Tensor.t), "output", "kernel", "transposed", "output"
    ),
    "flattened otherwise": _wrong(
        put("hidden", flattened), "hidden", "kernel", "permuted", "hidden"
    ),
    "kernel flipped": _wrong(
        put("conv", lambda w: w.flip(2, 3)), "conv", "kernel", "flipped", "conv"
    ),
    "height for width": _wrong(
        put("conv", lambda w: w.transpose(2, 3)), "conv", "kernel", "transposed", "conv"
    ),
    "BGR": _wrong(put("stem", lambda w: w.flip(1)), "stem", "kernel", "permuted", "stem"),
    "stem reordered": _wrong(stem_reordered, "stem", "kernel", "permuted", "norm"),
    "scaled": _wrong(put("stem", lambda w: w / 255), "stem", "kernel", "scaled", "stem"),
    "rounded": _wrong(put("stem", half), "stem", "kernel", "rounded", "stem"),
    "one entry": _wrong(
        put("conv", lambda w: w + F.one_hot(torch.tensor(5), w.numel()).view_as(w)),
        "conv", "kernel", "wrong", "conv",
    ),
    "deviation for variance": _wrong(
        put("norm", torch.sqrt, "running_var"), "norm", "variance", "scaled", "norm"
    ),
    "mean and variance swapped": _wrong(
        swapped("running_mean", "running_var"), "norm", "mean", "swapped", "norm"
    ),
    "gamma and beta swapped": _wrong(swapped("weight", "bias"), "norm", "gamma", "swapped", "norm"),
    "bias forgotten": _wrong(unbiased, "stem", "bias", "missing", "stem", "stem"),
    "epsilon": _wrong(epsilon, "norm", "epsilon", 1e-3, "norm"),
    "not a number": _wrong(not_a_number, "norm", "gamma", "wrong", "norm"),
    "an auxiliary head": Pair(headed, headed, SIZE),
    "a mistake in the head": Pair(
        headed, partial(headed, put("head", lambda w: w * 1.5)), SIZE, "head", "kernel", "scaled"
    ),
    "a head reordered": Pair(
        headed, partial(headed, put("head", lambda w: w.flip(0))),
        SIZE, "head", "kernel", "permuted",
    ),
    "a layer nothing uses": Pair(network, partial(changed, spare), SIZE, stops="spare"),
    "an operation without a word": Pair(nameless, nameless, SIZE),
    "a mistake after it": Pair(
        nameless, partial(nameless, put("hidden", lambda w: w * 1.5)),
        SIZE, "hidden", "kernel", "scaled", "hidden",
    ),
    "not a number in both": Pair(
        partial(changed, not_a_number), partial(changed, not_a_number), SIZE,
        "norm", "gamma", "wrong", open="not finite from norm on",
    ),
    "another pooling": _wrong(pool, "pool", "kind", "avg_pool", "pool"),
}  # fmt: skip


def taught(rate: float = 0.5, momentum: float = 0.1) -> nn.Module:
    """A network that drops half of what its norm leaves."""
    return nn.Sequential(OrderedDict(
        stem=nn.Conv2d(3, 16, 3), norm=nn.BatchNorm2d(16, momentum=momentum), relu=nn.ReLU(),
        drop=nn.Dropout(rate), flat=nn.Flatten(), output=nn.Linear(16 * 10 * 10, 24),
    ))  # fmt: skip


TAUGHT = {
    "the same": Pair(taught, taught, SIZE),
    "another rate": Pair(taught, partial(taught, rate=0.4), SIZE, "drop", "rate", 0.4),
    "another momentum": Pair(
        taught, partial(taught, momentum=0.01), SIZE, "norm", "momentum", 0.99
    ),
}


def start(change: Callable[[Any], None]) -> Network:
    """The network at its initial values, after one mistake."""
    model: Network = seeded(Network, trained=False)
    with torch.no_grad():
        change(model)
    return model


def _start(change: Callable[[Any], None], node: str, said: str) -> Start:
    return Start(partial(start, change), SIZE, node, said)


STARTS = {
    "right": _start(lambda model: None, "", ""),
    "zero kernel": _start(put("conv", torch.zeros_like), "conv", "all zero"),
    "constant kernel": _start(
        put("conv", lambda w: torch.full_like(w, 0.01)), "conv", "every entry"
    ),
    "ten times": _start(put("conv", lambda w: 10 * w), "conv", "10 times"),
    "all positive": _start(put("conv", Tensor.abs), "conv", "its mean is"),
    "two alike": _start(
        put("conv", lambda w: torch.cat([w[:1], w[:-1]])), "conv", "1 of 16 outputs"
    ),
    "variance of zero": _start(
        put("norm", torch.zeros_like, "running_var"), "norm", "are not above 0"
    ),
    "mean of one": _start(put("norm", torch.ones_like, "running_mean"), "norm", "running mean"),
    "inner gamma of zero": _start(put("norm", torch.zeros_like), "norm", "nothing gets through"),
    "not a number": _start(not_a_number, "norm", "not finite"),
}
