"""A small network in PyTorch, for what people do to one thing in it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance import reference

NETWORK = reference.find("LeNet-5-table")
Change = Callable[[Tensor], Tensor]


def unchanged(x: Tensor) -> Tensor:
    return x


def halved(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2)


def flat(x: Tensor) -> Tensor:
    return x.flatten(1)


def softmax(x: Tensor) -> Tensor:
    return x.softmax(1)


class LeNet(nn.Module):
    """With changes: to the image, in place of every tanh and of the first pool, in front of the
    dense layers, between them and to the output."""

    def __init__(
        self,
        image: Change = unchanged,
        function: Change = torch.tanh,
        pool: Change = halved,
        flat: Change = flat,
        hidden: Change = unchanged,
        end: Change = softmax,
    ) -> None:
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.f6, self.output = nn.Linear(120, 84), nn.Linear(84, 10)
        self.image, self.function, self.pool = image, function, pool
        self.flat, self.hidden, self.end = flat, hidden, end

    def forward(self, x: Tensor) -> Tensor:
        f = self.function
        x = f(self.pool(f(self.c1(self.image(x)))))
        x = f(halved(f(self.c3(x))))
        x = self.hidden(f(self.f6(self.flat(f(self.c5(x))))))
        return self.end(self.output(x))


def with_c3(make: Callable[[nn.Module], nn.Module]) -> LeNet:
    """The network with what is made of its second convolution in that one's place."""
    net = LeNet()
    net.c3 = make(net.c3)
    return net
